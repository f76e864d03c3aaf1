/** The fold and the index of a log as they were at a known place: what lets a long log open without being read. */
import { open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { EVENT_TYPES } from "../core/events.ts";
import { isObject } from "../core/json.ts";
import type { Damage } from "../core/sessionLog.ts";
import { EMPTY_STATE, FOLD_VERSION } from "../core/sessionState.ts";
import type { SessionState } from "../core/sessionState.ts";
import { replaceFile } from "./durable.ts";
import { LogIndex, RECORD_BYTES } from "./logIndex.ts";
import { readFully } from "./readLines.ts";

/** Raised with every change of what these files look like. */
const FORMAT = 2;
/** A checkpoint counts only for the program that folds as the one that wrote it did. */
const FOLD = `${FOLD_VERSION}:${crc32(JSON.stringify([Object.keys(EMPTY_STATE), Object.keys(EVENT_TYPES)]))}`;

/** Where a line stands and what it is. */
export interface Place {
  readonly offset: number;
  readonly bytes: number;
  readonly seq: number;
  readonly id: string;
}

export interface Checkpoint {
  readonly state: SessionState;
  /** Bytes of the log that are accounted for. */
  readonly end: number;
  /** The line nearest to the end: a log in which it stands there is the log that this was made of. */
  readonly last: Place;
  readonly damage: readonly Damage[];
}

/** `checkpoint.json` and `events.idx` beside a log. Neither is made durable: both are checked when they are read. */
export class CheckpointFiles {
  readonly #checkpointPath: string;
  readonly #indexPath: string;
  /** What `events.idx` holds for sure. */
  #stored = { records: 0, crc: 0 };

  constructor(folder: string) {
    this.#checkpointPath = join(folder, "checkpoint.json");
    this.#indexPath = join(folder, "events.idx");
  }

  /** What was written last, or null where that is missing or not whole. Whether it fits the log is the caller's to check. */
  async read(): Promise<{ readonly checkpoint: Checkpoint; readonly index: LogIndex } | null> {
    try {
      const [json = "", crc = ""] = (await readFile(this.#checkpointPath, "utf8")).split("\n");
      if (hex(crc32(json)) !== crc) return null;
      const value: unknown = JSON.parse(json);
      if (!isObject(value) || value["format"] !== FORMAT || value["fold"] !== FOLD) return null;
      const { records, index_crc, ...checkpoint } = value as unknown as Checkpoint & Sealed;
      const index = await this.#readIndex(records, index_crc);
      if (index === null) return null;
      this.#stored = { records, crc: index_crc };
      return { checkpoint, index };
    } catch {
      return null;
    }
  }

  /** Appends what is new to the index file and replaces the checkpoint. */
  async write(checkpoint: Checkpoint, index: LogIndex): Promise<void> {
    const kept = Math.min(index.takeSettled(), this.#stored.records);
    const isAppend = kept > 0 && kept === this.#stored.records;
    const from = isAppend ? kept : 0;
    const bytes = index.bytesFrom(from).slice();
    const records = index.count;
    const crc = crc32(bytes, isAppend ? this.#stored.crc : 0);
    this.#stored = { records: 0, crc: 0 };
    if (!isAppend || !(await this.#appendToIndex(bytes, from * RECORD_BYTES))) {
      const whole = isAppend ? index.bytesFrom(0).slice(0, records * RECORD_BYTES) : bytes;
      await replaceFile(this.#indexPath, whole, false);
    }
    const json = JSON.stringify({ format: FORMAT, fold: FOLD, records, index_crc: crc, ...checkpoint });
    await replaceFile(this.#checkpointPath, `${json}\n${hex(crc32(json))}\n`, false);
    this.#stored = { records, crc };
  }

  /** After this the log is read as a whole when it is opened next. */
  async remove(): Promise<void> {
    await rm(this.#checkpointPath, { force: true });
    await rm(this.#indexPath, { force: true });
  }

  async #readIndex(records: number, crc: number): Promise<LogIndex | null> {
    const words = new Uint32Array((records + 64) * (RECORD_BYTES / 4));
    const bytes = new Uint8Array(words.buffer, 0, records * RECORD_BYTES);
    const file = await open(this.#indexPath, "r");
    try {
      await readFully(file, bytes, 0);
    } finally {
      await file.close();
    }
    return crc32(bytes) === crc ? new LogIndex(words, records) : null;
  }

  /** False when the file is not as it was left. */
  async #appendToIndex(bytes: Uint8Array, position: number): Promise<boolean> {
    const file = await open(this.#indexPath, "r+").catch(() => null);
    if (file === null) return false;
    try {
      if ((await file.stat()).size < position) return false;
      await file.write(bytes, 0, bytes.length, position);
      return true;
    } finally {
      await file.close();
    }
  }
}

interface Sealed {
  readonly records: number;
  readonly index_crc: number;
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, "0");
}
