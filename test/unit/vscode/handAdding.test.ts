/** What the guided add reads and understands: ssh's configuration, typed programs, remote windows, Docker's lists. */
import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { parseArgv } from "../../../src/vscode/argvText.ts";
import { dockerDiscoveries } from "../../../src/vscode/dockerDiscovery.ts";
import { freeName } from "../../../src/vscode/handDiscovery.ts";
import type { HandCandidate } from "../../../src/vscode/handDiscovery.ts";
import { problemOfName } from "../../../src/vscode/handSettings.ts";
import { remoteCandidate } from "../../../src/vscode/remoteWindow.ts";
import { readSshHosts, sshDiscovery } from "../../../src/vscode/sshHosts.ts";

describe("the hosts of an ssh configuration", () => {
  let home: string;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "many-hands-ssh-"));
    await mkdir(join(home, ".ssh", "more"), { recursive: true });
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  const config = (name: string, text: string): Promise<void> => writeFile(join(home, ".ssh", name), text);
  const aliases = async (): Promise<readonly string[]> =>
    (await readSshHosts(join(home, ".ssh", "config"), home)).map(({ alias }) => alias);

  it("are those without patterns, each once, in their order", async () => {
    await config(
      "config",
      "Host b a *.lab !c\n\tHostName=10.0.0.1\n# Host no\nhost a d # not this\nMatch host x\nHost *\n",
    );
    assert.deepEqual(await aliases(), ["b", "a", "d"]);
  });

  it("are found through Include, by pattern, relative to ~/.ssh, and around a circle", async () => {
    await config("config", "Include more/*.conf ~/.ssh/extra missing\nHost own\n");
    await config("more/1.conf", 'Host "one two"\nInclude config\n');
    await config("more/2.conf", "Host two\n");
    await config("extra", "Host extra\n");
    assert.deepEqual(await aliases(), ["one two", "own", "two", "extra"]);
  });

  it("carry where they lead", async () => {
    await config("config", "Host far\n  User me\n  HostName far.example.org\n");
    const [far] = await sshDiscovery(home).discover(new AbortController().signal);
    assert.deepEqual(
      [far?.label, far?.description, far?.spec],
      ["far", "me@far.example.org", { kind: "ssh", options: { host: "far" } }],
    );
  });

  it("are none where there is no configuration", async () => {
    assert.deepEqual(await aliases(), []);
  });
});

describe("a program that is typed", () => {
  it("is split as a shell does it", () => {
    const typed = String.raw`kubectl exec -i "my pod" -- sh -c 'a "b"' c\ d e"f g"'h' "\$x" ""`;
    const expected = ["kubectl", "exec", "-i", "my pod", "--", "sh", "-c", 'a "b"', "c d", "ef gh", "$x", ""];
    assert.deepEqual(parseArgv(typed), { ok: true, argv: expected });
    const shell = spawnSync("sh", ["-c", `printf '%s\\n' ${typed}`], { encoding: "utf8" });
    assert.deepEqual(shell.stdout.split("\n").slice(0, -1), expected);
  });

  it("may be a list", () => {
    assert.deepEqual(parseArgv(' ["a b", "|"] '), { ok: true, argv: ["a b", "|"] });
    assert.equal(parseArgv("[1]").ok, false);
    assert.equal(parseArgv("[").ok, false);
  });

  it("is refused where only a shell would understand it, with the reason", () => {
    for (const typed of ["a | b", "a > b", "a && b", "$(a)", "a `b`", "a $HOME"]) {
      const parsed = parseArgv(typed);
      assert.match(parsed.ok ? "" : parsed.message, /to a shell only/, typed);
    }
    assert.match(JSON.stringify(parseArgv('a "b')), /not closed/);
    assert.equal(parseArgv("  ").ok, false);
    fc.assert(fc.property(fc.string(), (text) => void parseArgv(text)));
  });
});

