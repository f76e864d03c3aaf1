/** A real disk that is full, and a real folder that may not be written to: the append says so, nothing is lost, and it goes on. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile, rm, stat, statfs, writeFile } from "node:fs/promises";
import path from "node:path";
import type { NewEvent } from "../../../src/core/events.ts";
import { SCHEMA_VERSION } from "../../../src/core/events.ts";
import { limits } from "../../../src/core/limits.ts";
import type { SessionLog, SessionStore } from "../../../src/core/sessionLog.ts";
import { hasCode } from "../../../src/core/errors.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { filesOf, forgetDerived, ids, logPath, openStore, scratchFolder } from "./support.ts";

const DISK_KIB = 512;

function canMount(): boolean {
  return process.platform === "linux" && process.getuid?.() === 0;
}

function message(text: string): NewEvent<"user.message"> {
  return { type: "user.message", id: ids.eventId(), content: [{ type: "text", text }] };
}

describe("a session on a small disk of its own", function () {
  this.timeout(120_000);
  let folder: string;
  let remove: () => Promise<void>;
  let root: string;
  let store: SessionStore;
  let reports: string[];
  let log: SessionLog;

  before(function () {
    skipUnless(this, canMount(), "needs Linux and root to mount a small disk: sudo npm test");
  });

  beforeEach(async () => {
    ({ folder, remove } = await scratchFolder());
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_KIB}k`, "many-hands-test", folder]);
    root = path.join(folder, "sessions");
    ({ store, reports } = openStore(root));
    log = await store.create(ids.sessionId(), {
      type: "session.created",
      schema_version: SCHEMA_VERSION,
      title: "T",
      hands: [],
      model: null,
      permission: "ask",
    });
  });

  afterEach(async () => {
    await log.close();
    execFileSync("umount", [folder]);
    await remove();
  });

  const remount = (mode: "ro" | "rw"): void => {
    execFileSync("mount", ["-o", `remount,${mode},size=${DISK_KIB}k`, folder]);
  };

  /** Takes all room but `spare` bytes (in pages). */
  async function fill(spare: number): Promise<() => Promise<void>> {
    const file = path.join(folder, "filler");
    const { bavail, bsize } = await statfs(folder);
    await writeFile(file, Buffer.alloc(Math.max(0, bavail * bsize - spare)));
    return () => rm(file);
  }

  async function checkWhole(expected: readonly string[]): Promise<void> {
    await log.close();
    await forgetDerived(root, log.id);
    log = await store.open(log.id);
    const events = await log.getEvents({ from: 2 });
    assert.deepEqual(log.damage(), []);
    assert.deepEqual(
      events.map(({ id }) => id),
      expected,
    );
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_, at) => at + 2),
    );
  }

  it("says that the disk is full, keeps the log as it was, and stores the same append when there is room", async () => {
    const stored: string[] = [];
    const free = await fill(16 * 1024);
    let refused: NewEvent[] = [];
    for (let at = 0; refused.length === 0; at += 1) {
      const events = [message("m".repeat(900)), message("m".repeat(900)), message("m".repeat(900))];
      const before = await readFile(logPath(root, log.id));
      try {
        stored.push(...(await log.append(events)).map(({ id }) => id));
      } catch (thrown) {
        assert.ok(hasCode(thrown, "storage_full"), String(thrown));
        assert.match(thrown.message, /The disk is full: make room on the disk of .*Nothing is lost/);
        assert.ok(thrown.cause !== undefined);
        assert.deepEqual(await readFile(logPath(root, log.id)), before, "what was written of it is taken back");
        refused = events;
      }
    }
    assert.ok(stored.length >= 3);
    assert.equal(log.state().seq, 1 + stored.length);
    await assert.rejects(log.append(refused), (thrown) => hasCode(thrown, "storage_full"));
    await free();
    const seqs = (await log.append(refused)).map(({ seq }) => seq);
    assert.equal(seqs[0], stored.length + 2);
    await checkWhole([...stored, ...refused.map(({ id }) => String(id))]);
  });

  it("refuses all appends of one moment that do not fit together, and stores each of them later", async () => {
    const free = await fill(8 * 1024);
    const events = Array.from({ length: 40 }, () => message("n".repeat(2_000)));
    const results = await Promise.allSettled(events.map((event) => log.append([event])));
    assert.ok(results.every(({ status }) => status === "rejected"));
    await free();
    await Promise.all(events.map((event) => log.append([event])));
    await checkWhole(events.map(({ id }) => String(id)));
  });

  it("keeps neither half of an event whose payload finds no room", async () => {
    const free = await fill(32 * 1024);
    const long = message("l".repeat(2 * limits.logLineBytesMax));
    const after = message("short");
    const [one, two] = await Promise.allSettled([log.append([long]), log.append([after])]);
    assert.ok(one?.status === "rejected" && hasCode(one.reason, "storage_full"));
    assert.equal(two?.status, "fulfilled");
    await assert.rejects(log.putBlob(Buffer.alloc(200 * 1024, 1)), (thrown) => hasCode(thrown, "storage_full"));
    assert.deepEqual(
      await filesOf(root, path.join(log.id, "blobs") as typeof log.id, "new"),
      [],
      "no room is held for nothing",
    );
    await free();
    await log.append([long]);
    const [whole] = await log.getEvents({ from: 3, resolve: true });
    assert.deepEqual((whole as { content?: unknown }).content, long.content);
    await checkWhole([String(after.id), String(long.id)]);
  });

  it("gives the lease back, follows and opens on a full disk; a checkpoint that finds no room costs nothing", async () => {
    const { store: second } = openStore(root, { owner: "the other window" });
    const other = await second.open(log.id);
    await log.append([message("a")]);
    const free = await fill(0);
    await log.release();
    const { size } = await stat(logPath(root, log.id));
    assert.equal(await other.holder(), null);
    await assert.rejects(other.acquire(), (thrown) => hasCode(thrown, "storage_full"));
    assert.equal(other.state().seq, 2);
    assert.equal((await readFile(logPath(root, log.id))).length, size);
    await free();
    assert.deepEqual(await other.acquire(), { kind: "held" });
    await other.append([message("b")]);
    await other.close();
    assert.ok(
      reports.every((report) => report.includes("checkpoint")),
      reports.join(),
    );
  });

  it("says that it may not write, and goes on when it may", async () => {
    await log.append([message("a")]);
    await log.release();
    remount("ro");
    await assert.rejects(log.acquire(), (thrown) => {
      assert.ok(hasCode(thrown, "storage_denied"), String(thrown));
      assert.match(thrown.message, /No permission to write in .*EROFS.*allow it/);
      return true;
    });
    await assert.rejects(
      store.create(ids.sessionId(), {
        type: "session.created",
        schema_version: SCHEMA_VERSION,
        title: "",
        hands: [],
        model: null,
        permission: "ask",
      }),
      (thrown) => hasCode(thrown, "storage_denied"),
    );
    await log.close();
    await forgetDerived(root, log.id).catch(() => {});
    log = await store.open(log.id);
    assert.equal((await log.getEvents({})).length, 2, "reading needs no permission to write");
    assert.equal((await store.list()).length, 1);
    remount("rw");
    assert.deepEqual(await log.acquire(), { kind: "held" });
    await log.append([message("b")]);
    assert.equal(log.state().seq, 3);
  });
});
