/** Leaders that are started ahead: with whom they end, and what becomes of a call whose leader died. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, readlink, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Hand } from "../../../src/core/hand.ts";
import { createCommandProvider } from "../../../src/hands/command/commandProvider.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { bash, perform, until } from "./handSupport.ts";

interface Waiting {
  readonly leader: number;
  readonly waiter: number;
  readonly supervisor: number;
}

const SHELLS: Readonly<Record<string, readonly string[]>> = {
  dash: ["dash"],
  bash: ["bash", "--posix"],
  "busybox ash": ["busybox", "sh"],
};

for (const [name, argv] of Object.entries(SHELLS)) {
  describe(`a leader that waits for a call, with ${name}`, function () {
    this.timeout(60_000);
    let folder: string;
    let hand: Hand;

    before(function () {
      skipUnless(this, process.platform === "linux", "processes are looked at in Linux's /proc");
    });
    beforeEach(async () => {
      folder = await realpath(await mkdtemp(join(tmpdir(), "many-hands-leader-")));
      hand = await open(folder, argv);
    });
    afterEach(async () => {
      await hand.destroy().catch(() => {});
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    });

    it("is there before the first call, and again after each", async () => {
      const first = await waiting(folder);
      await bash(hand, "true");
      const second = await waiting(folder, first);
      assert.notEqual(second.leader, first.leader);
    });

    it("is another one while a call runs", async () => {
      const first = await waiting(folder);
      const call = bash(hand, "until [ -e go ]; do sleep 0.05; done; echo over");
      await waiting(folder, first);
      await bash(hand, ": >go");
      assert.match((await call).result.text, /over/);
    });

    it("ends when its hand is let go of", async () => {
      const { leader, waiter } = await waiting(folder);
      await hand.close();
      await until(async () => !(await lives(leader)) && !(await lives(waiter)));
    });

    it("ends when its supervisor is killed; the next one has its own", async () => {
      const first = await waiting(folder);
      process.kill(first.supervisor, "SIGKILL");
      await until(async () => !(await lives(first.leader)) && !(await lives(first.waiter)));
      const { result } = await bash(hand, "echo here");
      assert.equal(result.text, "here");
      await waiting(folder, first);
    });

    it("has its call run once by another, where it was killed before it was given one", async () => {
      const first = await waiting(folder);
      process.kill(first.leader, "SIGKILL");
      await until(async () => !(await lives(first.leader)));
      const { result } = await bash(hand, "echo run >>runs; echo out");
      assert.equal(result.text, "out");
      assert.equal(await readFile(join(folder, "runs"), "utf8"), "run\n");
      await waiting(folder, first);
    });

    it("has its call said not to have run, where nobody is left to start it; the next one runs", async () => {
      const first = await waiting(folder);
      // Before the leader: it would take the leader's place.
      process.kill(first.waiter, "SIGKILL");
      process.kill(first.leader, "SIGKILL");
      await until(async () => !(await lives(first.leader)) && !(await lives(first.waiter)));
      const lost = await bash(hand, "echo run >>runs");
      assert.deepEqual(lost.result.outcome, { kind: "not_run" });
      assert.match(lost.result.text, /did not run/);
      const { result } = await bash(hand, "cat runs 2>/dev/null || echo nothing ran");
      assert.equal(result.text, "nothing ran");
    });

    it("leaves a call no stream but the usual three, and nothing to read", async () => {
      const look = "for n in 0 1 2 3 4 5 6 7 8 9; do readlink /proc/$$/fd/$n; done; cat";
      const { result } = await bash(hand, `sh -c '${look}'`);
      assert.match(result.text, /^\/dev\/null\n\S+\.o\n\S+\.o$/);
    });

    it("leaves nothing in the journal that would keep a search through it waiting", async () => {
      await waiting(folder);
      await until(async () => (await fifosOf(folder)).length === 0);
      const { result } = await bash(hand, `find ${journalOf(folder)} -exec cat {} + >/dev/null 2>&1; echo read`);
      assert.equal(result.text, "read");
    });

    it("takes away the FIFO of a supervisor that was killed before it had", async () => {
      const { supervisor } = await waiting(folder);
      execFileSync("mkfifo", [join(journalOf(folder), `w-${supervisor}-9`)]);
      process.kill(supervisor, "SIGKILL");
      await until(async () => (await fifosOf(folder)).length === 0);
    });
  });
}

describe("a hand with few programs", function () {
  this.timeout(60_000);
  const needed = "cat chmod cp dd grep head mkdir mv rm tail";
  const few = `sh bash stat od uname id ${needed}`;

  before(function () {
    skipUnless(this, process.platform !== "win32", "it needs a shell");
  });

  it("is refused where one is missing that it cannot do without, and told which", async () => {
    for (const missing of needed.split(" ")) {
      const folder = await realpath(await mkdtemp(join(tmpdir(), "many-hands-leader-")));
      const others = few.split(" ").filter((program) => program !== missing);
      await assert.rejects(withPrograms(folder, others), new RegExp(`there is no ${missing}: a hand needs sh and`));
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("is refused where nothing tells the size of a file", async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "many-hands-leader-")));
    await assert.rejects(
      withPrograms(
        folder,
        few.split(" ").filter((program) => program !== "stat"),
      ),
      /there is neither stat nor wc/,
    );
    await rm(folder, { recursive: true, force: true });
  });

  it("says of a tool what it lacks, and does not tell of files what is not so", async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "many-hands-leader-")));
    const hand = await withPrograms(folder, few.split(" "));
    try {
      await bash(hand, "echo a line >here");
      const file_path = join(folder, "here");
      for (const [tool, input, lacks] of [
        ["read", { file_path }, "ls"],
        ["edit", { file_path, old_string: "line", new_string: "word" }, "dirname"],
        ["write", { file_path: join(folder, "new"), content: "new" }, "dirname"],
        ["glob", { pattern: "*", path: folder }, "find"],
        ["grep", { pattern: "line", path: folder }, "cut"],
      ] as const) {
        const { result } = await perform(hand, tool, input);
        assert.equal(result.is_error, true, tool);
        assert.match(result.text, new RegExp(`on this hand, for there is no ${lacks} there`), tool);
      }
      assert.equal(await readFile(file_path, "utf8"), "a line\n");
    } finally {
      await hand.destroy();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  });

  for (const [what, programs] of Object.entries({ mkfifo: few, setsid: `${few} mkfifo` })) {
    it(`runs its calls where there is no ${what}`, async () => {
      const folder = await realpath(await mkdtemp(join(tmpdir(), "many-hands-leader-")));
      const hand = await withPrograms(folder, programs.split(" "));
      try {
        await bash(hand, "export FRUIT=apple");
        const { result } = await bash(hand, "echo $FRUIT");
        assert.equal(result.text, "apple");
      } finally {
        await hand.destroy();
        await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      }
    });
  }
});

async function withPrograms(folder: string, programs: readonly string[]): Promise<Hand> {
  await mkdir(join(folder, "bin"));
  for (const program of programs) await symlink(await programOf(program), join(folder, "bin", program));
  return open(folder, ["sh"], join(folder, "bin"));
}

async function open(folder: string, argv: readonly string[], path = process.env["PATH"]): Promise<Hand> {
  const environment = (): NodeJS.ProcessEnv => ({ ...process.env, HOME: folder, PATH: path });
  const provider = createCommandProvider({ clock: systemClock, environment });
  const context = {
    sessionId: "leader",
    storagePath: join(folder, "storage"),
    previousInstance: null,
    signal: new AbortController().signal,
    onProgress: () => {},
  };
  return provider.provision({ name: "box", kind: "command", options: { argv, cwd: folder } }, context);
}

function journalOf(folder: string): string {
  return join(folder, ".many-hands", "leader-box");
}

async function fifosOf(folder: string): Promise<readonly string[]> {
  return (await readdir(journalOf(folder))).filter((name) => name.startsWith("w-"));
}

/** The leader that waits now, another than the one before. It works in the journal, and has no call among its words. */
async function waiting(folder: string, before?: Waiting): Promise<Waiting> {
  const journal = journalOf(folder);
  return until(async () => {
    for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
      const words = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
      if (words.at(-2) !== "many-hands" || (await readlink(`/proc/${pid}/cwd`).catch(() => "")) !== journal) continue;
      if (words.includes("setsid") || Number(pid) === before?.leader) continue;
      const waiter = (await statOf(pid))[1] ?? "";
      return { leader: Number(pid), waiter: Number(waiter), supervisor: Number((await statOf(waiter))[1]) };
    }
    return null;
  });
}

/** State, parent and so on. */
async function statOf(pid: string): Promise<readonly string[]> {
  return (await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "")).replace(/^.*\) /s, "").split(" ");
}

async function lives(pid: number): Promise<boolean> {
  const [state = ""] = await statOf(String(pid));
  return state !== "" && state !== "Z" && state !== "X";
}

async function programOf(name: string): Promise<string> {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const found = await realpath(join(folder, name)).catch(() => null);
    if (found !== null) return found;
  }
  throw new Error(`there is no ${name}`);
}