describe("the name of a new hand", () => {
  it("is valid and free, whatever it is made from", () => {
    assert.equal(freeName("dev@höst.example", []), "dev-host-example".replace("höst", "host"));
    assert.equal(freeName("box", ["box", "box-2"]), "box-3");
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.array(fc.string()), (wanted, taken) => {
        assert.equal(problemOfName(freeName(wanted, taken), taken), null);
      }),
    );
  });
});

describe("the hand of a remote window", () => {
  const folder = "/srv/project";
  const none = async (): Promise<null> => null;
  const hex = (value: unknown): string =>
    Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("hex");
  const of = (authority: string): Promise<HandCandidate | null> => remoteCandidate({ authority, folder }, none);

  it("is the host of Remote-SSH, also where its address is spelt in hexadecimal", async () => {
    assert.deepEqual((await of("ssh-remote+build"))?.spec, { kind: "ssh", options: { host: "build", cwd: folder } });
    const spelt = await of(`ssh-remote+${hex({ hostName: "b.example", user: "me", port: 2222 })}`);
    assert.deepEqual(spelt?.spec.options, { host: "me@b.example", port: 2222, cwd: folder });
  });

  it("is the distribution of WSL", async () => {
    const argv = ["wsl.exe", "-d", "Ubuntu-24.04", "--exec", "sh"];
    assert.deepEqual((await of("wsl+Ubuntu-24.04"))?.spec, { kind: "command", options: { argv, cwd: folder } });
  });

  it("is the container of a dev container, found by the folder that it was made for", async () => {
    const found = await remoteCandidate(
      { authority: `dev-container+${hex({ hostPath: "/home/me/project" })}`, folder },
      async (local) => (local === "/home/me/project" ? "vsc-project" : null),
    );
    assert.deepEqual(found?.spec, { kind: "docker", options: { container: "vsc-project", cwd: folder } });
    const attached = await of(`attached-container+${hex({ containerName: "/db" })}`);
    assert.deepEqual(attached?.spec.options, { container: "db", cwd: folder });
  });

  it("is none where it cannot be known", async () => {
    assert.equal(await of(`dev-container+${hex("/gone")}`), null);
    assert.equal(await of(`dev-container+${hex("/there")}@ssh-remote+far`), null);
    assert.equal(await of("codespaces+x"), null);
    assert.equal(await of("127.0.0.1:8080"), null);
  });
});

describe("what a Docker engine has", () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "many-hands-docker-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** In place of the command line: answers in its words. */
  async function program(script: string): Promise<readonly string[]> {
    const file = join(folder, "docker");
    await writeFile(file, `#!/bin/sh\n${script}\n`);
    await chmod(file, 0o755);
    return [file];
  }

  it("is listed: containers that run, and images by their names", async () => {
    const answers = await program(`case "$1" in
      ps) echo '{"Names":"db,alias","Image":"postgres:17","Status":"Up 2 hours","ID":"1"}' ;;
      images) echo '{"Repository":"registry.example/team/app","Tag":"1.2","ID":"2","Size":"80MB"}'
              echo '{"Repository":"<none>","Tag":"<none>","ID":"f00","Size":"1MB"}' ;;
    esac`);
    const { signal } = new AbortController();
    const found = await Promise.all(dockerDiscoveries(answers).map((way) => way.discover(signal)));
    assert.deepEqual(
      found.map((candidates) => candidates.map(({ label, name, spec }) => [label, name, spec.options])),
      [
        [["db", "db", { container: "db" }]],
        [
          ["registry.example/team/app:1.2", "app:1.2".split(":")[0], { image: "registry.example/team/app:1.2" }],
          ["f00", "container", { image: "f00" }],
        ],
      ],
    );
  });

  it("is nothing where there is none, it fails, or it does not answer in time", async () => {
    const { signal } = new AbortController();
    const [missing] = dockerDiscoveries([join(folder, "nothing")]);
    assert.deepEqual(await missing?.discover(signal), []);
    const [failing] = dockerDiscoveries(await program("echo no daemon >&2; exit 1"));
    assert.deepEqual(await failing?.discover(signal), []);
    const [hung] = dockerDiscoveries(await program("exec sleep 60"));
    assert.deepEqual(await hung?.discover(AbortSignal.timeout(200)), []);
  });
});
