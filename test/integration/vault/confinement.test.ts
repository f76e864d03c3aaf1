/** What a confined local hand cannot reach, tried by what an attacker would do, and what it still can. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, readdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Hand } from "../../../src/core/hand.ts";
import type { EventId } from "../../../src/core/ids.ts";
import { bubblewrapConfinement } from "../../../src/hands/local/confinementBubblewrap.ts";
import { findBubblewrap } from "../../../src/hands/local/confinementMissing.ts";
import { journalOverShell } from "../../../src/hands/shell/journalFiles.ts";
import { Link } from "../../../src/hands/shell/link.ts";
import { filesOverShell } from "../../../src/hands/shell/shellFiles.ts";
import { ShellHand } from "../../../src/hands/shell/shellHand.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { bash, perform, Recorder, says, unavailable, until } from "../../contract/hand/handSupport.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { others, READERS } from "./confinementAttacks.ts";
import { found, makeHome, SECRETS } from "./confinedHome.ts";
import type { Home } from "./confinedHome.ts";

describe("a confined local hand", function () {
  this.timeout(180_000);
  let home: Home;
  let hand: Hand;

  before(async function () {
    const bubblewrap = process.platform === "linux" ? await findBubblewrap(process.env["PATH"] ?? "") : "Linux only";
    skipUnless(this, typeof bubblewrap !== "string", typeof bubblewrap === "string" ? bubblewrap : "");
    home = await makeHome();
    hand = await home.open("required");
  });
  after(async () => {
    await hand?.destroy();
    await home?.remove();
  });

  for (const name of SECRETS) {
    it(`cannot read ${name} in any way`, async () => {
      const path = join(home.folder, name);
      for (const reader of READERS) {
        const text = await says(hand, `export f='${path}'; ${reader}`);
        assert.deepEqual(found(home, text), [], reader);
      }
      const { result } = await perform(hand, "read", { file_path: path });
      assert.match(result.text, /There is no file|could not be read/);
      for (const [tool, input] of [
        ["edit", { file_path: path, old_string: "token", new_string: "t" }],
        ["write", { file_path: path, content: "mine" }],
        ["grep", { pattern: "token", path }],
      ] as const) {
        const { result: tried, seen } = await perform(hand, tool, input);
        assert.deepEqual(found(home, `${tried.text}${seen.raw().toString()}`), [], tool);
        assert.deepEqual(
          seen.changes.flatMap(({ before }) => found(home, Buffer.from(before ?? "").toString())),
          [],
        );
      }
      await assert.rejects(hand.files?.read(path, async () => {}) ?? Promise.resolve());
      assert.match(await readFile(path, "utf8"), /^token = canary/);
    });
  }

  it("reaches no other program, its environment or its sockets", async () => {
    for (const attack of others(home)) {
      const { seen } = await bash(hand, attack, { timeout_ms: 60_000 });
      assert.deepEqual(found(home, seen.raw().toString()), [], attack);
    }
    assert.equal(home.victim.exitCode ?? home.victim.signalCode, null);
  });

  it("says why, in words that the model can act on", async () => {
    assert.match(await says(hand, `cat ~/.ssh/id_ed25519`), /^cat: .*\/\.ssh\/id_ed25519: Permission denied\n$/);
    assert.match(await says(hand, `cat ~/.netrc`), /^cat: .*\/\.netrc: Permission denied\n$/);
    assert.match(await says(hand, `echo x >~/.bashrc`), /\.bashrc: Read-only file system/);
    assert.match(hand.description, /confined: only the start directory and \/tmp can be written/);
  });

  it("does not see secrets that are made, or replaced, while it runs", async () => {
    await mkdir(join(home.folder, ".oci"));
    const [value] = home.canaries.keys();
    await writeFile(join(home.folder, ".oci/config"), `${value}`);
    await writeFile(join(home.folder, ".netrc.new"), `${value}`);
    await rename(join(home.folder, ".netrc.new"), join(home.folder, ".netrc"));
    await rename(join(home.folder, ".aws"), join(home.folder, ".aws.old"));
    await mkdir(join(home.folder, ".aws"));
    await writeFile(join(home.folder, ".aws/credentials"), `${value}`);
    const text = await says(
      hand,
      "cat ~/.oci/config ~/.netrc ~/.aws/credentials ~/.aws.old/credentials; cat ~/.[!.]* ~/.*/*",
    );
    assert.deepEqual(found(home, text), []);
  });

  it("leads this program nowhere by links in its journal", async () => {
    const target = join(home.folder, ".ssh/id_ed25519");
    const plant = `cd ${join(home.storage, "journal")}; for each in *.o *.s; do ln -sf ${target} "$each"; done; sleep 0.3`;
    const { result, seen } = await bash(hand, plant);
    assert.deepEqual(found(home, `${result.text}${seen.raw().toString()}`), []);
    const again = await bash(hand, "echo still here");
    assert.match(again.result.text, /still here/);
  });

  it("has the environment that was listed for it, and nothing else", async () => {
    const text = await says(hand, "env -u _ | cut -d= -f1 | sort | tr '\\n' ' '");
    const own = new Set(["GIT_PAGER", "GIT_TERMINAL_PROMPT", "OLDPWD", "PAGER", "PWD", "SHLVL", "TERM", "f"]);
    const names = text.split(" ").filter((name) => name !== "" && name !== "\n" && !own.has(name));
    assert.deepEqual(names, ["HOME", "LC_TIME", "PATH", "TMPDIR", "WANTED"]);
  });

  it("writes in its start directory and a temporary folder of its own, and nowhere else", async () => {
    const text = await says(
      hand,
      `cd ${home.work}; echo a >here && echo b >/tmp/there && cat here /tmp/there; for each in ~ ~/.config ~/projects /etc /usr/bin /var/lib /opt; do
      touch "$each/planted" 2>/dev/null && echo "$each can be written"; done; cat ~/.gitconfig | head -1`,
    );
    assert.equal(text, "a\nb\n[user]\n");
    assert.equal(await readFile(join(home.work, "here"), "utf8"), "a\n");
    assert.equal(existsSync("/tmp/there"), false);
  });

  it("does not change what VS Code carries out by itself", async () => {
    for (const attack of [
      "mkdir -p .vscode; echo '{}' >.vscode/settings.json",
      "mv .vscode aside && mkdir .vscode && echo '{}' >.vscode/mcp.json",
      "rm -rf .vscode; ln -s /tmp .vscode",
      "mkdir -p .git/hooks; echo x >.git/hooks/pre-commit",
      "git config core.fsmonitor ./evil; echo x >>.git/config; cp here .git/config.new && mv .git/config.new .git/config",
      "mv .git .gone && mkdir .git && echo x >.git/config",
      "ln -f here .git/config; rm -f .git/config && echo x >.git/config",
    ]) {
      await says(hand, attack);
    }
    assert.deepEqual(await readdir(join(home.work, ".vscode")), []);
    assert.deepEqual(await readdir(join(home.work, ".git/hooks")), []);
    assert.equal(await readFile(join(home.work, ".git/config"), "utf8"), "[core]\n\tbare = false\n");
  });

  it("makes no namespace and holds no right", async () => {
    assert.match(await says(hand, "unshare -Ur id"), /unshare failed/);
    assert.match(await says(hand, "grep -E '^Cap(Prm|Eff|Bnd)' /proc/self/status | cut -f2 | sort -u"), /^0+\n$/);
    const socket = `perl -e 'use Socket; socket(my $s, 40, SOCK_STREAM, 0) or print "refused: $!"'`;
    assert.match(await says(hand, socket), /^refused/);
  });
});

