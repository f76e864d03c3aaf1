/** Whole sessions whose hands print stored credentials: none is in the log, in blobs, in what is shown, or in requests. */
import { strict as assert } from "node:assert";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { StreamEvent } from "../../../src/core/events.ts";
import { limits } from "../../../src/core/limits.ts";
import type { AnyEvent } from "../../../src/core/sessionState.ts";
import { describeSightings, huntFor, makeCanaries } from "../../fixtures/canaries.ts";
import type { Sighting } from "../../fixtures/canaries.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { Kit, isIdle, ofType, stateOf, textOf } from "../session/sessionKit.ts";

const canaries = makeCanaries(["header"]);
const SECRET = canaries[0]?.value ?? "";
const TOKEN = ["gh", "p_", "aZ09bY18".repeat(5).slice(0, 36)].join("");
const HEAD = Math.floor(limits.modelOutputBytesMax / 3);
const TAIL = limits.modelOutputBytesMax - HEAD;

const tool = (name: string, input: JsonObject): JsonObject => ({ type: "tool_use", name, input });
const filler = (bytes: number): string => `head -c ${bytes} /dev/zero | tr '\\0' x`;

/** What a command prints, and in what it prints it. None of them names the credential: it is in files of the workspace. */
const COMMANDS: readonly string[] = [
  "cat secret",
  "base64 secret; (printf a; cat secret) | base64; (printf ab; cat secret) | base64",
  `(${filler(50)}; cat secret; ${filler(90)}) | base64`,
  "base64 <secret | tr '+/' '-_'",
  "od -An -v -tx1 secret | tr -d ' \\n'; echo; od -An -v -tx1 secret | tr -d ' \\n' | tr a-f A-F",
  "cat url json json2",
  "i=1; while [ $i -le $(wc -c <secret) ]; do head -c $i secret | tail -c 1; sleep 0.01; i=$((i+1)); done",
  // The cuts of what the model reads go through the credential, and one is in the part that is left out.
  `${filler(HEAD - 40)}; cat secret; ${filler(200_000)}; cat secret; ${filler(100_000)}; cat secret; ${filler(TAIL - 40)}`,
  'touch "$(cat secret)"; ls; "./$(cat secret)"; cat "$(cat secret)/x"',
  "head -c 20 secret; printf '\\033[0m'; tail -c +21 secret",
];

const FILE_CALLS: readonly JsonObject[] = [
  tool("read", { file_path: "secret" }),
  tool("read", { file_path: "settings" }),
  tool("grep", { pattern: "canary" }),
  tool("glob", { pattern: "*" }),
  tool("edit", { file_path: "settings", old_string: "colour=red", new_string: "colour=blue" }),
];

/** What a hand keeps of its calls until they are in the log lies where its files are: it is as raw as these. */
const isJournal = (where: string): boolean => where.includes(`${path.sep}hands${path.sep}`);

interface Run {
  readonly sightings: readonly Sighting[];
  readonly events: readonly AnyEvent[];
  readonly streamed: readonly StreamEvent[];
  readonly kit: Kit;
}

async function run(isOn: boolean, blocks: readonly (readonly (string | JsonObject)[])[]): Promise<Run> {
  const kit = await Kit.open({
    scenario: {
      turns: [...blocks.map((turn) => ({ blocks: turn, behaviour: { piece_chars: 3 } })), { blocks: ["Done."] }],
    },
    ...(isOn ? { redacted: [SECRET] } : {}),
  });
  const json = JSON.stringify(SECRET);
  const files = {
    secret: SECRET,
    url: encodeURIComponent(SECRET),
    json,
    json2: JSON.stringify(json),
    settings: `key=${SECRET}\ncolour=red\n`,
    token: `token=${TOKEN}\n`,
  };
  for (const [name, content] of Object.entries(files)) await writeFile(path.join(kit.workspace, name), content);
  const service = await kit.window();
  const streamed: StreamEvent[] = [];
  service.onDidStream(({ event }) => streamed.push(event));
  const { id } = await service.createSession({ message: "Look around.", permission: "allow" });
  await stateOf(service, id, isIdle);
  const events = await service.getEvents(id, { resolve: true });
  await service.close();
  const requests = Object.fromEntries(kit.server.requests.map(({ raw }, at) => [`request ${at}`, raw]));
  const shown = { stream: JSON.stringify(streamed), "stream as text": outputOf(streamed), ...requests };
  const sightings = await huntFor(canaries, { folders: [kit.sessions], texts: shown, except: isJournal });
  return { sightings, events, streamed, kit };
}

/** What a viewer puts together. */
function outputOf(streamed: readonly StreamEvent[]): string {
  return streamed
    .map((event) => {
      if (event.type === "call_output") return event.text;
      if (event.type !== "event_delta") return "";
      const { delta } = event;
      return delta.type === "text_delta" ? delta.text : delta.type === "input_json_delta" ? delta.partial_json : "";
    })
    .join("");
}

