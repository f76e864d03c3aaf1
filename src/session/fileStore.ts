/** All sessions of one storage folder, each in a folder of its own. */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "../core/clock.ts";
import type { NewEvent } from "../core/events.ts";
import { parseSessionId } from "../core/ids.ts";
import type { Ids, SessionId } from "../core/ids.ts";
import type { SessionListing, SessionLog, SessionStore } from "../core/sessionLog.ts";
import { EMPTY_STATE } from "../core/sessionState.ts";
import { BlobFolder } from "./blobFolder.ts";
import { syncFolder } from "./durable.ts";
import { FileLog } from "./fileLog.ts";
import { handFolderName } from "./handFolderName.ts";
import { Lease } from "./lease.ts";
import { encodeLine } from "./line.ts";
import { LOG_NAME, LogView } from "./logView.ts";
import { prepareEvent } from "./newEvent.ts";
import {
  existsAlready,
  isMissing,
  notFound,
  readError,
  runElsewhere,
  storageError,
  systemCode,
} from "./storageErrors.ts";

/** Logs that a listing reads at the same time. */
const READS_AT_ONCE = 16;
const DELETED = /^\.deleted-/;

export interface FileStoreOptions {
  /** The folder with a folder per session; it need not exist yet. */
  readonly root: string;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Says which window this is, for the person at another one. */
  readonly owner: string;
  readonly onError: (what: string, thrown?: unknown) => void;
}

/** A log that was opened has one owner: `close` closes it for everybody who got it from `open`. */
export function createFileStore(options: FileStoreOptions): SessionStore {
  return new FileStore(options);
}

class FileStore implements SessionStore {
  readonly #options: FileStoreOptions;
  readonly #open = new Map<SessionId, Promise<FileLog>>();
  /** Listings by the size and time of their logs: what did not change is not read again. */
  readonly #listed = new Map<SessionId, { readonly mark: string; readonly listing: SessionListing }>();

  constructor(options: FileStoreOptions) {
    this.#options = options;
  }

