/** The log of one session on disk: its view, its writer while the lease is held, and following the writer elsewhere while not. */
import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import type { BlobRef, NewEvent } from "../core/events.ts";
import type { Ids, SessionId } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { Emitter } from "../core/listen.ts";
import type { BlobWriter, Damage, LeaseHolder, SessionLog, Slice } from "../core/sessionLog.ts";
import type { AnyEvent, SessionState } from "../core/sessionState.ts";
import { BlobFolder } from "./blobFolder.ts";
import { Follower } from "./follower.ts";
import { Lease } from "./lease.ts";
import { LOG_NAME, LogView } from "./logView.ts";
import { LogWriter } from "./logWriter.ts";
import { prepareEvent } from "./newEvent.ts";
import type { PreparedEvent } from "./newEvent.ts";
import { newerFormat, withPayloads } from "./reading.ts";
import { closed, notHeld, readOnly, storageError } from "./storageErrors.ts";
import { lacksNewline, settleTail } from "./tail.ts";

export interface FileLogPorts {
  readonly id: SessionId;
  readonly folder: string;
  readonly owner: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly report: (what: string, thrown?: unknown) => void;
  readonly onClose: () => void;
}

type Acquired = { readonly kind: "held" } | { readonly kind: "busy"; readonly holder: LeaseHolder };

export class FileLog implements SessionLog {
  readonly id: SessionId;
  readonly #ports: FileLogPorts;
  readonly #view: LogView;
  readonly #blobs: BlobFolder;
  readonly #lease: Lease;
  readonly #follower: Follower;
  readonly #appended: Emitter<readonly AnyEvent[]>;
  readonly #leaseLost: Emitter<void>;
  /** Only while the lease is held. */
  #writer: LogWriter | null = null;
  /** The last write of a writer that lost the lease. */
  #retired: Promise<void> = Promise.resolve();
  #saving: Promise<void> = Promise.resolve();
  /** What changes who writes, or reads what others wrote: one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /** Rejects with the system's error where the log cannot be read. */
  static async open(ports: FileLogPorts): Promise<FileLog> {
    const { folder, owner, clock, report } = ports;
    const onError = (thrown: unknown): void => report("a listener failed", thrown);
    const appended = new Emitter<readonly AnyEvent[]>(onError);
    let onLost = (): void => {};
    const lease = new Lease({ folder, owner, clock, report, onLost: () => onLost() });
    const view = await LogView.open({
      folder,
      hasWriter: async () => (await lease.holder()) !== null,
      onEvents: (events) => appended.fire(events),
    });
    const log = new FileLog(ports, view, lease, appended);
    onLost = () => log.#loseLease();
    log.#follower.start();
    return log;
  }

  private constructor(ports: FileLogPorts, view: LogView, lease: Lease, appended: Emitter<readonly AnyEvent[]>) {
    this.id = ports.id;
    this.#ports = ports;
    this.#view = view;
    this.#lease = lease;
    this.#appended = appended;
    this.#leaseLost = new Emitter((thrown) => ports.report("a listener failed", thrown));
    this.#blobs = new BlobFolder(join(ports.folder, "blobs"));
    const look = (): Promise<void> => this.#inTurn(() => this.#lookForMore());
    this.#follower = new Follower({ path: join(ports.folder, LOG_NAME), clock: ports.clock, look });
  }

  readonly onDidAppend: SessionLog["onDidAppend"] = (listener) => this.#appended.listen(listener);
  readonly onDidLoseLease: SessionLog["onDidLoseLease"] = (listener) => this.#leaseLost.listen(listener);

  state(): SessionState {
    return this.#view.state;
  }

  damage(): readonly Damage[] {
    return this.#view.damage;
  }

  /** What this process has seen of the log; to be read only. */
  get view(): LogView {
    return this.#view;
  }

  readOnlyReason(): string | null {
    return newerFormat(this.state());
  }

  async getEvents(slice: Slice): Promise<readonly AnyEvent[]> {
    this.#mustBeOpen();
    const events = await this.#view.slice(slice);
    if (slice.resolve !== true) return events;
    return withPayloads(
      events,
      (ref) => this.#blobs.read(ref),
      (seq, reason) => this.#view.reportDamage(seq, reason),
    );
  }