describe("a session whose hands print stored credentials", function () {
  this.timeout(120_000);
  const bash = COMMANDS.map((command) => [tool("bash", { command })]);
  const calls = [...bash, ...FILE_CALLS.map((call) => [call])];
  let kit: Kit | null = null;
  afterEach(async () => {
    await kit?.close();
    kit = null;
  });
  const started = async (isOn: boolean, blocks: Parameters<typeof run>[1]): Promise<Run> => {
    const done = await run(isOn, blocks);
    kit = done.kit;
    return done;
  };

  it("has them nowhere: not in the log, in blobs, in what is shown, in requests", async () => {
    const { sightings, events, kit: used } = await started(true, calls);
    assert.deepEqual(sightings, [], describeSightings(sightings));
    assert.deepEqual(used.server.problems, []);
    const results = ofType(events, "agent.tool_result");
    assert.equal(results.length, calls.length);
    for (const [at, result] of results.slice(0, COMMANDS.length).entries()) {
      assert.match(textOf(result), /\[redacted: credential\]/, COMMANDS[at]);
      assert.equal(result.redactions?.[0]?.kind, "credential", COMMANDS[at]);
    }
    const cut = results[7];
    assert.deepEqual(cut?.redactions, [{ kind: "credential", count: 3 }]);
    assert.equal(cut.output_bytes, HEAD - 40 + 300_000 + TAIL - 40 + 3 * SECRET.length, "raw bytes are counted");
    const [change] = ofType(events, "hand.file_change");
    assert.equal(change?.redacted, true);
    assert.equal(await readFile(path.join(used.workspace, "settings"), "utf8"), `key=${SECRET}\ncolour=blue\n`);
  });

  it("has them everywhere without redaction: the hunt sees each kind of place", async () => {
    const { sightings } = await started(false, calls);
    const places = new Set(
      sightings.map(({ where }) =>
        where.startsWith("request") || where.startsWith("stream")
          ? (where.split(" ")[0] ?? "")
          : path.basename(path.dirname(where)) === "blobs"
            ? "blobs"
            : path.basename(where),
      ),
    );
    const missing = ["request", "stream", "blobs", "events.jsonl"].filter((place) => !places.has(place));
    assert.deepEqual(missing, []);
  });

  it("does not let the model write a marker in a credential's place, nor use a value that it knows", async () => {
    const marker = "[redacted: credential]";
    const {
      sightings,
      events,
      kit: used,
    } = await started(true, [
      [tool("write", { file_path: "settings", content: `key=${marker}\ncolour=green\n` })],
      [tool("edit", { file_path: "settings", old_string: "colour=red", new_string: `colour=${marker}` })],
      [tool("write", { file_path: "new", content: `key=${SECRET}` })],
      ["Its value is ", `${SECRET}, I think.`, tool("bash", { command: `echo ${SECRET} >copied` })],
      [tool("edit", { file_path: "settings", old_string: "colour=red", new_string: "colour=blue" })],
    ]);
    assert.deepEqual(sightings, [], describeSightings(sightings));
    assert.deepEqual(used.server.problems, []);
    const results = ofType(events, "agent.tool_result");
    assert.deepEqual(
      results.map(({ outcome, is_error }) => [outcome.kind, is_error]),
      [...Array.from({ length: 4 }, () => ["not_run", true]), ["exited", false]],
    );
    assert.match(textOf(results[0]), /Nothing was written.*where the file has none/);
    assert.match(textOf(results[3]), /did not run/);
    assert.equal(await readFile(path.join(used.workspace, "settings"), "utf8"), `key=${SECRET}\ncolour=blue\n`);
    await assert.rejects(readFile(path.join(used.workspace, "copied")));
  });

  it("says what else was taken out: tokens of known shapes, in output and in files that are read", async () => {
    const { events, streamed } = await started(true, [
      [tool("bash", { command: "cat token; echo; cat token | tr '\\n' ' '" })],
      [tool("read", { file_path: "token" })],
    ]);
    const [printed, read] = ofType(events, "agent.tool_result");
    assert.equal(textOf(printed).trim(), "token=[redacted: GitHub token]\n\ntoken=[redacted: GitHub token]");
    assert.deepEqual(printed?.redactions, [{ kind: "GitHub token", count: 2 }]);
    assert.match(textOf(read), /1\ttoken=\[redacted: GitHub token\]$/);
    assert.deepEqual(read?.redactions, [{ kind: "GitHub token", count: 1 }]);
    assert.ok(!JSON.stringify(streamed).includes(TOKEN));
  });
});

