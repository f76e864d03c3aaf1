/**
 * The state of a session as a pure fold over its events (invariant I1). It is small, bounded and JSON, so that the store
 * can keep it as a checkpoint; it reads envelopes and short fields only, never a payload that a preview may have cut.
 */
import { handKey } from "./config.ts";
import type { HandSpec, PermissionMode } from "./config.ts";
import { isEventType } from "./events.ts";
import type {
  ConfirmationResult,
  EvaluatedPermission,
  EventType,
  ModelUsage,
  SessionError,
  StopReason,
  StoredEvent,
  UnknownEvent,
} from "./events.ts";
import type { EventId } from "./ids.ts";
import { limits } from "./limits.ts";

/** Raised with every change of what the fold makes of a log, so that checkpoints of the older fold are not used. */
export const FOLD_VERSION = 4;

export type AnyEvent = StoredEvent | UnknownEvent;

/** True for an event of a type that this version knows; narrows the union. */
export function isKnown(event: AnyEvent): event is StoredEvent {
  return isEventType(event.type);
}

export type SessionStatus = "idle" | "running" | "rescheduling" | "terminated";

/** A tool use that has no result yet. */
export interface PendingToolUse {
  readonly id: EventId;
  readonly seq: number;
  readonly turn_start_id: EventId;
  readonly name: string;
  readonly hand: string | null;
  readonly permission: EvaluatedPermission;
  readonly confirmation: { readonly result: ConfirmationResult; readonly deny_message: string | null } | null;
  /** The instance that the call was sent to, or was about to be. */
  readonly started: { readonly instance: string } | null;
}

/** A model request without its end: it streams, or the program died while it did. */
interface OpenRequest {
  readonly start_id: EventId;
  readonly start_seq: number;
  /** The last event that the request could show to the model. */
  readonly seen_seq: number;
  readonly purpose: "turn" | "summary";
  readonly tool_uses: readonly PendingToolUse[];
}

export interface SessionState {
  /** The last event folded in; 0 before the first. */
  readonly seq: number;
  readonly schema_version: number;
  readonly title: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly archived: boolean;
  readonly deleted: boolean;
  readonly model: string | null;
  readonly permission: PermissionMode;
  readonly hands: readonly HandSpec[];
  readonly status: SessionStatus;
  /** Why it is idle; null before the first turn, and while it is not idle. */
  readonly stop_reason: StopReason | null;
  readonly open_request: OpenRequest | null;
  readonly last_turn: {
    readonly start_id: EventId;
    readonly start_seq: number;
    readonly stop_reason: string | null;
  } | null;
  /** Tool uses of completed turns that have no result, in order. */
  readonly unanswered: readonly PendingToolUse[];
  /** Inputs that no completed turn has seen, in order. */
  readonly queued: readonly { readonly id: EventId; readonly seq: number }[];
  /** There are tool results that no completed turn has seen. */
  readonly results_pending: boolean;
  /** The seq of an interrupt that has not been dealt with. */
  readonly interrupt_seq: number | null;
  /** The last event that asks for the brain, and the last one that it knew of when it went to rest. */
  readonly input_seq: number;
  readonly idle_seq: number;
  /** Model requests that failed in a row. */
  readonly failures: number;
  /** Turns since the person's last input. */
  readonly turns: number;
  readonly usage: ModelUsage;
  /** Tokens of the last turn's request and reply together: the size of the context. */
  readonly context_tokens: number;
  /** Content before these seqs is summarised, or has its tool results blanked, in requests; 0: nothing. */
  readonly summarised_before_seq: number;
  readonly cleared_before_seq: number;
  /** `hand/tool` pairs that need not ask any more. */
  readonly allowed: readonly string[];
  /** The instance that each hand had last. */
  readonly instances: Readonly<Record<string, string>>;
  /** By instance: the places of the resources that it has. */
  readonly mounted: Readonly<Record<string, readonly string[]>>;
  readonly last_error: SessionError | null;
  /** Requests for a grant that nobody has answered, oldest first. */
  readonly grants_asked: readonly { readonly id: EventId; readonly seq: number }[];
}

const NO_USAGE: ModelUsage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
};

export const EMPTY_STATE: SessionState = {
  seq: 0,
  schema_version: 0,
  title: "",
  created_at: "",
  updated_at: "",
  archived: false,
  deleted: false,
  model: null,
  permission: "ask",
  hands: [],
  status: "idle",
  stop_reason: null,
  open_request: null,
  last_turn: null,
  unanswered: [],
  queued: [],
  results_pending: false,
  interrupt_seq: null,
  input_seq: 0,
  idle_seq: 0,
  failures: 0,
  turns: 0,
  usage: NO_USAGE,
  context_tokens: 0,
  summarised_before_seq: 0,
  cleared_before_seq: 0,
  allowed: [],
  instances: {},
  mounted: {},
  last_error: null,
  grants_asked: [],
};

