/** The fold and the index of a log as they were at a known place: what lets a long log open without being read. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { isObject } from "../core/json.ts";
import type { Damage } from "../core/sessionLog.ts";
import { EMPTY_STATE } from "../core/sessionState.ts";
import type { SessionState } from "../core/sessionState.ts";
import { replaceFile } from "./durable.ts";
import { LogIndex } from "./logIndex.ts";

/** Raised whenever the fold or the index changes its form: older checkpoints are then left aside. */
const VERSION = 1;

export interface Checkpoint {
  readonly state: SessionState;
  readonly index: LogIndex;
  /** The log's bytes that are folded in. */
  readonly bytes: number;
  readonly damage: readonly Damage[];
}

/** The checkpoint beside a log, or null where there is none that is whole. Whether it fits the log is the caller's to check. */
export async function readCheckpoint(folder: string): Promise<Checkpoint | null> {
  try {
    const [text, stored] = await Promise.all([
      readFile(join(folder, "checkpoint.json"), "utf8"),
      readFile(join(folder, "events.idx")),
    ]);
    const value: unknown = JSON.parse(text);
    if (!isObject(value) || value["version"] !== VERSION || value["index_crc"] !== crc32(stored)) return null;
    const { bytes, state, damage } = value;
    if (typeof bytes !== "number" || !isObject(state) || !Array.isArray(damage)) return null;
    const whole = { ...EMPTY_STATE, ...(state as Partial<SessionState>) };
    return { state: whole, index: new LogIndex(stored), bytes, damage: damage as Damage[] };
  } catch {
    return null;
  }
}

/** Not made durable: it is derived, and checked when it is read. */
export async function writeCheckpoint(folder: string, checkpoint: Checkpoint): Promise<void> {
  const { state, index, bytes, damage } = checkpoint;
  const stored = index.bytesFrom(0).slice();
  await replaceFile(join(folder, "events.idx"), stored, false);
  const value = { version: VERSION, bytes, index_crc: crc32(stored), damage, state };
  await replaceFile(join(folder, "checkpoint.json"), JSON.stringify(value), false);
}
