/** The bytes of one log: reading them into a fold and an index, slices by position, and the one way to write. */
import { fdatasync, fstatSync, write } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Damage, Slice } from "../core/sessionLog.ts";
import { limits } from "../core/limits.ts";
import { EMPTY_STATE, foldSession } from "../core/sessionState.ts";
import type { AnyEvent, SessionState } from "../core/sessionState.ts";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { replaceFile } from "./durable.ts";
import { NEWLINE, decodeLine } from "./line.ts";
import { LogIndex, typeCode } from "./logIndex.ts";
import { scan, visitLine } from "./scan.ts";
import type { Scanned } from "./scan.ts";

const READ_BYTES_MAX = 1024 * 1024;
const DAMAGE_MAX = 1_000;

export class LogFile {
  readonly #folder: string;
  #file: FileHandle;
  #isWritable: boolean;
  #index = new LogIndex();
  #state: SessionState = EMPTY_STATE;
  #damage: Damage[] = [];
  /** Bytes that are folded in; all of them whole lines. */
  #end = 0;
  #checkpointSeq = 0;

  private constructor(folder: string, file: FileHandle, isWritable: boolean) {
    this.#folder = folder;
    this.#file = file;
    this.#isWritable = isWritable;
  }

  /** Opens a log and folds it in, from the checkpoint where that fits. Rejects when the file cannot be read. */
  static async open(folder: string): Promise<LogFile> {
    const file = await open(join(folder, "events.jsonl"), "r");
    const log = new LogFile(folder, file, false);
    try {
      await log.#load();
      return log;
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
  }

  get state(): SessionState {
    return this.#state;
  }

  get damage(): readonly Damage[] {
    return this.#damage;
  }

  get end(): number {
    return this.#end;
  }

  size(): number {
    return fstatSync(this.#file.fd).size;
  }

  /** Folds in the whole lines that came since, whoever wrote them, and gives their events. */
  async refresh(): Promise<readonly AnyEvent[]> {
    const size = this.size();
    if (size <= this.#end) return [];
    const events: AnyEvent[] = [];
    const { end } = await scan(this.#file, this.#end, size, (scanned) => this.#take(scanned, events));
    this.#end = end;
    return events;
  }

  /** Opens it for writing, if that is not done yet. */
  async makeWritable(): Promise<void> {
    if (this.#isWritable) return;
    const file = await open(join(this.#folder, "events.jsonl"), "a+");
    await this.#file.close();
    this.#file = file;
    this.#isWritable = true;
  }

  /**
   * Deals with bytes after the last newline, which only a crash in mid-write leaves: a whole event gets its newline,
   * anything else is moved into a file beside the log. Gives what was moved, or null.
   */
  async settleTail(): Promise<{ readonly set_aside: string; readonly bytes: number } | null> {
    const size = this.size();
    if (size <= this.#end) return null;
    const tail = Buffer.alloc(size - this.#end);
    await this.#file.read(tail, 0, tail.length, this.#end);
    if (decodeLine(tail) !== null) {
      await this.#file.appendFile(Buffer.from([NEWLINE]));
      await this.#file.datasync();
      return null;
    }
    const name = `events.torn-${this.#end}-${tail.length}`;
    await replaceFile(join(this.#folder, name), tail, true);
    await this.#file.truncate(this.#end);
    await this.#file.datasync();
    return { set_aside: name, bytes: tail.length };
  }

  /** Writes whole lines and waits for the disk. After a failure the file is as it was before. */
  async write(lines: Buffer): Promise<void> {
    try {
      await writeAll(this.#file.fd, lines);
      await sync(this.#file.fd);
    } catch (thrown) {
      // What was written of it is not acknowledged: it is taken back, or set aside at the next chance as a torn tail.
      await this.#file.truncate(this.#end).catch(() => {});
      throw thrown;
    }
  }

  /** Takes in an event that was just written at the end, `bytes` long with its newline. */
  appended(event: AnyEvent, bytes: number): void {
    this.#add(event, this.#end);
    this.#end += bytes;
  }

  async find(id: string): Promise<AnyEvent | null> {
    for (const ordinal of this.#index.candidates(id)) {
      const [event] = await this.#read([ordinal]);
      if (event?.id === id) return event;
    }
    return null;
  }

  /** Previews where payloads are in blobs; those are put back by the caller. */
  async slice(slice: Slice): Promise<readonly AnyEvent[]> {
    return this.#read(this.#choose(slice));
  }

  async saveCheckpoint(force: boolean): Promise<void> {
    const { seq } = this.#state;
    if (seq === this.#checkpointSeq || (!force && seq - this.#checkpointSeq < limits.checkpointEvents)) return;
    this.#checkpointSeq = seq;
    const { state, damage } = this;
    await writeCheckpoint(this.#folder, { state, index: this.#index, bytes: this.#end, damage });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #load(): Promise<void> {
    const checkpoint = await readCheckpoint(this.#folder);
    if (checkpoint !== null && (await this.#fits(checkpoint.index, checkpoint.bytes, checkpoint.state.seq))) {
      this.#index = checkpoint.index;
      this.#state = checkpoint.state;
      this.#damage = [...checkpoint.damage];
      this.#end = checkpoint.bytes;
      this.#checkpointSeq = checkpoint.state.seq;
    }
    await this.refresh();
  }

  /** True when the checkpoint's last event stands where it says, so that the bytes before are the ones it folded. */
  async #fits(index: LogIndex, bytes: number, seq: number): Promise<boolean> {
    if (index.count === 0 || bytes > this.size()) return false;
    const offset = index.offset(index.count - 1);
    if (offset >= bytes || bytes - offset > READ_BYTES_MAX) return false;
    const line = Buffer.alloc(bytes - offset);
    await this.#file.read(line, 0, line.length, offset);
    const newline = line.indexOf(NEWLINE);
    return newline !== -1 && decodeLine(line.subarray(0, newline))?.seq === seq;
  }

  #take(scanned: Scanned, events: AnyEvent[]): void {
    if (scanned.kind === "damage") return this.#addDamage(scanned);
    if (scanned.event.seq <= this.#state.seq) {
      const reason = `a second event with the number ${scanned.event.seq}`;
      return this.#addDamage({ offset: scanned.offset, bytes: 0, reason });
    }
    this.#add(scanned.event, scanned.offset);
    events.push(scanned.event);
  }

  #add(event: AnyEvent, offset: number): void {
    this.#index.add(event.seq, offset, event.id, event.type);
    this.#state = foldSession(this.#state, event);
  }

  #addDamage({ offset, bytes, reason }: Damage): void {
    if (this.#damage.length >= DAMAGE_MAX || this.#damage.some((known) => known.offset === offset)) return;
    this.#damage = [...this.#damage, { offset, bytes, reason }];
  }

  #choose(slice: Slice): readonly number[] {
    const first = this.#index.firstAtLeast(slice.from ?? 1);
    const last = slice.to === undefined ? this.#index.count : this.#index.firstAtLeast(slice.to + 1);
    const limit = Math.min(slice.limit ?? limits.sliceEventsMax, limits.sliceEventsMax);
    const codes = slice.types === undefined ? null : new Set(slice.types.map(typeCode));
    const chosen: number[] = [];
    const backwards = slice.order === "desc";
    for (let step = 0; step < last - first && chosen.length < limit; step += 1) {
      const ordinal = backwards ? last - 1 - step : first + step;
      if (codes === null || codes.has(this.#index.type(ordinal))) chosen.push(ordinal);
    }
    return backwards ? chosen.toReversed() : chosen;
  }

  /** Reads lines by ordinal, neighbours together. A line that is damaged since it was folded is left out and reported. */
  async #read(ordinals: readonly number[]): Promise<AnyEvent[]> {
    const events: AnyEvent[] = [];
    for (let at = 0; at < ordinals.length;) {
      const first = ordinals[at] as number;
      const start = this.#index.offset(first);
      let count = 1;
      while (ordinals[at + count] === first + count && this.#endOf(first + count) - start <= READ_BYTES_MAX) count += 1;
      const bytes = Buffer.alloc(this.#endOf(first + count - 1) - start);
      await this.#file.read(bytes, 0, bytes.length, start);
      for (let ordinal = first; ordinal < first + count; ordinal += 1) {
        const offset = this.#index.offset(ordinal);
        const event = this.#decode(bytes.subarray(offset - start, this.#endOf(ordinal) - start), offset, ordinal);
        if (event !== null) events.push(event);
      }
      at += count;
    }
    return events;
  }

  #decode(stretch: Buffer, offset: number, ordinal: number): AnyEvent | null {
    const newline = stretch.indexOf(NEWLINE);
    const seq = this.#index.seq(ordinal);
    const event = decodeLine(newline === -1 ? stretch : stretch.subarray(0, newline));
    if (event?.seq === seq) return event;
    let found: AnyEvent | null = null;
    visitLine(stretch, offset, (scanned) => {
      if (scanned.kind === "event" && scanned.event.seq === seq) found = scanned.event;
      else if (scanned.kind === "damage") this.#addDamage(scanned);
    });
    return found;
  }

  #endOf(ordinal: number): number {
    return ordinal + 1 < this.#index.count ? this.#index.offset(ordinal + 1) : this.#end;
  }
}

function writeAll(fd: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (from: number): void => {
      write(fd, bytes, from, bytes.length - from, null, (error, written) => {
        if (error !== null) reject(error);
        else if (from + written < bytes.length) next(from + written);
        else resolve();
      });
    };
    next(0);
  });
}

function sync(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
  });
}