describe("what comes into a session from people, programs and failures", function () {
  this.timeout(60_000);
  let kit: Kit | null = null;
  afterEach(() => kit?.close());

  it("is redacted before it is in the log, however long, and titles before they are cut", async () => {
    kit = await Kit.open({ redacted: [SECRET], scenario: { turns: [{ blocks: ["I see."] }], afterwards: "repeat" } });
    const service = await kit.window();
    service.registerHandProvider("leaky", {
      tools: () => [],
      describe: () => `a hand at https://user:${SECRET}@example.com`,
      provision: () => Promise.reject(new Error(`refused: ${SECRET}`)),
    });
    const hand = { name: "leaky", kind: "leaky", prewarm: true, options: { [SECRET]: SECRET } };
    const { id } = await service.createSession({ title: SECRET, hands: [hand], message: `My key: ${SECRET}` });
    await stateOf(service, id, isIdle);
    const text = `${"x".repeat(200_000)} ${SECRET}`;
    await service.emitEvent(id, { type: "user.message", content: [{ type: "text", text }] });
    await stateOf(service, id, (state) => isIdle(state) && state.queued.length === 0);
    await service.updateSession(id, { title: `${"y".repeat(limits.titleCharsMax - 40)}${SECRET}` });
    const other = await service.createSession({ message: `${"z".repeat(30)}${SECRET}` });
    await stateOf(service, other.id, isIdle);
    assert.match((await service.getSession(other.id)).state.title, /^z{30}\[redacted: credential\]$/);
    const test = await service.testHand(hand);
    const shown = {
      test: JSON.stringify(test),
      hands: JSON.stringify((await service.listHands()).map(({ uses, spare }) => [uses, spare])),
      requests: kit.server.requests.map(({ raw }) => raw).join("\n"),
    };
    assert.match(shown.test, /refused: \[redacted: credential\]/);
    assert.match(shown.hands, /refused: \[redacted: credential\]/);
    const sightings = await huntFor(canaries, { folders: [kit.sessions], texts: shown, except: isJournal });
    assert.deepEqual(sightings, [], describeSightings(sightings));
    assert.deepEqual(kit.server.problems, []);
    const failed = ofType(await service.getEvents(id, {}), "hand.provision_failed");
    assert.equal(failed[0]?.message, "refused: [redacted: credential]");
  });
});

describe("a thought that holds a stored credential", function () {
  this.timeout(60_000);
  let kit: Kit | null = null;
  afterEach(() => kit?.close());

  const thought = { type: "thinking", thinking: `The key is ${SECRET}.` };
  const bash = tool("bash", { command: "echo hello" });

  it("is left out where nothing depends on it, and gives the turn up where a call does", async () => {
    const options = { redacted: [SECRET], thinking: "adaptive" } as const;
    kit = await Kit.open({
      ...options,
      scenario: {
        by: "transcript",
        turns: [
          [{ blocks: [thought, bash] }, { blocks: [{ type: "thinking", thinking: "Once more." }, bash] }],
          { blocks: [thought, "Hello it said."] },
          { blocks: ["Bye."] },
        ],
      },
    });
    const service = await kit.window();
    const streamed: StreamEvent[] = [];
    service.onDidStream(({ event }) => streamed.push(event));
    const { id } = await service.createSession({ message: "Say hello.", permission: "allow" });
    await stateOf(service, id, isIdle);
    await service.emitEvent(id, { type: "user.message", content: [{ type: "text", text: "And bye." }] });
    await stateOf(service, id, (state) => isIdle(state) && state.queued.length === 0);
    const events = await service.getEvents(id, { resolve: true });
    assert.deepEqual(
      ofType(events, "agent.message").map(({ content }) => content[0]?.text),
      ["Hello it said.", "Bye."],
    );
    assert.equal(ofType(events, "agent.tool_result").length, 1);
    assert.equal(ofType(events, "agent.thinking").length, 1);
    const [error] = ofType(events, "session.error");
    assert.deepEqual([error?.error.retry_status, error?.error.origin], ["retrying", "vault"]);
    assert.deepEqual(kit.server.problems, []);
    const texts = {
      stream: JSON.stringify(streamed),
      requests: kit.server.requests.map(({ raw }) => raw).join("\n"),
    };
    const sightings = await huntFor(canaries, { folders: [kit.sessions], texts, except: isJournal });
    assert.deepEqual(sightings, [], describeSightings(sightings));
  });

  it("is left out of requests when the credential was stored afterwards, and what was said is redacted", async () => {
    const scenario = { turns: [{ blocks: [thought, "I see."] }, { blocks: ["Bye."] }] };
    const before = await Kit.open({ scenario, thinking: "adaptive" });
    kit = before;
    const first = await before.window();
    const { id } = await first.createSession({ message: `My key is ${SECRET}.` });
    await stateOf(first, id, isIdle);
    await first.close();
    const after = await Kit.open({
      scenario: { turns: [{ blocks: ["Bye."] }] },
      redacted: [SECRET],
      sessions: before.sessions,
      thinking: "adaptive",
    });
    try {
      const second = await after.window();
      await second.emitEvent(id, { type: "user.message", content: [{ type: "text", text: "Go on." }] });
      await stateOf(second, id, (state) => isIdle(state) && state.queued.length === 0);
      assert.deepEqual(after.server.problems, []);
      const raw = after.server.requests.map((request) => request.raw).join("\n");
      assert.match(raw, /My key is \[redacted: credential\]\./);
      assert.deepEqual(await huntFor(canaries, { texts: { requests: raw } }), []);
    } finally {
      await after.close();
    }
  });
});