describe("the same attacks on a hand that is not confined", function () {
  this.timeout(120_000);

  it("find what they look for, so they can see", async function () {
    skipUnless(this, process.platform === "linux", "Linux only");
    const home = await makeHome();
    const hand = await home.open("off");
    try {
      const seen = new Set<string>();
      for (const name of SECRETS) {
        const text = await says(hand, `export f='${join(home.folder, name)}'; cat "$f"`);
        for (const where of found(home, text)) seen.add(where);
      }
      const harmless = others(home).filter(
        (attack) => !/kill|gdb|mount|nsenter|\/fd\/|kcore|find \/|grep -r/.test(attack),
      );
      for (const attack of harmless) for (const where of found(home, await says(hand, attack))) seen.add(where);
      const listed = [...home.canaries.values()].filter((where) => where !== "a variable of this program");
      assert.deepEqual([...seen].toSorted(), listed.toSorted());
      assert.match(hand.description, /not confined: commands can do what the person can/);
    } finally {
      await hand.destroy();
      await home.remove();
    }
  });
});

describe("a confinement", function () {
  this.timeout(60_000);
  let home: Home;

  before(async function () {
    const bubblewrap = process.platform === "linux" ? await findBubblewrap(process.env["PATH"] ?? "") : "Linux only";
    skipUnless(this, typeof bubblewrap !== "string", typeof bubblewrap === "string" ? bubblewrap : "");
  });
  beforeEach(async () => {
    home = await makeHome();
  });
  afterEach(async () => {
    await home.remove();
  });

  /** Programs without bubblewrap. */
  async function pathWithout(name: string): Promise<string> {
    const folder = join(home.folder, "programs");
    await mkdir(folder);
    for (const each of await readdir("/usr/bin")) {
      if (each !== name) await symlink(join("/usr/bin", each), join(folder, each));
    }
    return folder;
  }

  it("that is required and cannot be had is no hand, and the words say what to do", async () => {
    const path = await pathWithout("bwrap");
    const words =
      /^The local hand was not started, because it cannot be confined here: bubblewrap \(bwrap\) is not installed\. .*apt-get install bubblewrap socat.*manyHands\.local\.confinement to "preferred" or "off"\.$/s;
    await assert.rejects(home.open("required", { path }), unavailable(words));
  });

  it("that is preferred and cannot be had is said to be missing, to the model and the person", async () => {
    const hand = await home.open("preferred", { path: await pathWithout("socat") });
    assert.match(hand.description, /not confined, though that is preferred.*socat is not installed/);
    assert.match(home.said.join("\n"), /not confined, though that is preferred/);
    assert.deepEqual(found(home, await says(hand, "cat ~/.netrc")), [".netrc"]);
    await hand.destroy();
  });

  it("that is off needs no bubblewrap", async () => {
    const hand = await home.open("off", { path: await pathWithout("bwrap") });
    assert.match(await says(hand, "echo here"), /here/);
    await hand.destroy();
  });

  it("that is preferred is had where it can be", async () => {
    const hand = await home.open("preferred");
    assert.match(await says(hand, "cat ~/.netrc"), /Permission denied/);
    await hand.destroy();
  });

  it("to a folder that is itself secret is refused", async () => {
    await assert.rejects(home.open("required", { unreadable: [home.work] }), unavailable(/Choose another folder/));
  });

  it("follows links to where a secret is kept", async () => {
    await mkdir(join(home.folder, "elsewhere"));
    await rename(join(home.folder, ".ssh"), join(home.folder, "elsewhere/keys"));
    await symlink("elsewhere/keys", join(home.folder, ".ssh"));
    const hand = await home.open("required");
    const text = await says(hand, "cat ~/.ssh/id_ed25519 ~/elsewhere/keys/id_ed25519; ls -la ~/elsewhere");
    assert.deepEqual(found(home, text), []);
    assert.match(text, /Permission denied/);
    await hand.destroy();
  });

  it("is had although a socket listens where only root's capabilities lead", async function () {
    skipUnless(this, process.getuid?.() === 0, "another user's folder needs root");
    const other = join(home.folder, "other");
    await mkdir(other);
    const server = createServer().listen(join(other, "socket"));
    await once(server, "listening");
    await chown(other, 65_534, 65_534);
    await chmod(other, 0o700);
    const hand = await home.open("required");
    assert.match(await says(hand, "echo here"), /here/);
    await hand.destroy();
    server.close();
  });

  it("keeps commands alive when their owner is killed, and a new owner finds them", async () => {
    const owner = spawn(
      process.execPath,
      [fileURLToPath(new URL("confinedOwner.ts", import.meta.url)), home.folder, home.storage, home.work],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const outcome = await Promise.race([once(owner.stdout, "data"), once(owner, "close")]);
    assert.ok(outcome[0] instanceof Buffer, "it has begun");
    owner.kill("SIGKILL");
    await once(owner, "close");
    const hand = await home.open("required");
    const call = { id: "sevt_survivor" as EventId, name: "bash", input: { command: "" } };
    const seen = new Recorder();
    const attached = await hand.attach(call, seen);
    assert.equal(attached.kind, "result");
    assert.deepEqual(attached.kind === "result" ? attached.result.outcome : null, { kind: "exited", code: 7 });
    assert.equal(seen.raw().toString(), "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
    await hand.destroy();
  });

  it("ends by itself when nobody holds it and nothing runs, and with all that runs when the hand is destroyed", async () => {
    const hand = await home.open("required");
    const first = await firstOf(home);
    await bash(hand, "setsid sleep 300 >/dev/null 2>&1 & echo $! >sleeper");
    await hand.close();
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.ok(existsSync(`/proc/${first}`), "what a command left running lives on");
    const again = await home.open("required");
    assert.equal(await firstOf(home), first);
    await bash(again, "kill $(cat sleeper)");
    await again.close();
    await until(async () => isGone(first));
    const last = await home.open("required");
    const second = await firstOf(home);
    await bash(last, "setsid sleep 300 >/dev/null 2>&1 &");
    await last.destroy();
    await until(async () => isGone(second));
    assert.deepEqual(await readdir(home.storage), []);
    assert.equal(existsSync(join(home.work, ".vscode")), false);
  });

  it("is opened anew when what ran in it ended it", async () => {
    const hand = await home.open("required");
    const { result } = await bash(hand, "[ -e /run/many-hands/serve ] && kill -KILL -1; sleep 5");
    assert.equal(result.outcome.kind, "unknown");
    assert.match(await says(hand, "echo again"), /again/);
    await hand.destroy();
  });

  it("has one way out, to the entrance, at the same address for a later owner", async () => {
    const confinement = bubblewrapConfinement(process.env["PATH"] ?? "");
    const open = async (answer: string): Promise<Hand> => {
      const farEnd = await confinement.farEnd({
        rules: { writable: [home.work], readOnly: [], unreadable: [], covered: [] },
        folder: join(home.storage, "confined"),
        journal: join(home.storage, "journal"),
        shell: "/bin/sh",
        environment: { PATH: process.env["PATH"] ?? "" },
        onProgress: () => {},
      });
      const way = await farEnd.openEntrance((connection) => void connection.end(`${answer}\n`), { port: 41_007 });
      assert.deepEqual([way.url, way.socket_path], ["http://127.0.0.1:41007", "/run/many-hands/entrance"]);
      const startDirectory = home.work;
      const settings = {
        journal: join(home.storage, "journal"),
        journalName: "",
        startDirectory,
        instance: "i",
        inlineBytes: 0,
      };
      const link = await Link.open({ clock: systemClock, farEnd, settings, signal: new AbortController().signal });
      link.onDidLose(() => way.close());
      const hand = new ShellHand({
        link,
        files: journalOverShell(link),
        browse: filesOverShell(link),
        farEnd: { ...farEnd, close: () => way.close() },
        clock: systemClock,
        description: "",
      });
      return hand;
    };
    const ask = `perl -MIO::Socket::UNIX -MIO::Socket::INET -e 'for my $s (IO::Socket::INET->new(PeerAddr => "127.0.0.1:41007"), IO::Socket::UNIX->new(Peer => "/run/many-hands/entrance")) { print <$s> }'`;
    const first = await open("first");
    assert.equal(await says(first, ask), "first\nfirst\n");
    await bash(first, "setsid sleep 60 >/dev/null 2>&1 &");
    const second = await open("second");
    await first.close();
    assert.equal(await says(second, ask), "second\nsecond\n");
    await second.destroy();
  });
});

async function firstOf(home: Home): Promise<number> {
  return (JSON.parse(await readFile(join(home.storage, "confined/first"), "utf8")) as { readonly pid: number }).pid;
}

/** One that has ended and that nobody has asked about is gone too. */
async function isGone(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return text === "" || /\) [ZX] /.test(text);
}
