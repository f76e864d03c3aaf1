/**
 * Durable appends, one after the other and 100 at once, against bare write and fdatasync of the same bytes. Both take
 * turns in short rounds, so that what else the disk does meets both.
 */
import { closeSync, fdatasyncSync, openSync, statSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import type { NewEvent } from "../../src/core/events.ts";
import { answer, benchFolder, created, ids, median, openStore } from "./benchLog.ts";
import type { Figure } from "./benchLog.ts";

const ROUNDS = 15;
const APPENDS = 400;
const AT_ONCE = 100;
const TIMES_AT_ONCE = 25;
const TEXT_CHARS = 1_200;

async function microseconds(count: number, action: () => Promise<void> | void): Promise<number> {
  const start = performance.now();
  for (let at = 0; at < count; at += 1) await action();
  return ((performance.now() - start) * 1000) / count;
}

/** The events are made before: that is their author's time, not the log's. */
function prepared(count: number): () => NewEvent {
  const start = ids.eventId();
  const events = Array.from({ length: count }, () => answer(start, TEXT_CHARS));
  return () => events.pop() as NewEvent;
}

export async function bench(): Promise<readonly Figure[]> {
  const { folder, remove } = benchFolder();
  const log = await openStore(path.join(folder, "sessions")).create(ids.sessionId(), created);
  const bare = await open(path.join(folder, "bare"), "a");
  const bareFd = openSync(path.join(folder, "bareSync"), "a");
  try {
    const file = path.join(folder, "sessions", log.id, "events.jsonl");
    const before = statSync(file).size;
    const first = prepared(200);
    for (let at = 0; at < 200; at += 1) await log.append([first()]);
    const line = Buffer.alloc(Math.round((statSync(file).size - before) / 200), "b");
    const times = { bare: [] as number[], bareSync: [] as number[], single: [] as number[], together: [] as number[] };
    for (let round = 0; round < ROUNDS; round += 1) {
      times.bare.push(
        await microseconds(APPENDS, async () => {
          await bare.write(line);
          await bare.datasync();
        }),
      );
      const next = prepared(APPENDS);
      times.single.push(await microseconds(APPENDS, async () => void (await log.append([next()]))));
      times.bareSync.push(
        await microseconds(APPENDS, () => {
          writeSync(bareFd, line);
          fdatasyncSync(bareFd);
        }),
      );
      const many = prepared(AT_ONCE * TIMES_AT_ONCE);
      times.together.push(
        (await microseconds(TIMES_AT_ONCE, async () => {
          await Promise.all(Array.from({ length: AT_ONCE }, () => log.append([many()])));
        })) / AT_ONCE,
      );
    }
    const [raw, rawSync, single, together] = [times.bare, times.bareSync, times.single, times.together].map(median) as [
      number,
      number,
      number,
      number,
    ];
    const sizes = `${line.length} bytes`;
    return [
      {
        name: "durable append, one after the other",
        value: raw / single,
        unit: "× bare",
        target: "≥ 0.8",
        ok: raw / single >= 0.8,
        detail: `${single.toFixed(0)} µs; await write + await datasync of the same ${sizes} ${raw.toFixed(0)} µs; blocking calls ${rawSync.toFixed(0)} µs (${(rawSync / single).toFixed(2)} ×)`,
      },
      {
        name: "durable append, 100 at once",
        value: single / together,
        unit: "× single",
        target: "≥ 10",
        ok: single / together >= 10,
        detail: `${together.toFixed(1)} µs an append, each with its own promise`,
      },
    ];
  } finally {
    await log.close();
    await bare.close();
    closeSync(bareFd);
    remove();
  }
}