  append(events: readonly NewEvent[]): Promise<readonly AnyEvent[]> {
    try {
      const writer = this.#mustWrite();
      return writer.append(events.map((event) => prepareEvent(event, this.#ports.ids)));
    } catch (thrown) {
      return Promise.reject(storageError(thrown, this.#ports.folder));
    }
  }

  async putBlob(bytes: Uint8Array): Promise<BlobRef> {
    this.#mustWrite();
    return this.#blobs.put(bytes);
  }

  async createBlob(): Promise<BlobWriter> {
    this.#mustWrite();
    return this.#blobs.create();
  }

  async readBlob(ref: BlobRef, range?: { readonly offset: number; readonly bytes: number }): Promise<Uint8Array> {
    return this.#blobs.read(ref, range);
  }

  acquire(): Promise<Acquired> {
    return this.#inTurn(() => this.#acquire(false));
  }

  async takeOver(): Promise<void> {
    const reason = this.readOnlyReason();
    if (reason !== null) throw readOnly(reason);
    await this.#inTurn(() => this.#acquire(true));
  }

  release(): Promise<void> {
    return this.#inTurn(() => this.#release());
  }

  /** Looks at the disk: a lease that was taken over is noticed here as well. */
  holdsLease(): boolean {
    return this.#lease.isCurrent();
  }

  async holder(): Promise<LeaseHolder | null> {
    if (!this.#lease.isCurrent()) return this.#lease.holder();
    return { epoch: this.#lease.epoch, owner: this.#ports.owner };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#follower.stop();
    await this.#inTurn(async () => {
      await this.#release();
      await this.#retired;
      await this.#saving;
      await this.#view.close();
    });
    this.#appended.dispose();
    this.#leaseLost.dispose();
    this.#ports.onClose();
  }

  /** Keeps what was read, so that the next one who opens the log need not read it again. */
  #saveCheckpoint(): Promise<void> {
    this.#saving = this.#saving
      .then(() => this.#view.saveCheckpoint())
      .catch((thrown: unknown) => {
        this.#ports.report("a checkpoint could not be written; the log is whole without it", thrown);
      });
    return this.#saving;
  }

  async #acquire(force: boolean): Promise<Acquired> {
    this.#mustBeOpen();
    const acquired = await this.#lease.acquire(force);
    if (acquired.kind === "busy") return acquired;
    if (this.#writer !== null || this.readOnlyReason() !== null) return { kind: "held" };
    this.#follower.stop();
    try {
      await this.#retired;
      await this.#startWriting(acquired.isSuspect, force);
    } catch (thrown) {
      await this.#release();
      throw storageError(thrown, this.#ports.folder);
    }
    return { kind: "held" };
  }

  async #startWriting(isSuspect: boolean, isTaken: boolean): Promise<void> {
    const { folder, clock } = this.#ports;
    const torn = await this.#settleTail(isSuspect);
    const taken: NewEvent = { type: "session.lease_taken", epoch: this.#lease.epoch };
    const notes = isTaken ? [...torn, prepareEvent(taken, this.#ports.ids)] : torn;
    const ports = {
      folder,
      view: this.#view,
      clock,
      putPayload: (bytes: Uint8Array) => this.#blobs.put(bytes),
      mustHoldLease: () => {
        if (!this.#lease.isCurrent()) throw notHeld();
      },
      settleTail: () => this.#settleTail(true),
      onEvents: (events: readonly AnyEvent[]) => {
        this.#appended.fire(events);
        if (this.#view.eventsSinceCheckpoint >= limits.checkpointEvents) void this.#saveCheckpoint();
      },
    };
    const writer = new LogWriter(ports, await lacksNewline(folder, this.#view.end));
    this.#writer = writer;
    if (notes.length > 0) {
      writer.note(notes);
      // Where there is no room for them now, they go before the next append.
      await writer
        .append([])
        .catch((thrown: unknown) => this.#ports.report("an event about the log waits for room", thrown));
    }
    void this.#blobs.removeAbandoned();
  }

  async #settleTail(isSuspect: boolean): Promise<readonly PreparedEvent[]> {
    const torn = await settleTail(this.#view, this.#ports.folder, this.#ports.clock, isSuspect);
    return torn === null ? [] : [prepareEvent({ type: "session.log_recovered", ...torn }, this.#ports.ids)];
  }

  async #release(): Promise<void> {
    const writer = this.#writer;
    if (writer !== null) {
      await writer.idle();
      await this.#saveCheckpoint();
      // Null by now if the lease was lost in the meantime.
      if (this.#writer === writer) this.#writer = null;
      await writer.close(notHeld());
    }
    await this.#lease.release();
    if (!this.#isClosed) this.#follower.start();
  }

  #loseLease(): void {
    const writer = this.#writer;
    this.#writer = null;
    if (writer !== null) {
      writer.refuse(notHeld());
      this.#retired = writer.close(notHeld());
    }
    if (!this.#isClosed) this.#follower.start();
    // Not in the middle of whatever noticed it.
    queueMicrotask(() => this.#leaseLost.fire());
  }

  async #lookForMore(): Promise<void> {
    await this.#retired;
    if (this.#writer !== null || this.#isClosed) return;
    try {
      await this.#view.refresh();
    } catch (thrown) {
      this.#ports.report("a log could not be read further", thrown);
    }
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw closed();
  }

  #mustWrite(): LogWriter {
    this.#mustBeOpen();
    const reason = this.readOnlyReason();
    if (reason !== null) throw readOnly(reason);
    if (this.#writer === null) throw notHeld();
    return this.#writer;
  }

  #inTurn<T>(use: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(use, use);
    this.#turn = mine.catch(() => {});
    return mine;
  }
}
