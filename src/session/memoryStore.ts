/** The session store without a disk: for simulations that crash it at will and go on with exactly what was durable. */
import type { Clock } from "../core/clock.ts";
import type { NewEvent } from "../core/events.ts";
import type { Ids, SessionId } from "../core/ids.ts";
import type { SessionListing, SessionLog, SessionStore } from "../core/sessionLog.ts";
import { handFolderName } from "./handFolderName.ts";
import { MemoryLog } from "./memoryLog.ts";
import type { AppendMoment, MemorySession } from "./memoryLog.ts";
import { closed, existsAlready, notFound, runElsewhere } from "./storageErrors.ts";

/** What outlives a crash. Stores that share one are windows on the same storage folder. */
export type MemoryDisk = Map<SessionId, MemorySession>;

export interface MemoryStoreOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  /** Default: a new, empty one. */
  readonly disk?: MemoryDisk;
  readonly owner?: string;
  readonly onError?: (what: string, thrown?: unknown) => void;
  /**
   * Called at both sides of the moment at which an append becomes durable. Where it gives "crash", the store crashes
   * there: before, nothing of the append is stored; after, all of it is, and nobody was told.
   */
  readonly onAppend?: (moment: AppendMoment, id: SessionId, events: readonly NewEvent[]) => "crash" | void;
}

export interface MemoryStore extends SessionStore {
  readonly disk: MemoryDisk;
  /** Ends this store as a crash of its process would: all that it is asked from now on rejects, its leases are free. */
  crash(): void;
}

export function createMemoryStore(options: MemoryStoreOptions): MemoryStore {
  return new Store(options);
}

class Store implements MemoryStore {
  readonly disk: MemoryDisk;
  readonly #options: MemoryStoreOptions;
  readonly #open = new Map<SessionId, MemoryLog>();
  #hasCrashed = false;

  constructor(options: MemoryStoreOptions) {
    this.#options = options;
    this.disk = options.disk ?? new Map<SessionId, MemorySession>();
  }

  async create(id: SessionId, first: NewEvent<"session.created">): Promise<SessionLog> {
    this.#mustLive();
    if (this.disk.has(id)) throw existsAlready(id);
    this.disk.set(id, { lines: [], ids: new Map(), blobs: new Map(), epoch: 0, holder: null, logs: new Set() });
    try {
      const log = this.#openLog(id);
      await log.acquire();
      await log.append([first]);
      return log;
    } catch (thrown) {
      // A session is never there without its first event.
      if (this.disk.get(id)?.lines.length === 0) this.disk.delete(id);
      this.#open.delete(id);
      throw thrown;
    }
  }

  async open(id: SessionId): Promise<SessionLog> {
    this.#mustLive();
    return this.#openLog(id);
  }

  async list(): Promise<readonly SessionListing[]> {
    this.#mustLive();
    return Array.from(this.disk, ([id, session]) => {
      const state = MemoryLog.fold(session);
      const unreadable = state.seq > 0 ? null : "Nothing in this session's log can be read.";
      return { id, state, unreadable, damaged: false };
    });
  }

  async delete(id: SessionId): Promise<void> {
    this.#mustLive();
    const log = this.#openLog(id);
    const acquired = await log.acquire();
    if (acquired.kind === "busy") throw runElsewhere(acquired.holder.owner);
    await log.append([{ type: "session.deleted" }]).catch(() => {});
    await log.close();
    this.disk.delete(id);
  }

  handStoragePath(id: SessionId, hand: string): string {
    return `/memory/${id}/hands/${handFolderName(hand)}`;
  }

  crash(): void {
    this.#hasCrashed = true;
    for (const log of this.#open.values()) log.crash();
    this.#open.clear();
  }

  #mustLive(): void {
    if (this.#hasCrashed) throw closed();
  }

  #openLog(id: SessionId): MemoryLog {
    const existing = this.#open.get(id);
    if (existing !== undefined) return existing;
    const session = this.disk.get(id);
    if (session === undefined) throw notFound(id);
    const { clock, ids, owner = "memory", onError = () => {}, onAppend } = this.#options;
    const log = new MemoryLog(session, {
      id,
      clock,
      ids,
      owner,
      onError: (thrown) => onError("a listener failed", thrown),
      onClose: () => this.#open.delete(id),
      crashesAt: (moment, events) => {
        if (onAppend?.(moment, id, events) !== "crash") return false;
        this.crash();
        return true;
      },
    });
    this.#open.set(id, log);
    return log;
  }
}
