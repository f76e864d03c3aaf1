/** One session's log in memory: the same lines, previews, ids and leases as on disk, without the disk. */
import { createHash } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import type { BlobRef, NewEvent } from "../core/events.ts";
import type { Ids, SessionId } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { Emitter } from "../core/listen.ts";
import type { BlobWriter, Damage, LeaseHolder, SessionLog, Slice } from "../core/sessionLog.ts";
import { EMPTY_STATE, foldSession } from "../core/sessionState.ts";
import type { AnyEvent, SessionState } from "../core/sessionState.ts";
import { decodeLine, encodeLine } from "./line.ts";
import { prepareEvent, storedEvent } from "./newEvent.ts";
import type { PreparedEvent } from "./newEvent.ts";
import { newerFormat, withPayloads } from "./reading.ts";
import { blobMissing, closed, notHeld, readOnly, storageError } from "./storageErrors.ts";

/** What is durable of a session, and who has it open. */
export interface MemorySession {
  /** Lines as on disk. */
  readonly lines: Buffer[];
  /** The place of each id in `lines`. */
  readonly ids: Map<string, number>;
  readonly blobs: Map<string, Uint8Array>;
  epoch: number;
  holder: MemoryLog | null;
  readonly logs: Set<MemoryLog>;
}

export type AppendMoment = "before" | "after";

export interface MemoryLogPorts {
  readonly id: SessionId;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly owner: string;
  readonly onError: (thrown: unknown) => void;
  readonly onClose: () => void;
  /** True: the store has crashed at this moment. */
  readonly crashesAt: (moment: AppendMoment, events: readonly NewEvent[]) => boolean;
}

export class MemoryLog implements SessionLog {
  readonly id: SessionId;
  readonly #session: MemorySession;
  readonly #ports: MemoryLogPorts;
  readonly #appended: Emitter<readonly AnyEvent[]>;
  readonly #leaseLost: Emitter<void>;
  #state: SessionState;
  #isClosed = false;
  #lastAppend: Promise<unknown> = Promise.resolve();

  constructor(session: MemorySession, ports: MemoryLogPorts) {
    this.id = ports.id;
    this.#session = session;
    this.#ports = ports;
    this.#appended = new Emitter(ports.onError);
    this.#leaseLost = new Emitter(ports.onError);
    this.#state = MemoryLog.fold(session);
    session.logs.add(this);
  }

  static fold(session: MemorySession): SessionState {
    return session.lines.map((line) => eventOf(line)).reduce(foldSession, EMPTY_STATE);
  }

  readonly onDidAppend: SessionLog["onDidAppend"] = (listener) => this.#appended.listen(listener);
  readonly onDidLoseLease: SessionLog["onDidLoseLease"] = (listener) => this.#leaseLost.listen(listener);

  state(): SessionState {
    return this.#state;
  }

  damage(): readonly Damage[] {
    return [];
  }