/** True when the session has something to do without anybody asking again: what `wake` is for. */
export function needsBrain(state: SessionState): boolean {
  if (state.deleted || state.archived || state.status === "terminated" || state.seq === 0) return false;
  return state.status !== "idle" || state.input_seq > state.idle_seq;
}

/** The key under which "allow for this session" is kept. */
export function allowanceKey(hand: string | null, tool: string): string {
  return `${hand ?? ""}/${tool}`;
}

type Reducers = {
  readonly [K in EventType]: (state: SessionState, event: StoredEvent<K>) => Partial<SessionState>;
};

const NOTHING: Partial<SessionState> = {};

const reducers: Reducers = {
  "user.message": (state, event) => queueInput(state, event),
  "system.message": (state, event) => ({ queued: [...state.queued, { id: event.id, seq: event.seq }] }),
  "user.interrupt": (_state, event) => ({ interrupt_seq: event.seq, input_seq: event.seq }),
  "user.tool_confirmation": confirm,
  // The brain need not know: what waits is a request of a hand.
  "user.grant_decision": (state, event) => ({
    grants_asked: state.grants_asked.filter(({ id }) => id !== event.grant_request_id),
  }),

  "agent.message": () => NOTHING,
  "agent.thinking": () => NOTHING,
  "agent.other_block": () => NOTHING,
  "agent.tool_use": (state, event) => {
    const open = state.open_request;
    if (open === null || open.start_id !== event.model_request_start_id) return NOTHING;
    return { open_request: { ...open, tool_uses: [...open.tool_uses, pendingToolUse(event)] } };
  },
  "agent.tool_result": (state, event) => {
    if (!state.unanswered.some((use) => use.id === event.tool_use_id)) return NOTHING;
    return { unanswered: state.unanswered.filter((use) => use.id !== event.tool_use_id), results_pending: true };
  },
  "agent.thread_context_compacted": (state, event) =>
    event.strategy === "summarise"
      ? { summarised_before_seq: Math.max(state.summarised_before_seq, event.before_seq), context_tokens: 0 }
      : { cleared_before_seq: Math.max(state.cleared_before_seq, event.before_seq), context_tokens: 0 },

  "session.created": (_state, event) => ({
    schema_version: event.schema_version,
    title: event.title,
    created_at: event.processed_at,
    hands: event.hands,
    model: event.model,
    permission: event.permission,
    idle_seq: event.seq,
  }),
  "session.updated": (state, event) => ({
    title: event.title ?? state.title,
    archived: event.archived ?? state.archived,
    model: event.model === undefined ? state.model : event.model,
    hands: event.hands ?? state.hands,
    ...(event.hands === undefined ? NOTHING : instancesOf(state, event.hands)),
    permission: event.permission ?? state.permission,
  }),
  "session.status_running": (state, event) => ({
    status: "running",
    stop_reason: null,
    interrupt_seq: unseenInterrupt(state, seenBy(event)),
  }),
  "session.status_rescheduled": () => ({ status: "rescheduling", stop_reason: null }),
  "session.status_idle": (state, event) => ({
    status: "idle",
    stop_reason: event.stop_reason,
    interrupt_seq: unseenInterrupt(state, seenBy(event)),
    idle_seq: seenBy(event),
    failures: 0,
    turns: event.stop_reason.type === "requires_action" ? state.turns : 0,
  }),
  "session.status_terminated": () => ({ status: "terminated", stop_reason: null, interrupt_seq: null }),
  "session.error": (_state, event) => ({ last_error: event.error }),
  "session.deleted": () => ({ deleted: true }),
  "session.log_recovered": () => NOTHING,
  "session.lease_taken": () => NOTHING,

  "span.model_request_start": (_state, event) => ({
    open_request: {
      start_id: event.id,
      start_seq: event.seq,
      seen_seq: seenBy(event),
      purpose: event.purpose,
      tool_uses: [],
    },
  }),
  "span.model_request_end": endRequest,

  "hand.provisioned": (state, event) => instanceIs(state, event),
  "hand.provision_failed": () => NOTHING,
  "hand.lost": () => NOTHING,
  "hand.call_started": (state, event) => ({
    unanswered: state.unanswered.map((use) =>
      use.id === event.tool_use_id ? { ...use, started: { instance: event.instance } } : use,
    ),
  }),
  "hand.file_change": () => NOTHING,
  "resource.mounted": (state, event) => ({ mounted: withMounted(state, event) }),

  "vault.grant_requested": (state, event) => ({
    grants_asked: [...state.grants_asked, { id: event.id, seq: event.seq }].slice(-limits.grantsAskedMax),
  }),
  "vault.grant_given": () => NOTHING,
  "vault.grant_revoked": () => NOTHING,
  "vault.credential_used": () => NOTHING,
};

/** The state after `event`. Unknown types advance `seq` only; an event already folded in changes nothing. */
export function foldSession(state: SessionState, event: AnyEvent): SessionState {
  if (event.seq <= state.seq) return state;
  const change = isKnown(event) ? reduceKnown(state, event) : NOTHING;
  return { ...state, ...change, seq: event.seq, updated_at: event.processed_at };
}

