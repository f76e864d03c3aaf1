/**
 * The API that Many Hands gives to other extensions: what `activate` returns. It is kept stable: members are added, never
 * changed or taken away.
 *
 * ```ts
 * const manyHands = vscode.extensions.getExtension<ManyHandsApi>("many-hands.many-hands");
 * const api = await manyHands?.activate();
 * const session = await api?.createSession({ message: "Run the tests and fix what fails.", permission: "ask" });
 * ```
 */
import type { SessionService } from "./core/service.ts";

export type { HandSpec, PermissionMode, PermissionPolicy, Resource } from "./core/config.ts";
export type {
  BlobRef,
  CallOutcome,
  ClientEvent,
  EventType,
  NewEvent,
  SessionError,
  StopReason,
  StoredEvent,
  StreamEvent,
} from "./core/events.ts";
export type {
  Attached,
  Call,
  CallContext,
  CallResult,
  FileChange,
  FileEntry,
  FileStat,
  Hand,
  HandFiles,
  HandProvider,
  HandTerminal,
  ProvisionContext,
} from "./core/hand.ts";
export type {
  HandFailure,
  HandInfo,
  HandState,
  HandStatus,
  HandTest,
  HandTestOptions,
  HandUse,
  OpenedHand,
} from "./core/handInfo.ts";
export type { EventId, SessionId } from "./core/ids.ts";
export type { Disposable, Listen } from "./core/listen.ts";
export type { CreateSessionOptions, SessionInfo, SessionService, SessionUpdate } from "./core/service.ts";
export type { Damage, LeaseHolder, Slice } from "./core/sessionLog.ts";
export type { AnyEvent, SessionState, SessionStatus } from "./core/sessionState.ts";
export type { ToolSpec } from "./core/tools.ts";

/** The version of this API; a new major one only if a member had to change. */
export const API_VERSION = 1;

/**
 * Sessions and hands. Every method rejects with an Error whose `code` is an `ErrorCode` (`session_not_found`,
 * `session_read_only`, `event_invalid`, `not_trusted`, …) and whose message says what to do.
 *
 * - `createSession({title?, message?, hands?, model?, permission?})`: a new session; with a message it runs at once.
 * - `listSessions()`, `getSession(id)`: what a list shows; the state is a fold over the log.
 * - `getEvents(id, {from?, to?, types?, limit?, order?, resolve?})`: a slice of the log by position (seq, inclusive).
 * - `emitEvent(id, event)`: a message, an interrupt, or the answer to a call that waits; idempotent when it has an id.
 *   Requests for a grant are answered by people alone.
 * - `wake(id)`: goes on with what there is to do, also after a failure had ended the retries.
 * - `onDidAppendEvent`: each event once it is on disk, of every session that this window has open.
 * - `registerHandProvider(kind, provider)`: a new kind of hand; sessions use it through `hands: [{name, kind}]`.
 * - `listHands()`, `testHand(spec)`, `openHand(id | null, name)`, `restartHand(id | null, name)`: hands as a person sees
 *   them: state, latency and last failure, the files and a terminal of one.
 */
export interface ManyHandsApi extends SessionService {
  readonly version: typeof API_VERSION;
}
