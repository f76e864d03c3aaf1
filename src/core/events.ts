/**
 * The events of a session: names and fields are those of the hosted Managed Agents API where it has them; what this
 * project adds is marked "own". The table in ARCHITECTURE.md says what each one means.
 */
import type { EventId } from "./ids.ts";
import type { Json, JsonObject } from "./json.ts";
import type { HandSpec, PermissionMode } from "./config.ts";
import type { GrantLasts, GrantScope } from "./vault.ts";
import type { Origin } from "./errors.ts";
import type { RedactionCount } from "./redaction.ts";

/** Bytes kept beside the log under `blobs/<sha256>`. */
export interface BlobRef {
  readonly sha256: string;
  readonly bytes: number;
}

export interface TextBlock {
  readonly type: "text";
  readonly text: string;
  readonly citations?: Json;
}
interface ImageBlock {
  readonly type: "image";
  readonly source: { readonly type: "base64"; readonly media_type: string; readonly data: string };
}
interface DocumentBlock {
  readonly type: "document";
  readonly source: JsonObject;
  readonly title?: string;
}
export type UserBlock = TextBlock | ImageBlock | DocumentBlock;
export type ResultBlock = TextBlock | ImageBlock;

/** What became of a call (invariant I6). `not_run`: refused, denied, or stopped before it reached the hand. */
export type CallOutcome =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signalled"; readonly signal: string }
  | { readonly kind: "running" }
  | { readonly kind: "hand_lost" }
  | { readonly kind: "unknown" }
  | { readonly kind: "not_run" };

export type StopReason =
  | { readonly type: "end_turn" }
  | { readonly type: "requires_action"; readonly event_ids: readonly EventId[] }
  | { readonly type: "retries_exhausted" }
  | { readonly type: "budget_reached" }
  | { readonly type: "refusal" };

export type SessionErrorType =
  | "unknown_error"
  | "model_overloaded_error"
  | "model_rate_limited_error"
  | "model_request_failed_error"
  | "mcp_connection_failed_error"
  | "mcp_authentication_failed_error"
  | "billing_error"
  | "tool_use_limit_reached_error"
  | "compaction_limit_reached_error"
  | "hand_error"
  | "repository_authentication_error"
  | "repository_forbidden_error"
  | "repository_not_found_error"
  | "repository_checkout_error"
  | "repository_clone_error"
  /** Own: a resource that is no repository. */
  | "resource_error"
  | "storage_error";

export interface SessionError {
  readonly type: SessionErrorType;
  /** What happened and what the person can do, in one or two sentences. */
  readonly message: string;
  readonly retry_status: "retrying" | "exhausted" | "terminal";
  /** Own: where it arose. */
  readonly origin?: Origin;
  /** Own: with `retrying`, the delay before the next try, in milliseconds. */
  readonly retry_after_ms?: number;
}

export interface ModelUsage {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cache_creation_input_tokens: number;
  readonly cache_read_input_tokens: number;
}

/** Carried by each event of an assistant turn: the `span.model_request_start` that began it. */
interface OfTurn {
  readonly model_request_start_id: EventId;
}

/** Carried by what the brain decides. */
interface Decided {
  /**
   * Own: the last event that the brain knew of. What was appended between that one and this one was not considered: it
   * still waits. Absent where nobody could have come between.
   */
  readonly seen_seq?: number;
}

export type ConfirmationResult = "allow" | "deny";
export type EvaluatedPermission = "allow" | "ask" | "deny";

/** Payload of each event type, without the envelope. */
export interface EventPayloads {
  // From the person or a program
  "user.message": { readonly content: readonly UserBlock[] };
  "user.interrupt": {};
  "user.tool_confirmation": {
    readonly tool_use_id: EventId;
    readonly result: ConfirmationResult;
    readonly deny_message?: string;
    /** Own: with `allow`, the tool of this call need not ask again in this session (on the same hand). */
    readonly for_session?: boolean;
  };
  /** Own: the answer to a `vault.grant_requested`; with `allow`, how long it holds and, if not as asked, for what. */
  "user.grant_decision": {
    readonly grant_request_id: EventId;
    readonly result: ConfirmationResult;
    readonly lasts?: GrantLasts;
    readonly scope?: GrantScope;
  };
  "system.message": { readonly content: readonly TextBlock[] };