function reduceKnown<T extends EventType>(state: SessionState, event: StoredEvent<T>): Partial<SessionState> {
  const reducer = reducers[event.type] as (state: SessionState, event: StoredEvent<T>) => Partial<SessionState>;
  return reducer(state, event);
}

/** Events after this one had not been considered when `event` was decided on. */
function seenBy(event: { readonly seq: number; readonly seen_seq?: number }): number {
  return event.seen_seq ?? event.seq;
}

function unseenInterrupt(state: SessionState, seen: number): number | null {
  return state.interrupt_seq !== null && state.interrupt_seq > seen ? state.interrupt_seq : null;
}

/** The one before is gone, and what was mounted there with it. */
function instanceIs(state: SessionState, event: StoredEvent<"hand.provisioned">): Partial<SessionState> {
  const former = state.instances[event.hand];
  const mounted = Object.entries(state.mounted).filter(
    ([instance]) => instance !== former || former === event.instance,
  );
  return {
    instances: { ...state.instances, [event.hand]: event.instance },
    mounted: Object.fromEntries(mounted),
  };
}

function withMounted(state: SessionState, event: StoredEvent<"resource.mounted">): SessionState["mounted"] {
  const paths = state.mounted[event.instance] ?? [];
  if (paths.includes(event.mount_path)) return state.mounted;
  return { ...state.mounted, [event.instance]: [...paths, event.mount_path] };
}

/** A hand that was replaced or taken away has no instance any more. */
function instancesOf(state: SessionState, hands: readonly HandSpec[]): Partial<SessionState> {
  const kept = new Set(state.hands.map(handKey));
  const names = new Set(hands.filter((spec) => kept.has(handKey(spec))).map(({ name }) => name));
  const instances = Object.fromEntries(Object.entries(state.instances).filter(([name]) => names.has(name)));
  const there = new Set(Object.values(instances));
  return { instances, mounted: Object.fromEntries(Object.entries(state.mounted).filter(([of]) => there.has(of))) };
}

function queueInput(state: SessionState, event: StoredEvent<"user.message">): Partial<SessionState> {
  return { queued: [...state.queued, { id: event.id, seq: event.seq }], input_seq: event.seq, turns: 0, failures: 0 };
}

function pendingToolUse(event: StoredEvent<"agent.tool_use">): PendingToolUse {
  return {
    id: event.id,
    seq: event.seq,
    turn_start_id: event.model_request_start_id,
    name: event.name,
    hand: event.hand ?? null,
    permission: event.evaluated_permission,
    confirmation: null,
    started: null,
  };
}

/** The first confirmation of a tool use holds; a second one, or one for a call that is answered, changes nothing. */
function confirm(state: SessionState, event: StoredEvent<"user.tool_confirmation">): Partial<SessionState> {
  const use = state.unanswered.find((candidate) => candidate.id === event.tool_use_id);
  if (use === undefined || use.confirmation !== null) return { input_seq: event.seq };
  const confirmation = { result: event.result, deny_message: event.deny_message ?? null };
  const key = allowanceKey(use.hand, use.name);
  const remember = event.result === "allow" && event.for_session === true && !state.allowed.includes(key);
  return {
    input_seq: event.seq,
    unanswered: state.unanswered.map((candidate) => (candidate === use ? { ...use, confirmation } : candidate)),
    allowed: remember ? [...state.allowed, key] : state.allowed,
  };
}

/** A turn counts once its end is in the log: only then do its tool uses ask for results, and its inputs leave the queue. */
function endRequest(state: SessionState, event: StoredEvent<"span.model_request_end">): Partial<SessionState> {
  const open = state.open_request;
  if (open === null || open.start_id !== event.model_request_start_id) return NOTHING;
  const usage = addUsage(state.usage, event.model_usage);
  if (event.is_error) return { open_request: null, usage, failures: state.failures + 1 };
  if (open.purpose === "summary") return { open_request: null, usage, failures: 0 };
  return {
    open_request: null,
    usage,
    failures: 0,
    turns: state.turns + 1,
    last_turn: { start_id: open.start_id, start_seq: open.start_seq, stop_reason: event.stop_reason },
    unanswered: [...state.unanswered, ...open.tool_uses],
    queued: state.queued.filter((input) => input.seq > open.seen_seq),
    results_pending: false,
    context_tokens: totalTokens(event.model_usage),
    last_error: null,
  };
}

function addUsage(a: ModelUsage, b: ModelUsage): ModelUsage {
  return {
    input_tokens: a.input_tokens + b.input_tokens,
    output_tokens: a.output_tokens + b.output_tokens,
    cache_creation_input_tokens: a.cache_creation_input_tokens + b.cache_creation_input_tokens,
    cache_read_input_tokens: a.cache_read_input_tokens + b.cache_read_input_tokens,
  };
}

function totalTokens(usage: ModelUsage): number {
  return usage.input_tokens + usage.output_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens;
}
