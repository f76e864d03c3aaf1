/** One log as this process sees it: its bytes folded into a state and an index, the damage in them, slices by position. */
import { fstatSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { limits } from "../core/limits.ts";
import type { Damage, Slice } from "../core/sessionLog.ts";
import { EMPTY_STATE, foldSession, isKnown } from "../core/sessionState.ts";
import type { AnyEvent, SessionState } from "../core/sessionState.ts";
import { CheckpointFiles } from "./checkpoint.ts";
import type { Place } from "./checkpoint.ts";
import { DamageList } from "./damageList.ts";
import { decodeLine } from "./line.ts";
import { LogIndex, typeCode } from "./logIndex.ts";
import { readLines } from "./readLines.ts";
import { scan } from "./scan.ts";

/** The name of a log in its folder. */
export const LOG_NAME = "events.jsonl";
const REFOLD_EVENTS = 500;

export interface LogViewPorts {
  readonly folder: string;
  /** True while somebody alive may be in the middle of writing a line. */
  readonly hasWriter: () => Promise<boolean>;
  /** Events that were found after the log was opened, in order. */
  readonly onEvents: (events: readonly AnyEvent[]) => void;
}

export class LogView {
  readonly #ports: LogViewPorts;
  readonly #file: FileHandle;
  readonly #checkpoints: CheckpointFiles;
  #index = new LogIndex();
  #state: SessionState = EMPTY_STATE;
  #damage = new DamageList();
  #end = 0;
  #last: Place | null = null;
  #checkpointSeq = 0;
  #isLoaded = false;
  /** A line was found before others that come before it: the state is to be folded anew, in the order of seqs. */
  #isOutOfOrder = false;
  /** Damage was found since the last event: what is missing there needs no second mention. */
  #isGapExplained = false;

  private constructor(ports: LogViewPorts, file: FileHandle) {
    this.#ports = ports;
    this.#file = file;
    this.#checkpoints = new CheckpointFiles(ports.folder);
  }

  /** Opens a log and folds it in, from the checkpoint where that fits, else from its first byte in bounded memory. */
  static async open(ports: LogViewPorts): Promise<LogView> {
    const view = new LogView(ports, await open(join(ports.folder, LOG_NAME), "r"));
    try {
      await view.#load();
      return view;
    } catch (thrown) {
      await view.close();
      throw thrown;
    }
  }

  get state(): SessionState {
    return this.#state;
  }

  get damage(): readonly Damage[] {
    return this.#damage.all;
  }

  /** Bytes of the file that are accounted for: each one before is an event's, or damage. */
  get end(): number {
    return this.#end;
  }

  /** How many events can be read. */
  get count(): number {
    return this.#index.count;
  }

  /** Events since the checkpoint; all of them where there was none. */
  get eventsSinceCheckpoint(): number {
    return this.#state.seq - this.#checkpointSeq;
  }

  size(): number {
    return fstatSync(this.#file.fd).size;
  }

  /**
   * Folds in what was appended since, whoever did it. Bytes after the last newline are left, in case they are being
   * written; with `isFinal` a whole line that only lacks its newline counts.
   */
  async refresh(isFinal = false): Promise<void> {
    const size = this.size();
    if (size < this.#end) await this.#rewind(size);
    if (size <= this.#end) return;
    let events: AnyEvent[] = [];
    const deliver = (): void => {
      if (events.length > 0 && this.#isLoaded) this.#ports.onEvents(events);
      events = [];
    };
    this.#end = await scan(this.#file, this.#end, size, isFinal, {
      event: (event, offset, bytes) => {
        if (this.take(event, offset, bytes)) events.push(event);
      },
      damage: (offset, bytes, reason) => this.#addDamage(offset, bytes, reason),
      pause: deliver,
    });
    deliver();
    if (this.#isOutOfOrder) await this.#refold();
  }

  /** Takes in an event whose line stands at `offset`; false when its place is taken. */
  take(event: AnyEvent, offset: number, bytes: number): boolean {
    const previous = this.#state.seq;
    if (!this.#index.add(event.seq, offset, bytes, event.id, event.type)) {
      this.#addDamage(
        offset,
        bytes,
        `a second event ${event.seq}, such as a window leaves that had lost the lease; the first one counts`,
      );
      return false;
    }
    if (event.seq < previous) this.#isOutOfOrder = true;
    else if (event.seq > previous + 1 && !this.#isGapExplained) {
      this.#damage.add({ offset, bytes: 0, reason: missing(previous + 1, event.seq - 1) });
    }
    this.#isGapExplained = false;
    this.#state = foldSession(this.#state, event);
    if (this.#last === null || offset > this.#last.offset) {
      this.#last = { offset, bytes, seq: event.seq, id: event.id };
    }
    return true;
  }

  /** The file ends at `end` now, with the events that were taken. */
  advance(end: number): void {
    this.#end = end;
  }

  /** The event with this id. Without leaving the event loop: appends look here for what is stored already. */
  find(id: string): AnyEvent | null {
    for (const ordinal of this.#index.candidates(id)) {
      const line = Buffer.allocUnsafe(this.#index.bytes(ordinal));
      const read = readSync(this.#file.fd, line, 0, line.length, this.#index.offset(ordinal));
      const event = read === line.length ? decodeLine(line) : null;
      if (event?.id === id) return event;
    }
    return null;
  }

  /** Payloads that are in blobs are previews here. */
  async slice(slice: Slice): Promise<readonly AnyEvent[]> {
    const limit = Math.min(slice.limit ?? limits.sliceEventsMax, limits.sliceEventsMax);
    const types = slice.types === undefined ? null : new Set(slice.types);
    const isBackwards = slice.order === "desc";
    const ordinals = this.#ordinals(slice, types);
    let events: AnyEvent[] = [];
    for (;;) {
      const wanted: number[] = [];
      while (wanted.length < limit - events.length) {
        const next = ordinals.next();
        if (next.done === true) break;
        wanted.push(next.value);
      }
      if (wanted.length === 0) return events;
      const read = await this.#read(isBackwards ? wanted.toReversed() : wanted);
      const fitting = types === null ? read : read.filter((event) => isKnown(event) || types.has(event.type));
      events = isBackwards ? [...fitting, ...events] : [...events, ...fitting];
    }
  }

  /** Damage that shows elsewhere than in the log's own bytes, such as the payload of an event. */
  reportDamage(seq: number, reason: string): void {
    const ordinal = this.#index.firstAtLeast(seq);
    this.#damage.add({ offset: this.#index.offset(ordinal), bytes: this.#index.bytes(ordinal), reason });
  }

  async saveCheckpoint(): Promise<void> {
    if (this.#last === null || this.eventsSinceCheckpoint === 0) return;
    this.#checkpointSeq = this.#state.seq;
    const checkpoint = { state: this.#state, end: this.#end, last: this.#last, damage: this.#damage.all };
    await this.#checkpoints.write(checkpoint, this.#index);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #load(): Promise<void> {
    const saved = await this.#checkpoints.read();
    if (saved !== null && (await this.#stands(saved.checkpoint.last, saved.checkpoint.end))) {
      const { state, end, last, damage } = saved.checkpoint;
      this.#index = saved.index;
      this.#state = state;
      this.#end = end;
      this.#last = last;
      this.#damage = new DamageList(damage);
      this.#checkpointSeq = state.seq;
    }
    await this.refresh();
    const isUnsaved = this.eventsSinceCheckpoint >= limits.checkpointEvents;
    if ((isUnsaved || this.size() > this.#end) && !(await this.#ports.hasWriter())) {
      await this.refresh(true);
      // Derived, and no business of whoever only reads: where it cannot be kept, the log is read again next time.
      if (isUnsaved) await this.saveCheckpoint().catch(() => {});
    }
    this.#isLoaded = true;
  }

  /** True when the line is where the checkpoint says, so that the bytes before it are those it was made of. */
  async #stands(last: Place, end: number): Promise<boolean> {
    if (end > this.size() || last.bytes > limits.logLineBytesHardMax) return false;
    const line = Buffer.alloc(last.bytes);
    await this.#file.read(line, 0, line.length, last.offset);
    const event = decodeLine(line);
    return event !== null && event.seq === last.seq && event.id === last.id;
  }

  /** A writer took back bytes that were never acknowledged: what was read of them is forgotten. */
  async #rewind(size: number): Promise<void> {
    this.#index.cutAt(size);
    this.#damage.cutAt(size);
    let end = 0;
    this.#last = null;
    for (let ordinal = 0; ordinal < this.#index.count; ordinal += 1) {
      end = Math.max(end, this.#index.offset(ordinal) + this.#index.bytes(ordinal));
    }
    this.#end = Math.max(end, this.#damage.end);
    await this.#refold();
    this.#checkpointSeq = 0;
  }

  async #refold(): Promise<void> {
    let state = EMPTY_STATE;
    for (let from = 0; from < this.#index.count; from += REFOLD_EVENTS) {
      const ordinals = Array.from({ length: Math.min(REFOLD_EVENTS, this.#index.count - from) }, (_, at) => from + at);
      for (const event of await this.#read(ordinals)) state = foldSession(state, event);
    }
    this.#state = state;
    this.#isOutOfOrder = false;
  }

  *#ordinals(slice: Slice, types: ReadonlySet<string> | null): Generator<number, void> {
    const codes = types === null ? null : new Set(Array.from(types, typeCode));
    const first = this.#index.firstAtLeast(slice.from ?? 1);
    const after = slice.to === undefined ? this.#index.count : this.#index.firstAtLeast(slice.to + 1);
    for (let step = 0; step < after - first; step += 1) {
      const ordinal = slice.order === "desc" ? after - 1 - step : first + step;
      if (codes === null || codes.has(this.#index.type(ordinal))) yield ordinal;
    }
  }

  #read(ordinals: readonly number[]): Promise<AnyEvent[]> {
    return readLines(this.#file, this.#index, ordinals, (offset, bytes, reason) =>
      this.#damage.add({ offset, bytes, reason }),
    );
  }

  #addDamage(offset: number, bytes: number, reason: string): void {
    this.#isGapExplained = true;
    this.#damage.add({ offset, bytes, reason });
  }
}

function missing(first: number, last: number): string {
  return first === last ? `event ${first} is missing here` : `events ${first} to ${last} are missing here`;
}
