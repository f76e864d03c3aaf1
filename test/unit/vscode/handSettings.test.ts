/** What the settings say about hands. */
import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { parseHandSettings, problemOfName } from "../../../src/vscode/handSettings.ts";
import type { HandSettings } from "../../../src/vscode/handSettings.ts";

const kinds = ["local", "command", "docker", "ssh"];
const local = { name: "local", kind: "local", options: { cwd: "/srv" } };

function parse(hands: unknown, defaultHands?: unknown, folder: string | null = "/srv"): HandSettings {
  return parseHandSettings({ hands, defaultHands, folder, kinds });
}

function places(settings: HandSettings): readonly string[] {
  return settings.problems.map(({ setting, place }) => [setting, ...place].join("/"));
}

const box = { name: "box", kind: "command", options: { argv: ["sh"] } };
const far = { name: "far", kind: "ssh", prewarm: true, options: { host: "build" } };

describe("the hands of the settings", () => {
  it("are the local hand in the workspace folder where none are named", () => {
    assert.deepEqual(parse([]), { hands: [], defaults: [local], problems: [] });
    assert.deepEqual(parse(undefined).defaults, [local]);
    assert.deepEqual(parse([], [], null).defaults, []);
  });

  it("all belong to a new session where no defaults are named", () => {
    const { hands, defaults, problems } = parse([box, far], []);
    assert.deepEqual([hands, defaults, problems], [[box, far], [box, far], []]);
  });

  it("are those that the defaults name, in that order; the local hand needs no spec", () => {
    assert.deepEqual(parse([box, far], ["far", "local"]).defaults, [far, local]);
    const own = { name: "local", kind: "local", options: { cwd: "/elsewhere" } };
    assert.deepEqual(parse([own, box], ["local", "local"]).defaults, [own]);
  });

  it("fall back to all when no default can be found, and say which name is unknown", () => {
    const settings = parse([box], ["nowhere"]);
    assert.deepEqual(settings.defaults, [box]);
    assert.deepEqual(places(settings), ["defaultHands/0"]);
  });

  it("work beside ones that are wrong, each of which is a problem at its place", () => {
    const wrong: readonly (readonly [unknown, string])[] = [
      ["text", "hands/0"],
      [{ kind: "local" }, "hands/0"],
      [{ name: "two words", kind: "local" }, "hands/0/name"],
      [{ name: "x".repeat(33), kind: "local" }, "hands/0/name"],
      [{ name: "x" }, "hands/0"],
      [{ name: "x", kind: 7 }, "hands/0/kind"],
      [{ name: "x", kind: "local", prewarm: "yes" }, "hands/0/prewarm"],
      [{ name: "x", kind: "local", options: [] }, "hands/0/options"],
      [{ name: "x", kind: "local", options: { cwd: 1 } }, "hands/0/options/cwd"],
      [{ name: "x", kind: "command" }, "hands/0/options"],
      [{ name: "x", kind: "command", options: { argv: "sh" } }, "hands/0/options/argv"],
      [{ name: "x", kind: "command", options: { argv: [] } }, "hands/0/options/argv"],
      [{ name: "x", kind: "ssh", options: { host: "" } }, "hands/0/options/host"],
      [{ name: "x", kind: "docker", options: {} }, "hands/0/options"],
      [{ name: "x", kind: "docker", options: { image: "a", container: "b" } }, "hands/0/options/container"],
      [{ name: "x", kind: "local", resources: {} }, "hands/0/resources"],
      [{ name: "x", kind: "local", resources: [{ source_ref: "." }] }, "hands/0/resources/0"],
    ];
    for (const [value, place] of wrong) {
      const settings = parse([value, box]);
      assert.deepEqual(settings.hands, [box], JSON.stringify(value));
      assert.deepEqual(places(settings), [place], JSON.stringify(value));
    }
    assert.deepEqual(places(parse({})), ["hands"]);
    assert.deepEqual(places(parse([box], "box")), ["defaultHands"]);
  });

  it("hold no password of a resource: that would be stored and shown", () => {
    for (const source_ref of [
      "https://ada:pw-3f9c1e77@git.example/app.git",
      "git+https://tok-3f9c1e77@git.example/app",
      "http://a:pw-3f9c1e77@example/x.tar",
    ]) {
      const settings = parse([{ ...box, resources: [{ source_ref, mount_path: "app" }] }]);
      assert.deepEqual(places(settings), ["hands/0/resources/0/source_ref"]);
      assert.ok(!JSON.stringify(settings.problems).includes("3f9c1e77"));
      assert.deepEqual(settings.hands, []);
    }
    for (const source_ref of [
      "git@git.example:app.git",
      "ssh://git@git.example/app.git",
      "https://git.example/@ada/app.git",
    ]) {
      assert.deepEqual(places(parse([{ ...box, resources: [{ source_ref, mount_path: "app" }] }])), []);
    }
  });

  it("have unique names: the first one holds", () => {
    const settings = parse([box, { ...far, name: "box" }]);
    assert.deepEqual(settings.hands, [box]);
    assert.deepEqual(places(settings), ["hands/1/name"]);
  });

  it("may be of a kind that another extension brings later, which is said", () => {
    const settings = parse([{ name: "toy", kind: "emulator", options: { rom: "x" } }]);
    assert.equal(settings.hands.length, 1);
    assert.deepEqual(
      settings.problems.map(({ place, isFatal }) => [place, isFatal]),
      [[[0, "kind"], false]],
    );
    const unknown = parseHandSettings({ hands: settings.hands, defaultHands: [], folder: "/srv", kinds: null });
    assert.deepEqual(unknown.problems, []);
  });

  it("get the workspace folder where they ask for it, and are a problem where none is open", () => {
    const mounted = { name: "m", kind: "docker", options: { image: "i", mount: { source: "${workspaceFolder}/a" } } };
    assert.deepEqual(parse([mounted]).hands[0]?.options?.["mount"], { source: "/srv/a" });
    assert.deepEqual(parse([{ name: "here", kind: "local" }]).hands[0]?.options, { cwd: "/srv" });
    assert.deepEqual(places(parse([{ name: "here", kind: "local" }], [], null)), ["hands/0"]);
    assert.equal(parse([{ ...box, options: { argv: ["$&"] } }], [], "$&").hands.length, 1);
  });

  it("are read from anything at all without failing", () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (hands, defaults) => {
        const settings = parse(hands, defaults);
        assert.ok(settings.defaults.length > 0);
      }),
    );
    fc.assert(fc.property(fc.array(fc.object()), (hands) => void parse(hands)));
  });

  it("have names that can be asked for", () => {
    assert.equal(problemOfName("box-2", ["box"]), null);
    assert.match(problemOfName("box", ["box"]) ?? "", /already/);
    assert.match(problemOfName("", []) ?? "", /1 to 32/);
  });
});
