/** Several windows on one session, each a process of its own: who writes, who follows, and what a kill leaves. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import path from "node:path";
import type { SessionId } from "../../../src/core/ids.ts";
import type { SessionLog } from "../../../src/core/sessionLog.ts";
import { SCHEMA_VERSION } from "../../../src/core/events.ts";
import { forgetDerived, ids, openStore, scratchFolder } from "./support.ts";

const WAIT_MS_MAX = 60_000;

class Window {
  readonly process: ChildProcess;
  readonly acknowledged: (readonly [seq: number, id: string])[] = [];
  readonly failures: string[] = [];
  readonly #replies: ((value: never) => void)[] = [];

  constructor(root: string, owner: string) {
    const script = path.join(import.meta.dirname, "writerProcess.ts");
    this.process = spawn(process.execPath, [script, root, owner], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: this.process.stdout! });
    lines.on("line", (line) => {
      const said = JSON.parse(line) as { acknowledged?: [number, string][]; failed?: string; reply?: never };
      if (said.acknowledged !== undefined) this.acknowledged.push(...said.acknowledged);
      else if (said.failed !== undefined) this.failures.push(said.failed);
      else this.#replies.shift()?.(said.reply as never);
    });
  }

  ask<T>(...command: readonly unknown[]): Promise<T> {
    this.process.stdin?.write(`${JSON.stringify(command)}\n`);
    return new Promise<T>((resolve) => this.#replies.push(resolve));
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.process.pid!, signal);
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, "close");
    this.process.kill("SIGKILL");
    await ended;
  }
}

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + WAIT_MS_MAX;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

interface Seen {
  readonly heard: readonly number[];
  readonly seq: number;
  readonly leasesLost: number;
  readonly holds: boolean;
}

describe("windows that are processes of their own", function () {
  this.timeout(180_000);
  let root: string;
  let remove: () => Promise<void>;
  let id: SessionId;
  let log: SessionLog;
  const windows: Window[] = [];

  const openWindow = async (owner: string): Promise<Window> => {
    const window = new Window(root, owner);
    windows.push(window);
    await window.ask("open", id);
    return window;
  };

  beforeEach(async () => {
    ({ folder: root, remove } = await scratchFolder());
    id = ids.sessionId();
    const { store } = openStore(root, { owner: "this window" });
    log = await store.create(id, {
      type: "session.created",
      schema_version: SCHEMA_VERSION,
      title: "T",
      hands: [],
      model: null,
      permission: "ask",
    });
  });

  afterEach(async () => {
    for (const window of windows.splice(0)) await window.kill();
    await log.close();
    await remove();
  });

  /** All events, checked: seqs without gaps, no damage, nothing twice; after a look at every byte. */
  async function wholeLog(): Promise<ReadonlyMap<number, string>> {
    await log.close();
    await forgetDerived(root, id);
    log = await openStore(root).store.open(id);
    // A window that is stopped between its last look at the lease and its write may leave lines that nobody counts.
    for (const { reason } of log.damage()) assert.match(reason, /^a second event .* had lost the lease/);
    const events = new Map<number, string>();
    for (;;) {
      const slice = await log.getEvents({ from: events.size + 1 });
      if (slice.length === 0) return events;
      for (const event of slice) {
        assert.equal(event.seq, events.size + 1);
        events.set(event.seq, event.id);
      }
    }
  }

  it("hold the lease one at a time", async () => {
    const other = await openWindow("the other window");
    assert.deepEqual(await other.ask("acquire"), { kind: "busy", holder: { epoch: 1, owner: "this window" } });
    assert.equal(await other.ask("append", "x"), "lease_lost");
    await log.release();
    assert.deepEqual(await other.ask("acquire"), { kind: "held" });
    assert.deepEqual(await log.acquire(), { kind: "busy", holder: { epoch: 2, owner: "the other window" } });
    assert.deepEqual(await log.holder(), { epoch: 2, owner: "the other window" });
  });

  it("give the lease to exactly one of those who ask at once", async () => {
    await log.release();
    const asking = await Promise.all(["a", "b", "c", "d"].map((owner) => openWindow(owner)));
    for (let round = 0; round < 5; round += 1) {
      const answers = await Promise.all(asking.map((window) => window.ask<{ kind: string }>("acquire")));
      assert.equal(answers.filter(({ kind }) => kind === "held").length, 1);
      await Promise.all(asking.map((window) => window.ask("release")));
    }
  });

  it("follow the one that writes, each event once and in order", async () => {
    const viewer = await openWindow("a viewer");
    for (let at = 0; at < 30; at += 1) await log.append([{ type: "user.interrupt" }, { type: "user.interrupt" }]);
    await until(async () => (await viewer.ask<Seen>("seen")).seq === 61, "the viewer has seen all");
    const { heard } = await viewer.ask<Seen>("seen");
    assert.deepEqual(
      heard,
      Array.from({ length: 60 }, (_, at) => at + 2),
    );
  });

  it("can take a session over from one that is writing, and no event is lost, doubled or written by both", async () => {
    const other = await openWindow("the other window");
    for (let round = 0; round < 4; round += 1) {
      const [from, to] = round % 2 === 0 ? [null, other] : [other, null];
      const acknowledged: number[] = [];
      const writing = (async () => {
        for (let at = 0; ; at += 1) {
          const seqs =
            from === null
              ? (await log.append([{ type: "user.interrupt" }])).map(({ seq }) => seq)
              : await from.ask<number[] | string>("append", String(at));
          if (typeof seqs === "string") throw new Error(seqs);
          acknowledged.push(...seqs);
        }
      })().catch((thrown: unknown) => thrown);
      await until(() => acknowledged.length > 5, "some events are written");
      if (to === null) await log.takeOver();
      else await to.ask("takeOver");
      assert.match(String(await writing), /lease/);
    }
    const seen = await other.ask<Seen>("seen");
    assert.equal(seen.holds, false);
    assert.equal(seen.leasesLost, 2);
    await other.ask("close");
    await wholeLog();
  });

  it("do not let one that was stopped and goes on later write over the one that took over", async () => {
    const other = await openWindow("a window that sleeps");
    await log.release();
    await other.ask("acquire");
    other.process.stdin?.write(`${JSON.stringify(["storm", 4])}\n`);
    await until(() => other.acknowledged.length > 50, "the other window writes");
    other.signal("SIGSTOP");
    await log.takeOver();
    for (let at = 0; at < 20; at += 1) await log.append([{ type: "user.interrupt" }]);
    other.signal("SIGCONT");
    await until(() => other.failures.length > 0, "the other window is refused");
    for (let at = 0; at < 20; at += 1) await log.append([{ type: "user.interrupt" }]);
    for (const failure of other.failures) assert.match(failure, /lease/);
    const events = await wholeLog();
    for (const [seq, eventId] of other.acknowledged) assert.equal(events.get(seq), eventId);
  });

  it("leave all that was acknowledged when they are killed in a storm of appends, and the lease is free at once", async () => {
    await log.release();
    let acknowledged = 0;
    for (let round = 0; round < 6; round += 1) {
      const writer = await openWindow(`writer ${round}`);
      assert.deepEqual(
        await writer.ask("acquire"),
        { kind: "held" },
        "the lease of a dead process does not keep anybody waiting",
      );
      writer.process.stdin?.write(`${JSON.stringify(["storm", 16])}\n`);
      await until(() => writer.acknowledged.length > 200 + round * 150, "the storm is on");
      await writer.kill();
      assert.deepEqual(writer.failures, []);
      const events = await wholeLog();
      for (const [seq, eventId] of writer.acknowledged) assert.equal(events.get(seq), eventId);
      acknowledged += writer.acknowledged.length;
    }
    assert.deepEqual(await log.acquire(), { kind: "held" });
    await log.append([{ type: "user.interrupt" }]);
    console.log(`      6 writers killed, ${acknowledged} events acknowledged, 0 lost`);
  });
});
