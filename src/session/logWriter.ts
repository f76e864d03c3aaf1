/** The one way to write to a log: appends of the same moment share one write and one flush, in order, each of them whole. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import type { AnyEvent } from "../core/sessionState.ts";
import { Flusher, writeWhole } from "./durable.ts";
import { LineBuffer } from "./line.ts";
import { LOG_NAME } from "./logView.ts";
import type { LogView } from "./logView.ts";
import { storedEvent } from "./newEvent.ts";
import type { PreparedEvent } from "./newEvent.ts";
import { storageError } from "./storageErrors.ts";
import { takeBack } from "./tail.ts";

/** Characters that are written in one go; more wait for the next. */
const BATCH_CHARS_MAX = 4 * 1024 * 1024;
const TRIES_MAX = 5;

export interface LogWriterPorts {
  readonly folder: string;
  readonly view: LogView;
  readonly clock: Clock;
  /** Makes the payload of an event durable under its hash. */
  readonly putPayload: (bytes: Uint8Array) => Promise<unknown>;
  /** Throws `lease_lost`. */
  readonly mustHoldLease: () => void;
  /** Takes in what somebody else wrote after the last line; gives what is to be said of it in the log. */
  readonly settleTail: () => Promise<readonly PreparedEvent[]>;
  readonly onEvents: (events: readonly AnyEvent[]) => void;
}

interface Waiting {
  readonly events: readonly PreparedEvent[];
  /** Settles when all payloads are durable; null: there is none. */
  readonly payloads: Promise<Error | null> | null;
  readonly resolve: (stored: readonly AnyEvent[]) => void;
  readonly reject: (reason: unknown) => void;
}

interface Batch {
  /** New events with the lengths of their lines, in the order in which these are in `#lines`. */
  readonly fresh: readonly { readonly event: AnyEvent; readonly bytes: number }[];
  readonly stored: ReadonlyMap<string, AnyEvent>;
}

export class LogWriter {
  readonly #ports: LogWriterPorts;
  readonly #path: string;
  readonly #fd: number;
  readonly #flusher = new Flusher();
  readonly #lines = new LineBuffer();
  #queue: Waiting[] = [];
  #running: Promise<void> | null = null;
  #refusal: Error | null = null;
  /** The last line is whole but for its newline: the next write begins with one. */
  #needsNewline: boolean;
  /** What a failed write may have left after the last acknowledged line. */
  #failed: Buffer | null = null;
  /** Events about the log itself that go before whatever is appended next. */
  #notes: readonly PreparedEvent[] = [];

  constructor(ports: LogWriterPorts, needsNewline: boolean) {
    this.#ports = ports;
    this.#path = join(ports.folder, LOG_NAME);
    this.#needsNewline = needsNewline;
    // Appending is left to the system: bytes of two writers never overwrite each other.
    this.#fd = openSync(this.#path, constants.O_RDWR | constants.O_APPEND);
  }

  note(events: readonly PreparedEvent[]): void {
    this.#notes = [...this.#notes, ...events];
  }

