/** What holds of hands in containers alone: how they are confined, found again, lost, and removed. */
import assert from "node:assert/strict";
import { mkdir, readFile, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../../../src/core/errors.ts";
import type { Hand } from "../../../src/core/hand.ts";
import { createDockerProvider } from "../../../src/hands/docker/dockerProvider.ts";
import { listOrphans, removeOrphans } from "../../../src/hands/docker/orphans.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { makeKit } from "../../fixtures/docker/dockerKit.ts";
import type { DockerKit } from "../../fixtures/docker/dockerKit.ts";
import { BASH_IMAGE, startEngine, whyNoEngine } from "../../fixtures/docker/testEngine.ts";
import type { TestEngine } from "../../fixtures/docker/testEngine.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { bash, callOf, Recorder, says, unavailable, until } from "./handSupport.ts";

describe("a hand in a container of its own", function () {
  this.timeout(120_000);
  let engine: TestEngine;
  let kit: DockerKit;

  before(async function () {
    const reason = whyNoEngine();
    skipUnless(this, reason === null, reason ?? "");
    engine = await startEngine();
  });
  after(async () => engine?.stop());
  beforeEach(async () => (kit = await makeKit(engine)));
  afterEach(async () => kit.end());

  describe("by its defaults", () => {
    it("has no privileges, no mounts, an init, and limits on memory, processors and processes", async () => {
      const hand = await kit.provision();
      const { HostConfig, Config, Mounts } = await engine.docker.getContainer(hand.containerId).inspect();
      assert.equal(HostConfig.Privileged, false);
      assert.deepEqual(HostConfig.CapDrop, ["ALL"]);
      assert.deepEqual(HostConfig.CapAdd ?? [], []);
      assert.deepEqual(HostConfig.SecurityOpt, ["no-new-privileges"]);
      assert.equal(HostConfig.Init, true);
      assert.equal(HostConfig.Memory, 2 * 1024 ** 3);
      assert.ok((HostConfig.NanoCpus ?? 0) > 0 && (HostConfig.NanoCpus ?? 0) <= 2e9);
      assert.equal(HostConfig.PidsLimit, 512);
      assert.deepEqual(Mounts, []);
      assert.deepEqual(HostConfig.Dns, ["127.0.0.1"]);
      assert.equal(Config.Labels["many-hands.hand"], "box");
      assert.match(Config.Labels["many-hands.session"] ?? "", /^sesn_kit_/);
      assert.equal(Config.Labels["many-hands.version"], "1");
      assert.match(await says(hand, "grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status"), /CapEff:\s0+\n/);
    });

    it("reaches the engine's computer by its gateway, and nothing outside", async () => {
      const hand = await kit.provision();
      assert.match(hand.gateway ?? "", /^\d+\.\d+\.\d+\.\d+$/);
      assert.equal(await reach(hand, hand.gateway), "engine");
      assert.equal(await reach(hand, OUTSIDE), "nothing");
    });

    it("takes memory, processors and processes from its spec", async () => {
      const hand = await kit.provision({ memory: "300m", cpus: 0.5, pids: 100, env: { FRUIT: "a pear" } });
      const { HostConfig } = await engine.docker.getContainer(hand.containerId).inspect();
      assert.deepEqual(
        [HostConfig.Memory, HostConfig.NanoCpus, HostConfig.PidsLimit],
        [300 * 1024 ** 2, 500_000_000, 100],
      );
      assert.equal(await says(hand, 'echo "$FRUIT"'), "a pear\n");
    });
  });

  const OUTSIDE = "203.0.113.2";

  async function reach(hand: Hand, address: string | null): Promise<string> {
    const dial = `exec 3<>/dev/tcp/${address}/7777 && cat <&3`;
    return (await says(hand, `timeout 3 bash -c '${dial}' 2>/dev/null || echo nothing`)).trim();
  }

  it("reaches nothing at all with network none, and what is outside with network full", async () => {
    const alone = await kit.provision({ network: "none" });
    assert.equal(alone.gateway, null);
    assert.equal(await reach(alone, OUTSIDE), "nothing");
    assert.equal((await says(alone, "cat /proc/net/dev | grep -c eth; true")).trim(), "0");
    const open = await kit.provision({ network: "full" }, { hand: "open" });
    assert.equal(await reach(open, OUTSIDE), "outside");
  });

  it("meets other hands of its session at most, not those of another one", async () => {
    const [one, other] = await Promise.all([
      kit.provision({}, { session: "sesn_one" }),
      kit.provision({}, { session: "sesn_other" }),
    ]);
    assert.notEqual(one.gateway, other.gateway);
    const second = await kit.provision({}, { session: "sesn_one", hand: "second" });
    assert.equal(second.gateway, one.gateway);
    await one.destroy();
    assert.equal(await reach(second, second.gateway), "engine");
  });

  describe("when it is lost", () => {
    it("rejects what was under way, says so, and another one is made from the spec", async () => {
      const provider = createDockerProvider({ clock: systemClock });
      const spec = { name: "box", kind: "docker", options: { image: BASH_IMAGE, socket: engine.socket } };
      const context = {
        sessionId: "sesn_killed",
        storagePath: join(kit.folder, "killed"),
        previousInstance: null,
        signal: new AbortController().signal,
        onProgress: () => {},
      };
      const hand = await provider.provision(spec, context);
      const lost = new Promise<string>((resolve) => hand.onDidLose(resolve));
      const seen = new Recorder();
      const execution = hand.execute(callOf("bash", { command: "echo begun; sleep 600" }), seen);
      await until(async () => seen.bytes > 0);
      await engine.docker.getContainer(hand.containerId).kill();
      await assert.rejects(execution, unavailable(/is not running any more \(exit status 137\)/));
      assert.match(await lost, /is not running any more/);
      const next = await provider.provision(spec, { ...context, previousInstance: hand.instance });
      assert.notEqual(next.instance, hand.instance);
      assert.equal(await says(next, "echo here"), "here\n");
      await assert.rejects(engine.docker.getContainer(hand.containerId).inspect());
      await next.destroy();
    });

    it("says that its container was removed", async () => {
      const hand = await kit.provision();
      const lost = new Promise<string>((resolve) => hand.onDidLose(resolve));
      await engine.docker.getContainer(hand.containerId).remove({ force: true });
      assert.match(await lost, /is no more: it was removed|is not running any more/);
      await assert.rejects(bash(hand, "echo here"), (thrown) => hasCode(thrown, "hand_unavailable"));
      const next = await kit.provision();
      assert.notEqual(next.instance, hand.instance);
    });
  });

  describe("when it is come back to", () => {
    it("is the same container, with what was done there", async () => {
      const hand = await kit.provision();
      await bash(hand, "echo kept >/tmp/file");
      await hand.close();
      const again = await kit.provision({}, { previousInstance: hand.instance });
      assert.deepEqual([again.instance, again.containerId], [hand.instance, hand.containerId]);
      assert.equal(await says(again, "cat /tmp/file"), "kept\n");
    });

    it("is started again when it was stopped, and says of a call that ran that its end is not known", async () => {
      const hand = await kit.provision();
      const call = callOf("bash", { command: "echo kept >/tmp/file; echo begun; sleep 600" });
      const seen = new Recorder();
      const execution = hand.execute(call, seen).catch(() => {});
      await until(async () => seen.bytes > 0);
      await hand.close();
      await execution;
      const container = engine.docker.getContainer(hand.containerId);
      await container.stop({ t: 1 });
      const again = await kit.provision({}, { previousInstance: hand.instance });
      assert.deepEqual([again.instance, again.containerId], [hand.instance, hand.containerId]);
      assert.equal(await says(again, "cat /tmp/file"), "kept\n");
      const attached = await again.attach(call, new Recorder());
      assert.ok(attached.kind === "result");
      assert.equal(attached.result.outcome.kind, "unknown");
      assert.match(attached.result.text, /begun/);
    });

    it("is started again even if its network was pruned meanwhile", async () => {
      const hand = await kit.provision();
      await hand.close();
      await engine.docker.getContainer(hand.containerId).stop({ t: 1 });
      await engine.docker.pruneNetworks();
      const again = await kit.provision({}, { previousInstance: hand.instance });
      assert.equal(again.instance, hand.instance);
      assert.equal(await reach(again, again.gateway), "engine");
    });

    it("is another container where the spec is another one", async () => {
      const hand = await kit.provision();
      await hand.close();
      const again = await kit.provision({ env: { FRUIT: "pear" } });
      assert.notEqual(again.containerId, hand.containerId);
      await assert.rejects(engine.docker.getContainer(hand.containerId).inspect());
    });

    it("has no shells left of those that came before", async () => {
      const hand = await kit.provision();
      const name = "[ \"$(tr -d '\\0' <$f 2>/dev/null)\" = /bin/sh ]";
      const count = `n=0; for f in /proc/[0-9]*/cmdline; do if ${name}; then n=$((n + 1)); fi; done; echo $n`;
      const alone = await says(hand, count);
      await hand.close();
      const again = await kit.provision();
      await until(async () => (await says(again, count)) === alone);
    });
  });

  it("leaves nothing behind when it is destroyed", async () => {
    const hand = await kit.provision();
    await hand.destroy();
    await assert.rejects(engine.docker.getContainer(hand.containerId).inspect());
    const networks = await engine.docker.listNetworks({ filters: { label: ["many-hands.session"] } });
    assert.deepEqual(networks, []);
  });

  it("leaves nothing behind when it cannot be made", async () => {
    const file = join(kit.folder, "file");
    await writeFile(file, "");
    const mount = [{ source: join(kit.folder, "nowhere"), target: "/work", mode: "copy" }];
    await assert.rejects(kit.provision({ mount }), unavailable(/there is no .*nowhere on this computer/));
    assert.deepEqual(await engine.docker.listContainers({ all: true }), []);
  });

  describe("and its orphans", () => {
    it("are listed where their session is none of those that live, and removed on demand", async () => {
      const [kept, left] = await Promise.all([
        kit.provision({}, { session: "sesn_kept" }),
        kit.provision({}, { session: "sesn_left" }),
      ]);
      await left.close();
      const signal = new AbortController().signal;
      const search = { engine: { socket: engine.socket }, environment: {}, signal };
      const sessionIds = new Set(["sesn_kept"]);
      const found = await listOrphans({ ...search, sessionIds, storageRoot: kit.folder });
      assert.deepEqual(
        found.map(({ kind, sessionId }) => [kind, sessionId]),
        [
          ["container", "sesn_left"],
          ["network", "sesn_left"],
        ],
      );
      assert.deepEqual([found[0]?.id, found[0]?.hand], [left.containerId, "box"]);
      // Another workspace's are none of this one's business.
      assert.deepEqual(await listOrphans({ ...search, sessionIds: new Set(), storageRoot: "/somewhere/else" }), []);
      await removeOrphans(found, search);
      assert.deepEqual(await listOrphans({ ...search, sessionIds }), []);
      assert.equal(await says(kept, "echo here"), "here\n");
    });
  });

  describe("with mounts", () => {
    const tree = async (): Promise<string> => {
      const source = join(kit.folder, "source é");
      await mkdir(join(source, "deep"), { recursive: true });
      await writeFile(join(source, "file"), "from here\n");
      await writeFile(join(source, "deep", "run"), "#!/bin/sh\necho ran\n", { mode: 0o755 });
      await symlink("deep/run", join(source, "link"));
      return source;
    };

    it("reads what is mounted read-only, and cannot change it", async () => {
      const source = await tree();
      const hand = await kit.provision({ mount: [{ source, target: "/work", mode: "read-only" }], cwd: "/work" });
      assert.equal(await says(hand, "cat file; ./link"), "from here\nran\n");
      assert.match(await says(hand, "echo x >file; echo x >new; rm -f file"), /[Rr]ead-only/);
      assert.equal(await readFile(join(source, "file"), "utf8"), "from here\n");
    });

    it("changes what is mounted read-write", async () => {
      const source = await tree();
      const hand = await kit.provision({ mount: [{ source, target: "/work", mode: "read-write" }], cwd: "/work" });
      await bash(hand, "echo from there >new; rm file");
      assert.equal(await readFile(join(source, "new"), "utf8"), "from there\n");
      assert.deepEqual((await readdir(source)).toSorted(), ["deep", "link", "new"]);
    });

    it("works on a copy, which is its user's, and leaves the source as it is", async () => {
      const source = await tree();
      const mount = [
        { source, target: "/home/agent/it's work", mode: "copy" },
        { source: join(source, "file"), target: "/home/agent/one", mode: "copy" },
      ];
      const hand = await kit.provision({ mount, cwd: "/home/agent/it's work", user: "agent" });
      assert.equal(await says(hand, "cat file ../one; ./link; id -un"), "from here\nfrom here\nran\nagent\n");
      assert.equal(
        await says(hand, "echo changed >file; cat file; stat -c %U file deep/run"),
        "changed\nagent\nagent\n",
      );
      assert.equal(await readFile(join(source, "file"), "utf8"), "from here\n");
      await hand.close();
      const again = await kit.provision({ mount, cwd: "/home/agent/it's work", user: "agent" });
      assert.equal(await says(again, "cat file"), "changed\n");
    });
  });

  it("makes its start directory, for its user", async () => {
    const hand = await kit.provision({ cwd: "/srv/new/place", user: "1000:1000" });
    assert.equal(await says(hand, "pwd; echo x >file && stat -c %u:%g file"), "/srv/new/place\n1000:1000\n");
  });

  describe("with large files", () => {
    const content = Buffer.alloc(3 * 1024 * 1024 + 17, "many hands ");
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < content.length; at += 100_000) yield content.subarray(at, at + 100_000);
    }
    async function readAll(hand: Hand, path: string): Promise<Buffer> {
      const taken: Buffer[] = [];
      await hand.files?.read(path, async (chunk) => void taken.push(Buffer.from(chunk)));
      return Buffer.concat(taken);
    }

    it("gives them to its user, and refuses them where that one may not write or read", async () => {
      const hand = await kit.provision({ user: "1000:1000", cwd: "/srv/mine" });
      await hand.files?.write("/srv/mine/big", pieces());
      assert.equal(
        await says(hand, "stat -c '%u:%g %a %s' big; ls -a"),
        `1000:1000 644 ${content.length}\n.\n..\nbig\n`,
      );
      assert.ok((await readAll(hand, "/srv/mine/big")).equals(content));
      const denied = (thrown: unknown): boolean => hasCode(thrown, "file_denied");
      await assert.rejects(async () => hand.files?.write("/etc/big", pieces()), denied);
      await bash(hand, "chmod 000 big");
      await assert.rejects(readAll(hand, "/srv/mine/big"), denied);
      await bash(hand, "chmod 750 big; ln -s big link");
      await hand.files?.write("/srv/mine/link", pieces());
      assert.equal(await says(hand, "stat -c '%a %F' big link; rm link"), "750 regular file\n777 symbolic link\n");
      assert.ok((await readAll(hand, "/srv/mine/big")).equals(content));
      assert.deepEqual(
        await readdir(join(kit.folder)),
        (await readdir(kit.folder)).filter((name) => name !== "upload"),
      );
    });

    it("leaves what was there where the content breaks off", async () => {
      const hand = await kit.provision({ cwd: "/srv/mine" });
      await bash(hand, "echo old >big");
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield content.subarray(0, 2_000_000);
        throw new Error("the source broke");
      }
      await assert.rejects(async () => hand.files?.write("/srv/mine/big", broken()), /the source broke/);
      assert.equal(await says(hand, "cat big; ls -a"), "old\n.\n..\nbig\n");
    });

    it("finds them where the engine's archives do not reach", async () => {
      const hand = await kit.provision();
      await hand.files?.write("/dev/shm/big", pieces());
      assert.equal((await says(hand, "wc -c </dev/shm/big; ls -a /dev/shm")).trim(), `${content.length}\n.\n..\nbig`);
      assert.ok((await readAll(hand, "/dev/shm/big")).equals(content));
    });
  });

  it("gives a person a shell with a terminal, in the start directory", async () => {
    const hand = await kit.provision({ cwd: "/srv/here" });
    const terminal = await hand.openTerminal?.({ columns: 91, rows: 17 });
    assert.ok(terminal);
    let text = "";
    terminal.onDidWrite((more) => (text += more));
    const ended = new Promise<number | null>((resolve) => terminal.onDidEnd(resolve));
    terminal.write("pwd; stty size\r");
    await until(async () => /\/srv\/here\r\n17 91/.test(text));
    terminal.resize(120, 40);
    await until(async () => {
      terminal.write("stty size\r");
      await new Promise((resolve) => setTimeout(resolve, 200));
      return text.includes("40 120");
    });
    terminal.write("exit 5\r");
    assert.equal(await ended, 5);
  });

  it("ends a person's shell, and what runs in it, when the terminal is closed", async () => {
    const hand = await kit.provision();
    const terminal = await hand.openTerminal?.({ columns: 80, rows: 24 });
    terminal?.write("echo $$ >/tmp/shell; sleep 4321\r");
    await until(async () => (await says(hand, "cat /tmp/shell 2>/dev/null")) !== "");
    terminal?.close();
    await until(async () => (await says(hand, "kill -0 $(cat /tmp/shell) 2>/dev/null && echo there")) === "");
    await until(
      async () => !(await says(hand, "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")).includes("4321 "),
    );
  });
});
