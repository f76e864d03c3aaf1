/** The log of one session on disk: group commit, idempotent appends, fencing by the lease, and following other windows. */
import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import type { Clock } from "../core/clock.ts";
import { ManyHandsError, hasCode } from "../core/errors.ts";
import { SCHEMA_VERSION } from "../core/events.ts";
import type { BlobRef, NewEvent } from "../core/events.ts";
import type { EventId, Ids, SessionId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { limits } from "../core/limits.ts";
import { Emitter } from "../core/listen.ts";
import type { BlobWriter, LeaseHolder, SessionLog, Slice } from "../core/sessionLog.ts";
import type { AnyEvent, SessionState } from "../core/sessionState.ts";
import { BlobFolder } from "./blobFolder.ts";
import { Lease } from "./lease.ts";
import { encodeLine } from "./line.ts";
import type { LogFile } from "./logFile.ts";
import { previewOf } from "./preview.ts";
import { storageError } from "./storageErrors.ts";

/** How often another window's log is looked at where the system does not tell of changes, in milliseconds. */
const FOLLOW_MS = 1_000;
/** Lines that are written in one go, in bytes; more wait for the next. */
const BATCH_BYTES_MAX = 8 * 1024 * 1024;

export interface FileLogPorts {
  readonly id: SessionId;
  readonly folder: string;
  readonly owner: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly report: (what: string, thrown?: unknown) => void;
  readonly onClose: () => void;
}

/** An event whose long payload is in a blob already: only seq and time are missing. */
interface Prepared {
  readonly id: EventId;
  readonly type: string;
  readonly members: string;
}

interface PendingAppend {
  readonly events: readonly Prepared[];
  readonly resolve: (stored: readonly AnyEvent[]) => void;
  readonly reject: (reason: unknown) => void;
}

export class FileLog implements SessionLog {
  readonly id: SessionId;
  readonly #ports: FileLogPorts;
  readonly #file: LogFile;
  readonly #blobs: BlobFolder;
  readonly #lease: Lease;
  readonly #appended: Emitter<readonly AnyEvent[]>;
  readonly #leaseLost: Emitter<void>;
  #queue: PendingAppend[] = [];
  /** All that reads new bytes or writes them, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #isFlushing = false;
  #watcher: FSWatcher | null = null;
  readonly #following = new AbortController();

  constructor(file: LogFile, ports: FileLogPorts) {
    this.id = ports.id;
    this.#ports = ports;
    this.#file = file;
    this.#blobs = new BlobFolder(`${ports.folder}/blobs`);
    const onError = (thrown: unknown): void => ports.report("a listener failed", thrown);
    this.#appended = new Emitter(onError);
    this.#leaseLost = new Emitter(onError);
    const { folder, owner, clock, report } = ports;
    this.#lease = new Lease({ folder, owner, clock, report, onLost: () => this.#leaseLost.fire() });
    this.#follow();
  }

  readonly onDidAppend: SessionLog["onDidAppend"] = (listener) => this.#appended.listen(listener);
  readonly onDidLoseLease: SessionLog["onDidLoseLease"] = (listener) => this.#leaseLost.listen(listener);

  state(): SessionState {
    return this.#file.state;
  }

  damage(): SessionLog["damage"] extends () => infer D ? D : never {
    return this.#file.damage;
  }

  readOnlyReason(): string | null {
    const version = this.state().schema_version;
    if (version <= SCHEMA_VERSION) return null;
    return `This session was written by a newer Many Hands (log format ${version}): update the extension to go on with it.`;
  }

  async getEvents(slice: Slice): Promise<readonly AnyEvent[]> {
    const events = await this.#file.slice(slice);
    return slice.resolve === true ? Promise.all(events.map((event) => this.#resolved(event))) : events;
  }

  async append(events: readonly NewEvent[]): Promise<readonly AnyEvent[]> {
    const reason = this.readOnlyReason();
    if (reason !== null) throw new ManyHandsError("session_read_only", "session", reason);
    if (events.length === 0) return [];
    const prepared = events.map((event) => this.#prepare(event));
    const ready = prepared.some((one) => one instanceof Promise)
      ? await Promise.all(prepared)
      : (prepared as readonly Prepared[]);
    return new Promise((resolve, reject) => {
      this.#queue.push({ events: ready, resolve, reject });
      if (this.#isFlushing) return;
      this.#isFlushing = true;
      // Appends of the same moment share one write and one sync.
      queueMicrotask(() => void this.#inTurn(() => this.#flush()));
    });
  }

  async putBlob(bytes: Uint8Array): Promise<BlobRef> {
    return this.#blobs.put(bytes);
  }

  async createBlob(): Promise<BlobWriter> {
    return this.#blobs.create();
  }

  async readBlob(ref: BlobRef, range?: { readonly offset: number; readonly bytes: number }): Promise<Uint8Array> {
    return this.#blobs.read(ref, range);
  }

  async acquire(): Promise<{ readonly kind: "held" } | { readonly kind: "busy"; readonly holder: LeaseHolder }> {
    return this.#inTurn(async () => {
      const holder = await this.#lease.acquire(false);
      if (holder !== null) return { kind: "busy", holder };
      await this.#makeReady();
      return { kind: "held" };
    });
  }

  async takeOver(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#lease.acquire(true);
      await this.#makeReady();
    });
    await this.append([{ type: "session.lease_taken", epoch: this.#lease.epoch }]);
  }

  async release(): Promise<void> {
    await this.#inTurn(async () => {
      if (!this.#lease.isHeld) return;
      await this.#saveCheckpoint(true);
      await this.#lease.release();
    });
  }

  holdsLease(): boolean {
    return this.#lease.isHeld;
  }

  async holder(): Promise<LeaseHolder | null> {
    if (this.#lease.isHeld) return { epoch: this.#lease.epoch, owner: this.#ports.owner };
    return this.#lease.holder();
  }

  async close(): Promise<void> {
    this.#following.abort();
    this.#watcher?.close();
    await this.release().catch((thrown: unknown) => this.#ports.report("a lease could not be given back", thrown));
    await this.#inTurn(() => this.#file.close());
    this.#appended.dispose();
    this.#leaseLost.dispose();
    this.#ports.onClose();
  }

  /** The file open for writing, what others wrote folded in, a torn tail set aside and said so. */
  async #makeReady(): Promise<void> {
    try {
      await this.#file.makeWritable();
      this.#announce(await this.#file.refresh());
      const moved = await this.#file.settleTail();
      this.#announce(await this.#file.refresh());
      if (moved === null || this.readOnlyReason() !== null) return;
      const { members } = membersOf({ type: "session.log_recovered", ...moved });
      await this.#write([{ id: this.#ports.ids.eventId(), type: "session.log_recovered", members }]);
    } catch (thrown) {
      await this.#lease.release().catch(() => {});
      throw storageError(thrown, this.#ports.folder);
    }
  }

  #prepare(event: NewEvent): Prepared | Promise<Prepared> {
    const { members, payload } = membersOf(event);
    const id = event.id ?? this.#ports.ids.eventId();
    const prepared = { id, type: event.type, members };
    if (members.length <= limits.logLineBytesMax && Buffer.byteLength(members) <= limits.logLineBytesMax) {
      return prepared;
    }
    return this.#putPayload(prepared, payload);
  }

  async #putPayload(event: Prepared, payload: Record<string, Json>): Promise<Prepared> {
    const payload_ref = await this.#blobs.put(Buffer.from(`{${event.members}}`));
    const preview = previewOf(payload) as Record<string, Json>;
    const members = JSON.stringify({ ...preview, payload_ref: { ...payload_ref } }).slice(1, -1);
    return { ...event, members };
  }

  async #resolved(event: AnyEvent): Promise<AnyEvent> {
    if (event.payload_ref === undefined) return event;
    try {
      const payload: unknown = JSON.parse(Buffer.from(await this.#blobs.read(event.payload_ref)).toString("utf8"));
      const { seq, id, type, processed_at } = event;
      return { seq, id, type, processed_at, ...(payload as object) } as AnyEvent;
    } catch (thrown) {
      this.#ports.report(`the payload of event ${event.seq} of ${this.id} cannot be read`, thrown);
      return event;
    }
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch();
      try {
        const stored = await this.#write(batch.flatMap((pending) => pending.events));
        let at = 0;
        for (const pending of batch) pending.resolve(stored.slice(at, (at += pending.events.length)));
      } catch (thrown) {
        for (const pending of batch) pending.reject(thrown);
      }
    }
    this.#isFlushing = false;
    await this.#saveCheckpoint(false);
  }

  #takeBatch(): readonly PendingAppend[] {
    let bytes = 0;
    let count = 0;
    for (const { events } of this.#queue) {
      bytes += events.reduce((sum, event) => sum + event.members.length, 0);
      if (count > 0 && bytes > BATCH_BYTES_MAX) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  /** All of them, or none. Events whose ids are stored already are not written again (I4). */
  async #write(events: readonly Prepared[]): Promise<readonly AnyEvent[]> {
    this.#mustHoldLease();
    if (this.#file.size() !== this.#file.end) {
      // Another window's last write before it noticed that it is no longer the writer, or a failed write of our own.
      this.#announce(await this.#file.refresh());
      await this.#file.settleTail();
    }
    const { stored, fresh, lines } = await this.#encode(events);
    if (lines.length > 0) {
      try {
        await this.#file.write(lines.length === 1 ? (lines[0] as Buffer) : Buffer.concat(lines));
      } catch (thrown) {
        throw storageError(thrown, this.#ports.folder);
      }
      this.#mustHoldLease();
      fresh.forEach((event, at) => this.#file.appended(event, lines[at]?.length ?? 0));
      this.#announce(fresh);
    }
    return stored;
  }

  async #encode(
    events: readonly Prepared[],
  ): Promise<{ readonly stored: AnyEvent[]; readonly fresh: AnyEvent[]; readonly lines: Buffer[] }> {
    const time = new Date(this.#ports.clock.now()).toISOString();
    const stored: AnyEvent[] = [];
    const fresh: AnyEvent[] = [];
    const lines: Buffer[] = [];
    const inBatch = new Map<string, AnyEvent>();
    let { seq } = this.state();
    for (const { id, type, members } of events) {
      const known = inBatch.get(id) ?? (await this.#file.find(id));
      if (known !== null && known !== undefined) {
        stored.push(known);
        continue;
      }
      seq += 1;
      const line = encodeLine(seq, id, type, time, members);
      const event = { seq, id, type, processed_at: time, ...(JSON.parse(`{${members}}`) as object) } as AnyEvent;
      inBatch.set(id, event);
      stored.push(event);
      fresh.push(event);
      lines.push(line);
    }
    return { stored, fresh, lines };
  }

  #mustHoldLease(): void {
    if (!this.#lease.isFenced()) return;
    const message = "Another window has taken this session over; nothing was written here.";
    throw new ManyHandsError("lease_lost", "session", message);
  }

  #announce(events: readonly AnyEvent[]): void {
    if (events.length > 0) this.#appended.fire(events);
  }

  async #saveCheckpoint(force: boolean): Promise<void> {
    try {
      if (this.#lease.isHeld) await this.#file.saveCheckpoint(force);
    } catch (thrown) {
      this.#ports.report("a checkpoint could not be written; the log is whole without it", thrown);
    }
  }

  /** Sees what another window appends. The watcher is quick where it works; the clock is sure. */
  #follow(): void {
    const look = (): void => {
      if (!this.#lease.isHeld && !this.#following.signal.aborted) void this.#inTurn(() => this.#lookForMore());
    };
    try {
      this.#watcher = watch(this.#ports.folder, { persistent: false }, look);
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch {
      // Too many watchers on this system: the clock has to do.
    }
    void this.#followByClock(look);
  }

  async #followByClock(look: () => void): Promise<void> {
    try {
      for (;;) {
        await this.#ports.clock.sleep(FOLLOW_MS, this.#following.signal);
        look();
      }
    } catch (thrown) {
      if (!this.#following.signal.aborted && !hasCode(thrown, "cancelled")) {
        this.#ports.report("a log is no longer followed", thrown);
      }
    }
  }

  async #lookForMore(): Promise<void> {
    if (this.#lease.isHeld || this.#following.signal.aborted) return;
    try {
      this.#announce(await this.#file.refresh());
    } catch (thrown) {
      this.#ports.report("a log could not be read further", thrown);
    }
  }

  #inTurn<T>(use: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(use, use);
    this.#turn = mine.catch(() => {});
    return mine;
  }
}

function membersOf(event: NewEvent): { readonly members: string; readonly payload: Record<string, Json> } {
  const { type: _type, id: _id, ...payload } = event as unknown as Record<string, Json>;
  return { members: JSON.stringify(payload).slice(1, -1), payload };
}