  append(events: readonly PreparedEvent[]): Promise<readonly AnyEvent[]> {
    if (this.#refusal !== null) return Promise.reject(this.#refusal);
    const payloads = this.#startPayloads(events);
    return new Promise((resolve, reject) => {
      this.#queue.push({ events, payloads, resolve, reject });
      this.#running ??= Promise.resolve().then(() => this.#run());
    });
  }

  /** Resolves when nothing waits to be written. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  /** Refuses what waits and what comes; a write that is under way is finished. */
  refuse(reason: Error): void {
    this.#refusal ??= reason;
    for (const waiting of this.#queue.splice(0)) waiting.reject(reason);
  }

  async close(reason: Error): Promise<void> {
    await this.idle();
    this.refuse(reason);
    await this.idle();
    closeSync(this.#fd);
  }

  #startPayloads(events: readonly PreparedEvent[]): Promise<Error | null> | null {
    const payloads = events.flatMap(({ payload }) => payload ?? []);
    if (payloads.length === 0) return null;
    return Promise.all(payloads.map(({ bytes }) => this.#ports.putPayload(bytes))).then(
      () => null,
      (thrown: unknown) => storageError(thrown, this.#ports.folder),
    );
  }

  /** Nothing is awaited here unless it must be: on a quick disk an append is written before its caller goes on. */
  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const payloads = this.#queue[0]?.payloads ?? null;
      const failure = payloads === null ? null : await payloads;
      if (failure !== null) {
        this.#queue.shift()?.reject(failure);
        continue;
      }
      const waiting = this.#takeWaiting();
      try {
        const batch = await this.#settleAndWrite(waiting);
        for (const { events, resolve } of waiting) resolve(events.map(({ id }) => batch.stored.get(id) as AnyEvent));
      } catch (thrown) {
        const error = storageError(thrown, this.#ports.folder);
        for (const { reject } of waiting) reject(error);
      }
    }
    this.#running = null;
  }

  /** From the front, as long as payloads are durable; the first one's are. */
  #takeWaiting(): readonly Waiting[] {
    let chars = 0;
    let count = 0;
    for (const { events, payloads } of this.#queue) {
      chars += events.reduce((sum, { members }) => sum + members.length, 0);
      if (count > 0 && (payloads !== null || chars > BATCH_CHARS_MAX)) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #settleAndWrite(waiting: readonly Waiting[]): Promise<Batch> {
    const { view, mustHoldLease, settleTail } = this.#ports;
    const events = waiting.flatMap((one) => one.events);
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      if (this.#failed !== null) this.#takeBackFailed();
      const notes = this.#notes;
      const batch = this.#encode([...notes, ...events], tries > 0);
      // Nothing comes between these looks and the write: only a process that is stopped just there writes out of its turn.
      mustHoldLease();
      if (fstatSync(this.#fd).size !== view.end) {
        this.note(await settleTail());
        continue;
      }
      if (batch.fresh.length === 0) return batch;
      const { bytes } = this.#lines;
      const flushed = this.#write(bytes);
      if (flushed !== undefined) await flushed;
      if (this.#accept(batch, bytes.length)) {
        this.#notes = this.#notes.filter((note) => !notes.includes(note));
        return batch;
      }
      // Somebody who had the lease wrote at the same moment. What of the batch is in its place now is found by its id.
      await view.refresh();
    }
    throw new Error("another program writes to the same log");
  }

  #encode(events: readonly PreparedEvent[], isRetry: boolean): Batch {
    const { view, clock } = this.#ports;
    const time = new Date(clock.now()).toISOString();
    const stored = new Map<string, AnyEvent>();
    const fresh: Batch["fresh"][number][] = [];
    this.#lines.clear();
    if (this.#needsNewline) this.#lines.addNewline();
    let { seq } = view.state;
    for (const one of events) {
      const { id, isNamed, type, members } = one;
      if (stored.has(id)) continue;
      const known = isNamed || isRetry ? view.find(id) : null;
      if (known !== null) {
        stored.set(id, known);
        continue;
      }
      seq += 1;
      const event = storedEvent(seq, time, one);
      fresh.push({ event, bytes: this.#lines.add(seq, id, type, time, members) });
      stored.set(id, event);
    }
    return { fresh, stored };
  }

  #write(bytes: Buffer): void | Promise<void> {
    const failed = (thrown: unknown): never => {
      this.#failed = Buffer.from(bytes);
      try {
        this.#takeBackFailed();
      } catch {
        // The next append tries again before it writes.
      }
      throw thrown;
    };
    try {
      writeWhole(this.#fd, bytes);
      return this.#flusher.flush(this.#fd)?.catch(failed);
    } catch (thrown) {
      return failed(thrown);
    }
  }

  /** Takes the events into the view, unless the bytes stand elsewhere than they should. */
  #accept(batch: Batch, written: number): boolean {
    const { view, onEvents } = this.#ports;
    const end = view.end + written;
    if (fstatSync(this.#fd).size !== end) return false;
    let offset = view.end + (this.#needsNewline ? 1 : 0);
    this.#needsNewline = false;
    for (const { event, bytes } of batch.fresh) {
      view.take(event, offset, bytes);
      offset += bytes + 1;
    }
    view.advance(end);
    onEvents(batch.fresh.map(({ event }) => event));
    return true;
  }

  /** Takes back what was never acknowledged, while it is still this writer's to do. Throws when the file refuses. */
  #takeBackFailed(): void {
    const own = this.#failed;
    if (own === null) return;
    this.#ports.mustHoldLease();
    const { end } = this.#ports.view;
    const size = fstatSync(this.#fd).size;
    if (size > end && size <= end + own.length) {
      const tail = Buffer.alloc(size - end);
      readSync(this.#fd, tail, 0, tail.length, end);
      takeBack(this.#fd, this.#path, end, own, tail);
    }
    this.#failed = null;
  }
}