  // From the agent: blocks verbatim, so that the next request repeats them byte for byte
  "agent.message": OfTurn & { readonly content: readonly TextBlock[] };
  "agent.thinking": OfTurn & {
    /** The block as the API sent it: `thinking` with its signature, or `redacted_thinking`. */
    readonly block:
      | { readonly type: "thinking"; readonly thinking: string; readonly signature: string }
      | { readonly type: "redacted_thinking"; readonly data: string };
  };
  "agent.tool_use": OfTurn & {
    readonly name: string;
    readonly input: Json;
    readonly evaluated_permission: EvaluatedPermission;
    /** Own: the id that the model gave the block (`toolu_…`); the event's own id is the call's id everywhere else. */
    readonly block_id: string;
    /** Own: the name of the hand that the call is for; absent for a tool that no hand of the session offers. */
    readonly hand?: string;
    /** Own: members of the block other than type, id, name and input, verbatim. */
    readonly block_extra?: JsonObject;
  };
  /** Own: a block of a type that this version does not know, kept and sent back verbatim. */
  "agent.other_block": OfTurn & { readonly block: JsonObject };
  "agent.tool_result": {
    readonly tool_use_id: EventId;
    readonly content: readonly ResultBlock[];
    readonly is_error: boolean;
    /** Own: what became of the call. */
    readonly outcome: CallOutcome;
    /** Own: the whole raw output, where it is more than `content` shows. */
    readonly output_ref?: BlobRef;
    /** Own: raw bytes that the call printed, kept or not. */
    readonly output_bytes?: number;
    /** Own: how long the call took as its hand measured it, in milliseconds. */
    readonly duration_ms?: number;
    /** Own: what was taken out of what the call printed; absent where nothing was. */
    readonly redactions?: readonly RedactionCount[];
  };
  "agent.thread_context_compacted": {
    /** Own: `clear_tool_results` blanks results before the seq in requests; `summarise` puts `summary` in place of all before it. */
    readonly strategy: "clear_tool_results" | "summarise";
    /** Own: the seq of a `span.model_request_start`; content before it is concerned. The log itself stays whole. */
    readonly before_seq: number;
    readonly summary?: string;
  };

  // About the session
  /** Own: always the first event; what the session was made with. */
  "session.created": {
    readonly schema_version: number;
    readonly title: string;
    readonly hands: readonly HandSpec[];
    readonly model: string | null;
    readonly permission: PermissionMode;
  };
  "session.updated": {
    readonly title?: string;
    readonly archived?: boolean;
    readonly model?: string | null;
    readonly hands?: readonly HandSpec[];
    readonly permission?: PermissionMode;
  };
  "session.status_running": Decided;
  "session.status_idle": Decided & { readonly stop_reason: StopReason };
  "session.status_rescheduled": {};
  "session.status_terminated": {};
  "session.error": { readonly error: SessionError };
  "session.deleted": {};
  /** Own: an unfinished last line was moved aside into `set_aside` (a file beside the log). */
  "session.log_recovered": { readonly set_aside: string; readonly bytes: number };
  /** Own: another window took the session over; `epoch` is the new lease. */
  "session.lease_taken": { readonly epoch: number };

  // Spans
  "span.model_request_start": Decided & {
    readonly model: string;
    /** Own: a turn of the conversation, or a request for a summary of it. */
    readonly purpose: "turn" | "summary";
  };
  "span.model_request_end": {
    readonly model_request_start_id: EventId;
    readonly is_error: boolean;
    readonly model_usage: ModelUsage;
    /** Own: why the model stopped; null after an error; "interrupted" when the person stopped it. */
    readonly stop_reason: string | null;
    /** Own: time to the first token, in milliseconds. */
    readonly first_token_ms?: number;
  };

  // Hands (own)
  /** The far end of `hand` is ready; `instance` names this one, a later one has another. */
  "hand.provisioned": {
    readonly hand: string;
    readonly kind: string;
    readonly instance: string;
    readonly description: string;
  };
  "hand.provision_failed": { readonly hand: string; readonly kind: string; readonly message: string };
  "hand.lost": { readonly hand: string; readonly instance: string; readonly message: string };
  /** Written before the call is sent to the hand (I3), so that a wake knows which instance to ask (I6). */
  "hand.call_started": { readonly tool_use_id: EventId; readonly hand: string; readonly instance: string };
  /** Written before a call changes a file: both versions, so that the change can be shown whenever. */
  "hand.file_change": {
    readonly tool_use_id: EventId;
    readonly path: string;
    /** null: the file did not exist. */
    readonly before: BlobRef | null;
    readonly after: BlobRef;
    /** A stored credential was taken out of a version: with what is kept, the file cannot be put back as it was. */
    readonly redacted?: boolean;
  };
  /** A resource is in its place at this far end; written before the first call leaves for it. */
  "resource.mounted": {
    readonly hand: string;
    readonly instance: string;
    readonly source_ref: string;
    readonly mount_path: string;
    /** That were sent there. */
    readonly bytes: number;
  };

