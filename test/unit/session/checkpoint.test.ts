/** What is derived from a log: used when it fits, made anew when it does not, never believed without a check. */
import assert from "node:assert/strict";
import { copyFile, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { limits } from "../../../src/core/limits.ts";
import type { SessionId } from "../../../src/core/ids.ts";
import type { SessionLog, SessionStore } from "../../../src/core/sessionLog.ts";
import type { AnyEvent, SessionState } from "../../../src/core/sessionState.ts";
import { makeSampleLog, placeLog } from "./sampleLog.ts";
import { forgetDerived, ids, logPath, openStore, scratchFolder } from "./support.ts";

const EVENTS = limits.checkpointEvents * 3 + 7;

describe("the checkpoint and the index of a log", function () {
  this.timeout(60_000);
  let root: string;
  let remove: () => Promise<void>;
  let store: SessionStore;
  let id: SessionId;
  let state: SessionState;

  const file = (name: string): string => path.join(root, id, name);

  beforeEach(async () => {
    ({ folder: root, remove } = await scratchFolder());
    ({ store } = openStore(root));
    id = ids.sessionId();
    const log = await store.create(id, {
      type: "session.created",
      schema_version: 1,
      title: "T",
      hands: [],
      model: null,
      permission: "ask",
    });
    for (let at = 0; at < EVENTS; at += 50) {
      await log.append(
        Array.from({ length: 50 }, (_, more) => ({ type: "session.updated" as const, title: `${at + more}` })),
      );
    }
    state = log.state();
    await log.close();
  });

  afterEach(async () => {
    await remove();
  });

  /** Opens the log, compares everything with what was appended, closes it. */
  async function check(expected = state): Promise<readonly AnyEvent[]> {
    const log: SessionLog = await store.open(id);
    assert.deepEqual(log.state(), expected);
    assert.deepEqual(log.damage(), []);
    const events: AnyEvent[] = [];
    for (let from = 1; from <= expected.seq; from += 700) {
      events.push(...(await log.getEvents({ from, to: from + 699 })));
    }
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_, at) => at + 1),
    );
    assert.equal(events.length, expected.seq);
    await log.acquire();
    assert.deepEqual(await log.append([{ type: "user.interrupt", id: events[3]?.id ?? ids.eventId() }]), [events[3]]);
    await log.close();
    return events;
  }

  it("are written while a log grows, so that a crash leaves a short tail", async () => {
    const log = await store.open(id);
    await log.acquire();
    const before = (await stat(file("events.idx"))).size;
    for (let at = 0; at < limits.checkpointEvents + 1; at += 1) await log.append([{ type: "user.interrupt" }]);
    for (let tries = 0; (await stat(file("events.idx"))).size === before && tries < 2_000; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal((await stat(file("events.idx"))).size - before, limits.checkpointEvents * 20);
    await log.close();
  });

  it("are made anew when they are gone", async () => {
    await forgetDerived(root, id);
    await check();
    assert.ok((await stat(file("events.idx"))).size > 0);
  });

  it("are made anew when any byte of them is wrong", async () => {
    for (const name of ["checkpoint.json", "events.idx"]) {
      const bytes = await readFile(file(name));
      for (const position of [0, 1, 13, Math.floor(bytes.length / 2), bytes.length - 12, bytes.length - 2]) {
        const wrong = Buffer.from(bytes);
        wrong[position] = (wrong[position] ?? 0) ^ 0x11;
        await writeFile(file(name), wrong);
        await check();
      }
    }
  });

  it("are made anew when they are cut short, empty, or something else", async () => {
    for (const name of ["checkpoint.json", "events.idx"]) {
      for (const content of ["", "{}", "null", "x".repeat(5_000), (await readFile(file(name))).subarray(0, 500)]) {
        await writeFile(file(name), content);
        await check();
      }
    }
  });

  it("are not used for another log than the one that they were made of", async () => {
    const sample = await makeSampleLog(path.join(root, "sample"));
    const other = await placeLog(root, sample.bytes);
    for (const name of ["checkpoint.json", "events.idx"]) await copyFile(file(name), path.join(root, other, name));
    const log = await store.open(other);
    assert.deepEqual(
      await log.getEvents({}),
      sample.lines.map(({ event }) => event),
    );
    await log.close();
  });

  it("are not used where the program folds in another way", async () => {
    const text = await readFile(file("checkpoint.json"), "utf8");
    const { crc32 } = await import("node:zlib");
    const json = (text.split("\n")[0] ?? "")
      .replace(/"fold":"\d+:/, '"fold":"0:')
      .replace(/"title":"\d+"/, '"title":"an older fold"');
    await writeFile(file("checkpoint.json"), `${json}\n${crc32(json).toString(16).padStart(8, "0")}\n`);
    await check();
  });

  it("are as good when they are behind the log", async () => {
    const derived = new Map<string, Buffer>();
    for (const name of ["checkpoint.json", "events.idx"]) derived.set(name, await readFile(file(name)));
    const log = await store.open(id);
    await log.acquire();
    await log.append([{ type: "session.updated", title: "later" }]);
    const later = log.state();
    await log.close();
    for (const [name, bytes] of derived) await writeFile(file(name), bytes);
    await check(later);
  });

  it("let an id be found wherever in the log it is, without reading the log", async () => {
    const events = await check();
    const bytes = await readFile(logPath(root, id));
    const log = await store.open(id);
    await log.acquire();
    for (const at of [0, 1, 700, EVENTS - 1]) {
      const eventId = events[at]?.id ?? ids.eventId();
      assert.deepEqual(await log.append([{ type: "user.interrupt", id: eventId }]), [events[at]]);
    }
    await log.close();
    assert.deepEqual(await readFile(logPath(root, id)), bytes);
  });
});
