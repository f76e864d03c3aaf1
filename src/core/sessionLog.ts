/** The port of the session store: append-only logs, positional slices, blobs, one writer each. */
import type { BlobRef, NewEvent } from "./events.ts";
import type { SessionId } from "./ids.ts";
import type { Listen } from "./listen.ts";
import type { AnyEvent, SessionState } from "./sessionState.ts";

/** A part of the log by position. Bounds are inclusive seqs; what is left out means "from the first", "to the last". */
export interface Slice {
  readonly from?: number;
  readonly to?: number;
  readonly types?: readonly string[];
  /** At most this many, and never more than `limits.sliceEventsMax`. Default: that limit. */
  readonly limit?: number;
  /** "desc" counts the limit from the end of the range. The events given are in ascending order either way. */
  readonly order?: "asc" | "desc";
  /** Put payloads that are kept in blobs back into their events. Default: previews. */
  readonly resolve?: boolean;
}

/** Bytes of a log that are no valid event. They are kept as they are. */
export interface Damage {
  /** Where in events.jsonl, in bytes. */
  readonly offset: number;
  readonly bytes: number;
  /** What is wrong, in words for the person. */
  readonly reason: string;
}

/** Who holds the lease of a session. */
export interface LeaseHolder {
  readonly epoch: number;
  /** Says which window, in words for the person. */
  readonly owner: string;
}

export interface BlobWriter {
  write(chunk: Uint8Array): Promise<void>;
  /** Durable under its hash when this resolves. */
  finish(): Promise<BlobRef>;
  discard(): Promise<void>;
}

/**
 * One session's log. Reading needs no lease; `append` and blobs do. Errors are ManyHandsError: `lease_lost`,
 * `storage_full`, `storage_denied`, `storage_failed` (nothing of the append is in the log; the same append may be tried
 * again), `session_read_only` (log of a newer version), `event_invalid`.
 */
export interface SessionLog {
  readonly id: SessionId;
  /** The fold over all that this process has seen of the log. */
  state(): SessionState;
  damage(): readonly Damage[];
  /** Why nobody may write to it (a newer format), or null. */
  readOnlyReason(): string | null;
  getEvents(slice: Slice): Promise<readonly AnyEvent[]>;
  /**
   * Appends in order, all of them or none, and resolves when they are on disk (fdatasync). An event whose id is in the
   * log already is not appended again: what is stored is given back in its place (I4).
   */
  append(events: readonly NewEvent[]): Promise<readonly AnyEvent[]>;
  putBlob(bytes: Uint8Array): Promise<BlobRef>;
  createBlob(): Promise<BlobWriter>;
  /** Checked against its hash. Rejects with `blob_missing` or `blob_damaged`. */
  readBlob(ref: BlobRef, range?: { readonly offset: number; readonly bytes: number }): Promise<Uint8Array>;
  /** What was appended, by this process or by another window; each event once, in order. */
  readonly onDidAppend: Listen<readonly AnyEvent[]>;

  /** Gets the lease if nobody alive has it; else says who does. */
  acquire(): Promise<{ readonly kind: "held" } | { readonly kind: "busy"; readonly holder: LeaseHolder }>;
  /** Gets the lease in any case, with a new epoch; the holder's next write is refused. */
  takeOver(): Promise<void>;
  /** Gives the lease back, so that the next one need not wait. */
  release(): Promise<void>;
  holdsLease(): boolean;
  /** Who writes to it now, this window or another one that is alive; null when nobody does. Changes nothing. */
  holder(): Promise<LeaseHolder | null>;
  readonly onDidLoseLease: Listen<void>;
  close(): Promise<void>;
}

export interface SessionListing {
  readonly id: SessionId;
  /** The fold at the end of the log; EMPTY_STATE-like where nothing could be read. */
  readonly state: SessionState;
  /** Set when the log could not be read at all; the session is shown with it, never as empty. */
  readonly unreadable: string | null;
  readonly damaged: boolean;
}

export interface SessionStore {
  /** A new log with its first event, its lease held. */
  create(id: SessionId, first: NewEvent<"session.created">): Promise<SessionLog>;
  /** The same object for the same session until it is closed. */
  open(id: SessionId): Promise<SessionLog>;
  list(): Promise<readonly SessionListing[]>;
  /** Removes the session's folder; needs its lease. */
  delete(id: SessionId): Promise<void>;
  /** A folder for what a hand of this session keeps on this computer. */
  handStoragePath(id: SessionId, hand: string): string;
}