  readOnlyReason(): string | null {
    return newerFormat(this.#state);
  }

  async getEvents(slice: Slice): Promise<readonly AnyEvent[]> {
    this.#mustBeOpen();
    const { from = 1, to = Infinity, types, limit = limits.sliceEventsMax, order, resolve } = slice;
    const lines = this.#session.lines.slice(Math.max(0, from - 1), Math.min(to, this.#state.seq));
    const fitting = lines
      .map((line) => eventOf(line))
      .filter((event) => types === undefined || types.includes(event.type));
    const count = Math.max(0, Math.min(limit, limits.sliceEventsMax));
    const events = order === "desc" ? fitting.slice(Math.max(0, fitting.length - count)) : fitting.slice(0, count);
    return resolve === true
      ? withPayloads(
          events,
          (ref) => this.readBlob(ref),
          () => {},
        )
      : events;
  }

  append(events: readonly NewEvent[]): Promise<readonly AnyEvent[]> {
    try {
      this.#mustWrite();
      const prepared = events.map((event) => prepareEvent(event, this.#ports.ids));
      const mine = this.#lastAppend.then(() => this.#append(events, prepared));
      this.#lastAppend = mine.catch(() => {});
      return mine;
    } catch (thrown) {
      return Promise.reject(storageError(thrown, "memory"));
    }
  }

  async putBlob(bytes: Uint8Array): Promise<BlobRef> {
    this.#mustWrite();
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    this.#session.blobs.set(sha256, Uint8Array.from(bytes));
    return { sha256, bytes: bytes.byteLength };
  }

  async createBlob(): Promise<BlobWriter> {
    this.#mustWrite();
    const chunks: Uint8Array[] = [];
    return {
      write: async (chunk) => void chunks.push(Uint8Array.from(chunk)),
      finish: () => this.putBlob(Buffer.concat(chunks)),
      discard: async () => void chunks.splice(0),
    };
  }

  async readBlob(ref: BlobRef, range?: { readonly offset: number; readonly bytes: number }): Promise<Uint8Array> {
    const blob = this.#session.blobs.get(ref.sha256);
    if (blob === undefined) throw blobMissing(`The blob ${ref.sha256}`);
    if (range === undefined) return blob.slice();
    const offset = Math.max(0, range.offset);
    return blob.slice(offset, offset + Math.max(0, range.bytes));
  }

  async acquire(): Promise<{ readonly kind: "held" } | { readonly kind: "busy"; readonly holder: LeaseHolder }> {
    this.#mustBeOpen();
    const { epoch, holder } = this.#session;
    if (holder !== null && holder !== this) return { kind: "busy", holder: { epoch, owner: holder.#ports.owner } };
    if (holder === null) this.#take();
    return { kind: "held" };
  }

  async takeOver(): Promise<void> {
    this.#mustBeOpen();
    const reason = this.readOnlyReason();
    if (reason !== null) throw readOnly(reason);
    if (this.holdsLease()) return;
    const before = this.#session.holder;
    this.#take();
    if (before !== null) before.#leaseLost.fire();
    await this.append([{ type: "session.lease_taken", epoch: this.#session.epoch }]);
  }

  async release(): Promise<void> {
    await this.#lastAppend;
    if (this.holdsLease()) this.#session.holder = null;
  }

  holdsLease(): boolean {
    return this.#session.holder === this;
  }

  async holder(): Promise<LeaseHolder | null> {
    const { epoch, holder } = this.#session;
    return holder === null ? null : { epoch, owner: holder.#ports.owner };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.release();
    this.crash();
    this.#ports.onClose();
  }

  /** Lets go of everything at once, as the end of the process would. */
  crash(): void {
    this.#isClosed = true;
    this.#session.logs.delete(this);
    if (this.holdsLease()) this.#session.holder = null;
    this.#appended.dispose();
    this.#leaseLost.dispose();
  }

  #take(): void {
    this.#session.epoch += 1;
    this.#session.holder = this;
  }

  async #append(events: readonly NewEvent[], prepared: readonly PreparedEvent[]): Promise<readonly AnyEvent[]> {
    this.#mustWrite();
    if (this.#ports.crashesAt("before", events)) throw closed();
    const { lines, ids, blobs } = this.#session;
    const time = new Date(this.#ports.clock.now()).toISOString();
    const fresh: AnyEvent[] = [];
    for (const one of prepared) {
      const { id, type, members, payload } = one;
      if (ids.has(id)) continue;
      if (payload !== null) blobs.set(payload.ref.sha256, payload.bytes);
      const seq = lines.length + 1;
      ids.set(id, lines.push(encodeLine(seq, id, type, time, members)) - 1);
      fresh.push(storedEvent(seq, time, one));
    }
    if (this.#ports.crashesAt("after", events)) throw closed();
    // Other windows hear of it a moment later, as they do through a disk.
    for (const log of this.#session.logs) {
      if (log === this) log.#hear(fresh);
      else queueMicrotask(() => log.#hear(fresh));
    }
    return prepared.map(({ id }) => eventOf(lines[ids.get(id) ?? -1]));
  }

  #hear(events: readonly AnyEvent[]): void {
    const unheard = events.filter((event) => event.seq > this.#state.seq);
    if (unheard.length === 0) return;
    this.#state = unheard.reduce(foldSession, this.#state);
    this.#appended.fire(unheard);
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw closed();
  }

  #mustWrite(): void {
    this.#mustBeOpen();
    const reason = this.readOnlyReason();
    if (reason !== null) throw readOnly(reason);
    if (!this.holdsLease()) throw notHeld();
  }
}

function eventOf(line: Buffer | undefined): AnyEvent {
  const event = line === undefined ? null : decodeLine(line.subarray(0, -1));
  if (event === null) throw new Error("a line in memory is missing or damaged");
  return event;
}
