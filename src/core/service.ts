/**
 * The session service: what views, other extensions and programs use. The orchestrator implements it over local logs; a
 * Managed Agents server could implement it as well.
 */
import type { HandSpec, PermissionMode } from "./config.ts";
import type { BlobRef, ClientEvent, StreamEvent } from "./events.ts";
import type { HandProvider } from "./hand.ts";
import type { HandInfo, HandTest, HandTestOptions, OpenedHand } from "./handInfo.ts";
import type { SessionId } from "./ids.ts";
import type { Disposable, Listen } from "./listen.ts";
import type { Damage, LeaseHolder, Slice } from "./sessionLog.ts";
import type { AnyEvent, SessionState } from "./sessionState.ts";

export interface CreateSessionOptions {
  readonly title?: string;
  /** The first message; without one the session starts idle. */
  readonly message?: string;
  /** Default: the hands of the settings, or one local hand in the workspace folder. */
  readonly hands?: readonly HandSpec[];
  /** A model id; default: the setting. */
  readonly model?: string;
  readonly permission?: PermissionMode;
}

/** What a list or a page needs to know of a session besides its events. */
export interface SessionInfo {
  readonly id: SessionId;
  readonly state: SessionState;
  /** This window runs it, another one does, or nobody does. */
  readonly writer:
    { readonly kind: "this" } | { readonly kind: "other"; readonly holder: LeaseHolder } | { readonly kind: "none" };
  /** Why it can be read only (a newer log, no trust), or null. */
  readonly read_only: string | null;
  /** Why it waits without being asked to (full disk, no permission), or null. */
  readonly paused: string | null;
  /** Why its log could not be read at all, or null. */
  readonly unreadable: string | null;
  readonly damage: readonly Damage[];
}

export interface SessionService {
  createSession(options: CreateSessionOptions): Promise<SessionInfo>;
  /** Newest activity first. */
  listSessions(): Promise<readonly SessionInfo[]>;
  getSession(id: string): Promise<SessionInfo>;
  getEvents(id: string, slice: Slice): Promise<readonly AnyEvent[]>;
  /** Appends what a person or program says and wakes the session. With an id: idempotent. */
  emitEvent(id: string, event: ClientEvent): Promise<AnyEvent>;
  /** Runs what there is to do; after a failure that ended the retries, tries again. */
  wake(id: string): Promise<void>;
  /** Title, archive, model, permission, hands. */
  updateSession(id: string, change: SessionUpdate): Promise<void>;
  deleteSession(id: string): Promise<void>;
  /** Makes this window the session's writer. */
  takeOver(id: string): Promise<void>;
  readBlob(id: string, ref: BlobRef, range?: { readonly offset: number; readonly bytes: number }): Promise<Uint8Array>;
  registerHandProvider(kind: string, provider: HandProvider): Disposable;
  /** The kinds that have a provider now. */
  handKinds(): Promise<readonly string[]>;
  /** The hands of the settings first, then those of sessions that this window has open; each spec once. */
  listHands(): Promise<readonly HandInfo[]>;
  /** Provisions a hand of no session, asks for one round trip, and ends it again. What went wrong is in the result. */
  testHand(spec: HandSpec, options?: HandTestOptions): Promise<HandTest>;
  /**
   * A hand for a person: its files, a terminal. Provisioned if it is not there. `id` null: one of the settings' hands, of
   * no session. Rejects with `hand_unknown`, `hand_unavailable`, `session_read_only` or `not_trusted`.
   */
  openHand(id: string | null, name: string): Promise<OpenedHand>;
  /** Ends it and all that runs in it; it is provisioned anew when it is next needed. Refused while a call runs there. */
  restartHand(id: string | null, name: string): Promise<void>;
  /** Asks every hand that is there for one round trip; see `latency_ms`. */
  pingHands(): Promise<void>;

  readonly onDidAppendEvent: Listen<{ readonly session_id: SessionId; readonly event: AnyEvent }>;
  /** Live parts that are never stored. */
  readonly onDidStream: Listen<{ readonly session_id: SessionId; readonly event: StreamEvent }>;
  /** Something that a list shows has changed: `id`, or the list as a whole. */
  readonly onDidChangeSessions: Listen<{ readonly id: SessionId | null }>;
  /** What `listHands` or `handKinds` gives has changed. */
  readonly onDidChangeHands: Listen<null>;
}

export interface SessionUpdate {
  readonly title?: string;
  readonly archived?: boolean;
  readonly model?: string | null;
  readonly permission?: PermissionMode;
  /**
   * All hands that it has from now on. One that is added is provisioned when it is needed; one that is replaced (same name,
   * other spec) or taken away is ended. Refused while a call runs on such a one. The model is told.
   */
  readonly hands?: readonly HandSpec[];
}