  // The vault (own): what is granted is kept by the vault itself; these say so to people and never hold a value
  /** A use that no grant covers: a request of the hand waits for the person. `hand` null: of the harness. */
  "vault.grant_requested": {
    readonly credential_id: string;
    readonly credential_name: string;
    readonly hand: string | null;
    readonly scope: GrantScope;
    readonly method: string;
    readonly path: string;
  };
  "vault.grant_given": {
    readonly grant_id: string;
    readonly credential_id: string;
    readonly credential_name: string;
    readonly scope: GrantScope;
    readonly lasts: GrantLasts;
    readonly grant_request_id?: EventId;
  };
  "vault.grant_revoked": { readonly grant_id: string; readonly credential_name: string };
  /** The first use under a grant by each hand. */
  "vault.credential_used": {
    readonly grant_id: string;
    readonly credential_name: string;
    readonly hand: string | null;
    readonly method: string;
    readonly origin: string;
    readonly path: string;
  };
}

export type EventType = keyof EventPayloads;

/** An event as it is appended: the store adds seq, time and, if there is none, the id. */
export type NewEvent<T extends EventType = EventType> = {
  [K in T]: { readonly type: K; readonly id?: EventId } & EventPayloads[K];
}[T];

interface Envelope {
  readonly seq: number;
  readonly id: EventId;
  /** ISO time at which the event was appended. */
  readonly processed_at: string;
  /**
   * Set when the line was too long: the payload is in the blob, and the members here are a preview with the same shape
   * (long strings cut). Ids and every field that a fold reads are never cut.
   */
  readonly payload_ref?: BlobRef;
  /** Never stored: why a payload that was to be put back from its blob could not be; the preview is what is left. */
  readonly payload_error?: string;
}

/** An event as it is stored. */
export type StoredEvent<T extends EventType = EventType> = {
  [K in T]: { readonly type: K } & Envelope & EventPayloads[K];
}[T];

/** An event of a type that this version does not know: it is kept, shown by name, and folded over without effect. */
export interface UnknownEvent extends Envelope {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** Events that the person or another program may send. */
type ClientEventType =
  "user.message" | "user.interrupt" | "user.tool_confirmation" | "user.grant_decision" | "system.message";
export type ClientEvent = NewEvent<ClientEventType>;

/** Stream only, never stored: what a live viewer sees before the stored event with the same id replaces it. */
export type StreamEvent =
  | {
      readonly type: "event_start";
      readonly event: { readonly id: EventId; readonly type: EventType; readonly name?: string };
    }
  | { readonly type: "event_delta"; readonly event_id: EventId; readonly delta: StreamDelta }
  /** The turn that was being streamed was given up (an error, a retry); its parts are to be dropped. */
  | { readonly type: "turn_discarded"; readonly model_request_start_id: EventId }
  /** Own: output of a running call, as it comes; `offset` is the count of raw bytes before this chunk. */
  | { readonly type: "call_output"; readonly tool_use_id: EventId; readonly offset: number; readonly text: string }
  /** Own: the session cannot store events at the moment (full disk, no permission) and goes on by itself when it can. */
  | { readonly type: "paused"; readonly message: string }
  | { readonly type: "resumed" };

export type StreamDelta =
  | { readonly type: "text_delta"; readonly text: string }
  | { readonly type: "thinking_delta"; readonly thinking: string }
  | { readonly type: "input_json_delta"; readonly partial_json: string };

/** The version of the log format that this program writes. */
export const SCHEMA_VERSION = 1;

/** One entry per known type, so that a new type without its entry is a compile error; `code` is its place in the index (stable for ever). */
export const EVENT_TYPES: { readonly [K in EventType]: { readonly code: number } } = {
  "user.message": { code: 1 },
  "user.interrupt": { code: 2 },
  "user.tool_confirmation": { code: 3 },
  "system.message": { code: 4 },
  "agent.message": { code: 5 },
  "agent.thinking": { code: 6 },
  "agent.tool_use": { code: 7 },
  "agent.other_block": { code: 8 },
  "agent.tool_result": { code: 9 },
  "agent.thread_context_compacted": { code: 10 },
  "session.created": { code: 11 },
  "session.updated": { code: 12 },
  "session.status_running": { code: 13 },
  "session.status_idle": { code: 14 },
  "session.status_rescheduled": { code: 15 },
  "session.status_terminated": { code: 16 },
  "session.error": { code: 17 },
  "session.deleted": { code: 18 },
  "session.log_recovered": { code: 19 },
  "session.lease_taken": { code: 20 },
  "span.model_request_start": { code: 21 },
  "span.model_request_end": { code: 22 },
  "hand.provisioned": { code: 23 },
  "hand.provision_failed": { code: 24 },
  "hand.lost": { code: 25 },
  "hand.call_started": { code: 26 },
  "hand.file_change": { code: 27 },
  "resource.mounted": { code: 28 },
  "user.grant_decision": { code: 29 },
  "vault.grant_requested": { code: 30 },
  "vault.grant_given": { code: 31 },
  "vault.grant_revoked": { code: 32 },
  "vault.credential_used": { code: 33 },
};

/** True when `type` is one that this version knows. */
export function isEventType(type: string): type is EventType {
  return Object.hasOwn(EVENT_TYPES, type);
}
