/** All sessions of one storage folder, each in a folder of its own. */
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { ManyHandsError } from "../core/errors.ts";
import type { NewEvent } from "../core/events.ts";
import { parseSessionId } from "../core/ids.ts";
import type { Ids, SessionId } from "../core/ids.ts";
import { messageOf } from "../core/json.ts";
import type { SessionListing, SessionLog, SessionStore } from "../core/sessionLog.ts";
import { EMPTY_STATE } from "../core/sessionState.ts";
import { syncFolder } from "./durable.ts";
import { FileLog } from "./fileLog.ts";
import { LogFile } from "./logFile.ts";
import { isMissing, storageError } from "./storageErrors.ts";

export interface FileStoreOptions {
  /** The folder with a folder per session; it need not exist yet. */
  readonly root: string;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Says which window this is, for the person at another one. */
  readonly owner: string;
  readonly onError: (what: string, thrown?: unknown) => void;
}

export function createFileStore(options: FileStoreOptions): SessionStore {
  return new FileStore(options);
}

class FileStore implements SessionStore {
  readonly #options: FileStoreOptions;
  readonly #open = new Map<SessionId, Promise<FileLog>>();
  /** Listings by the size and time of their logs: a list of hundreds is read once. */
  readonly #listed = new Map<SessionId, { readonly mark: string; readonly listing: SessionListing }>();

  constructor(options: FileStoreOptions) {
    this.#options = options;
  }

  async create(id: SessionId, first: NewEvent<"session.created">): Promise<SessionLog> {
    const folder = this.#folder(id);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFile(join(folder, "events.jsonl"), "", { flag: "wx", mode: 0o600 });
      await syncFolder(folder);
      await syncFolder(this.#options.root);
    } catch (thrown) {
      throw storageError(thrown, this.#options.root);
    }
    try {
      const log = await this.open(id);
      await log.acquire();
      await log.append([first]);
      return log;
    } catch (thrown) {
      // Nothing is in it yet: a session that could not be created leaves no trace.
      await (await this.#open.get(id)?.catch(() => null))?.close();
      await rm(folder, { recursive: true, force: true }).catch(() => {});
      throw thrown;
    }
  }

  open(id: SessionId): Promise<SessionLog> {
    const existing = this.#open.get(id);
    if (existing !== undefined) return existing;
    const opened = this.#openFile(id);
    this.#open.set(id, opened);
    opened.catch(() => this.#open.delete(id));
    return opened;
  }

  async list(): Promise<readonly SessionListing[]> {
    let names: readonly string[];
    try {
      names = await readdir(this.#options.root);
    } catch (thrown) {
      if (isMissing(thrown)) return [];
      throw storageError(thrown, this.#options.root);
    }
    const ids = names.map(parseSessionId).filter((id) => id !== undefined);
    return Promise.all(ids.map((id) => this.#listing(id)));
  }

  async delete(id: SessionId): Promise<void> {
    const log = await this.open(id);
    if (!log.holdsLease()) {
      throw new ManyHandsError("lease_lost", "session", "Only the window that runs a session can delete it.");
    }
    await log.close();
    // Renamed first: a crash in the middle leaves no half session in the list.
    const grave = `${this.#folder(id)}.deleted`;
    try {
      await rename(this.#folder(id), grave);
    } catch (thrown) {
      throw storageError(thrown, this.#options.root);
    }
    await rm(grave, { recursive: true, force: true, maxRetries: 3 });
  }

  handStoragePath(id: SessionId, hand: string): string {
    // Names are the person's: what a file system may refuse, or read as a path, is written as its code.
    const safe = hand.replace(/[^A-Za-z0-9-]/g, (char) => `_${char.codePointAt(0)?.toString(16)}_`).slice(0, 120);
    return join(this.#folder(id), "hands", safe);
  }

  #folder(id: SessionId): string {
    return join(this.#options.root, id);
  }

  async #openFile(id: SessionId): Promise<FileLog> {
    const folder = this.#folder(id);
    let file: LogFile;
    try {
      file = await LogFile.open(folder);
    } catch (thrown) {
      if (isMissing(thrown)) {
        throw new ManyHandsError("session_not_found", "session", `There is no session ${id}.`, thrown);
      }
      throw storageError(thrown, folder);
    }
    const { owner, clock, ids, onError: report } = this.#options;
    return new FileLog(file, { id, folder, owner, clock, ids, report, onClose: () => this.#open.delete(id) });
  }

  async #listing(id: SessionId): Promise<SessionListing> {
    const open = await this.#open.get(id)?.catch(() => null);
    if (open !== undefined && open !== null) {
      return { id, state: open.state(), unreadable: null, damaged: open.damage().length > 0 };
    }
    const folder = this.#folder(id);
    try {
      const { size, mtimeMs } = await stat(join(folder, "events.jsonl"));
      const mark = `${size} ${mtimeMs}`;
      const known = this.#listed.get(id);
      if (known?.mark === mark) return known.listing;
      const file = await LogFile.open(folder);
      await file.close();
      const listing = { id, state: file.state, unreadable: null, damaged: file.damage.length > 0 };
      this.#listed.set(id, { mark, listing });
      return listing;
    } catch (thrown) {
      const state = { ...EMPTY_STATE, title: id };
      return { id, state, unreadable: `The log in ${folder} cannot be read: ${messageOf(thrown)}`, damaged: true };
    }
  }
}