  async create(id: SessionId, first: NewEvent<"session.created">): Promise<SessionLog> {
    const prepared = prepareEvent(first, this.#options.ids);
    const time = new Date(this.#options.clock.now()).toISOString();
    const line = encodeLine(1, prepared.id, prepared.type, time, prepared.members);
    await this.#place(id, line, prepared.payload?.bytes ?? null);
    const log = await this.open(id);
    const acquired = await log.acquire();
    if (acquired.kind === "held") return log;
    throw runElsewhere(acquired.holder.owner);
  }

  open(id: SessionId): Promise<SessionLog> {
    return this.#openLog(id);
  }

  async list(): Promise<readonly SessionListing[]> {
    let names: readonly string[];
    try {
      names = await readdir(this.#options.root);
    } catch (thrown) {
      if (isMissing(thrown)) return [];
      throw readError(thrown, this.#options.root);
    }
    for (const name of names) if (DELETED.test(name)) void this.#sweep(join(this.#options.root, name));
    const ids = names.map(parseSessionId).filter((id) => id !== undefined);
    for (const id of this.#listed.keys()) if (!ids.includes(id)) this.#listed.delete(id);
    const listings: SessionListing[] = [];
    for (let from = 0; from < ids.length; from += READS_AT_ONCE) {
      const some = await Promise.all(ids.slice(from, from + READS_AT_ONCE).map((id) => this.#listing(id)));
      listings.push(...some.filter((listing) => listing !== null));
    }
    return listings;
  }

  async delete(id: SessionId): Promise<void> {
    const log = await this.#openLog(id);
    const acquired = await log.acquire();
    if (acquired.kind === "busy") throw runElsewhere(acquired.holder.owner);
    // Other windows see it go, and a crash before the next line leaves a session that is deleted, not one that is back.
    await log.append([{ type: "session.deleted" }]).catch(() => {});
    await log.close();
    const grave = join(this.#options.root, `.deleted-${id}-${randomBytes(4).toString("hex")}`);
    try {
      await rename(this.#folder(id), grave);
    } catch (thrown) {
      throw storageError(thrown, this.#options.root);
    }
    this.#listed.delete(id);
    await syncFolder(this.#options.root);
    await this.#sweep(grave);
  }

  handStoragePath(id: SessionId, hand: string): string {
    return join(this.#folder(id), "hands", handFolderName(hand));
  }

  #folder(id: SessionId): string {
    return join(this.#options.root, id);
  }

  /** The folder appears with its first event in it, or not at all. */
  async #place(id: SessionId, line: Buffer, payload: Uint8Array | null): Promise<void> {
    const { root } = this.#options;
    const folder = this.#folder(id);
    const beside = join(root, `.new-${id}-${randomBytes(4).toString("hex")}`);
    try {
      const isFirst = await makeFolder(beside, root);
      if (payload !== null) await new BlobFolder(join(beside, "blobs")).put(payload);
      const file = await open(join(beside, LOG_NAME), "wx", 0o600);
      try {
        await file.writeFile(line);
        await file.datasync();
      } finally {
        await file.close();
      }
      await syncFolder(beside);
      // Renaming replaces an empty folder where there is one; a session is never empty.
      await rename(beside, folder);
      await syncFolder(root);
      if (isFirst) await syncFolder(dirname(root));
    } catch (thrown) {
      await rm(beside, { recursive: true, force: true }).catch(() => {});
      if (["ENOTEMPTY", "EEXIST", "EPERM"].includes(systemCode(thrown)) && (await exists(folder))) {
        throw existsAlready(id, thrown);
      }
      throw storageError(thrown, root);
    }
  }

  #openLog(id: SessionId): Promise<FileLog> {
    const existing = this.#open.get(id);
    if (existing !== undefined) return existing;
    const opened = this.#openFolder(id, () => {
      if (this.#open.get(id) === opened) this.#open.delete(id);
    });
    this.#open.set(id, opened);
    opened.catch(() => this.#open.delete(id));
    return opened;
  }

  async #openFolder(id: SessionId, onClose: () => void): Promise<FileLog> {
    const { owner, clock, ids, onError: report } = this.#options;
    const folder = this.#folder(id);
    try {
      return await FileLog.open({ id, folder, owner, clock, ids, report, onClose });
    } catch (thrown) {
      if (!isMissing(thrown)) throw readError(thrown, join(folder, LOG_NAME));
      throw notFound(id, thrown);
    }
  }

  /** Null: it was deleted while the list was made. */
  async #listing(id: SessionId): Promise<SessionListing | null> {
    const log = await this.#open.get(id)?.catch(() => null);
    if (log !== undefined && log !== null) return listingOf(id, log.view);
    const path = join(this.#folder(id), LOG_NAME);
    try {
      const { size, mtimeMs } = await stat(path);
      const mark = `${size} ${mtimeMs}`;
      const known = this.#listed.get(id);
      if (known?.mark === mark) return known.listing;
      const listing = await this.#read(id);
      this.#listed.set(id, { mark, listing });
      return listing;
    } catch (thrown) {
      if (isMissing(thrown) && !(await exists(this.#folder(id)))) return null;
      return { id, state: EMPTY_STATE, unreadable: readError(thrown, path).message, damaged: true };
    }
  }

  async #read(id: SessionId): Promise<SessionListing> {
    const { owner, clock, onError: report } = this.#options;
    const folder = this.#folder(id);
    const lease = new Lease({ folder, owner, clock, report, onLost: () => {} });
    const hasWriter = async (): Promise<boolean> => (await lease.holder()) !== null;
    const view = await LogView.open({ folder, hasWriter, onEvents: () => {} });
    await view.close();
    return listingOf(id, view);
  }

  async #sweep(grave: string): Promise<void> {
    await rm(grave, { recursive: true, force: true, maxRetries: 3 }).catch((thrown: unknown) => {
      this.#options.onError("a deleted session's folder could not be removed", thrown);
    });
  }
}

function listingOf(id: SessionId, { state, damage, count }: LogView): SessionListing {
  const unreadable = count > 0 ? null : "Nothing in this session's log can be read. Its bytes are kept.";
  return { id, state, unreadable, damaged: damage.length > 0 };
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}

/** True when `root` had to be made as well. Not by `recursive` at once: that hides why a folder cannot be made. */
async function makeFolder(folder: string, root: string): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return false;
  } catch (thrown) {
    if (!isMissing(thrown)) throw thrown;
    await mkdir(root, { recursive: true, mode: 0o700 });
    await mkdir(folder, { mode: 0o700 });
    return true;
  }
}
