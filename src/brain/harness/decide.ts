/** What a harness does next, as a pure function of the session's state and of the calls that it has begun. */
import type { OfferedTool } from "../../core/effects.ts";
import type { EventId } from "../../core/ids.ts";
import { limits } from "../../core/limits.ts";
import { allowanceKey } from "../../core/sessionState.ts";
import type { PendingToolUse, SessionState } from "../../core/sessionState.ts";

export type Decision =
  /** A request was left without its end: the program died while it streamed. */
  | { readonly kind: "close_request"; readonly start_id: EventId }
  /** The person said stop: end these calls, and answer those that never began. */
  | { readonly kind: "stop"; readonly running: readonly EventId[]; readonly not_begun: readonly EventId[] }
  /** The interrupt is dealt with, and there is more to do. */
  | { readonly kind: "resume" }
  /** These calls are answered without running: denied, or not fit to run. */
  | { readonly kind: "refuse"; readonly uses: readonly PendingToolUse[] }
  | { readonly kind: "execute"; readonly ids: readonly EventId[] }
  | { readonly kind: "wait" }
  | { readonly kind: "require_action"; readonly ids: readonly EventId[] }
  | { readonly kind: "ask_model" }
  | { readonly kind: "turn_limit" }
  | { readonly kind: "idle" }
  | { readonly kind: "done" };

export interface Begun {
  /** Calls that this run of the harness has asked to execute and that have no result yet. */
  readonly running: ReadonlySet<EventId>;
  readonly isParallel: (use: PendingToolUse) => boolean;
}

export function decide(state: SessionState, begun: Begun): Decision {
  if (state.deleted || state.status === "terminated") return { kind: "done" };
  if (state.open_request !== null) return { kind: "close_request", start_id: state.open_request.start_id };
  if (state.interrupt_seq !== null) return decideInterrupt(state, begun);
  if (state.unanswered.length > 0) return decideCalls(state, begun);
  if (state.queued.length === 0 && !state.results_pending) return decideRest(state);
  // After an interrupt or a failure the session rests until the person says something.
  if (state.status === "idle" && state.input_seq <= state.idle_seq) return { kind: "done" };
  if (state.status === "idle" && state.queued.length === 0) return { kind: "idle" };
  return state.turns >= limits.turnsMax ? { kind: "turn_limit" } : { kind: "ask_model" };
}

function decideRest(state: SessionState): Decision {
  return state.status === "idle" && state.input_seq <= state.idle_seq ? { kind: "done" } : { kind: "idle" };
}

function decideInterrupt(state: SessionState, begun: Begun): Decision {
  if (state.unanswered.length === 0) return state.queued.length > 0 ? { kind: "resume" } : { kind: "idle" };
  const isRunning = (use: PendingToolUse): boolean => use.started !== null || begun.running.has(use.id);
  return {
    kind: "stop",
    running: state.unanswered.filter(isRunning).map((use) => use.id),
    not_begun: state.unanswered.filter((use) => !isRunning(use)).map((use) => use.id),
  };
}

type Verdict = "go" | "refuse" | "ask";

function verdictOf(use: PendingToolUse, state: SessionState): Verdict {
  if (use.started !== null) return "go";
  if (use.permission === "deny" || use.confirmation?.result === "deny") return "refuse";
  const allowed =
    use.permission === "allow" ||
    use.confirmation?.result === "allow" ||
    state.permission === "allow" ||
    state.allowed.includes(allowanceKey(use.hand, use.name));
  return allowed ? "go" : "ask";
}

function decideCalls(state: SessionState, begun: Begun): Decision {
  const withVerdict = (verdict: Verdict): readonly PendingToolUse[] =>
    state.unanswered.filter((use) => verdictOf(use, state) === verdict);
  const refused = withVerdict("refuse");
  if (refused.length > 0) return { kind: "refuse", uses: refused };
  const startable = startableCalls(withVerdict("go"), begun);
  if (startable.length > 0) return { kind: "execute", ids: startable };
  if (begun.running.size > 0) return { kind: "wait" };
  const ids = withVerdict("ask").map((use) => use.id);
  const asked =
    state.status === "idle" && state.stop_reason?.type === "requires_action" ? state.stop_reason.event_ids : [];
  const isAsked = asked.length === ids.length && ids.every((id, at) => id === asked[at]);
  return isAsked && state.input_seq <= state.idle_seq ? { kind: "done" } : { kind: "require_action", ids };
}

/** In order per hand: a call that must have its hand for itself waits for those before it, and holds up those after. */
function startableCalls(uses: readonly PendingToolUse[], begun: Begun): readonly EventId[] {
  const hands = new Map<string | null, { any: boolean; exclusive: boolean }>();
  const startable: EventId[] = [];
  for (const use of uses) {
    const busy = hands.get(use.hand) ?? { any: false, exclusive: false };
    hands.set(use.hand, busy);
    const parallel = begun.isParallel(use);
    // A call that was begun before a crash runs already, beside whatever ran then: it is only asked for.
    const isThere = begun.running.has(use.id) || use.started !== null;
    const mayStart = isThere || (!busy.exclusive && (parallel || !busy.any));
    if (mayStart && !begun.running.has(use.id)) startable.push(use.id);
    busy.any = true;
    if (!parallel) busy.exclusive = true;
  }
  return startable;
}

/** The tool's own word on whether it may run beside others; one that is not offered any more runs alone. */
export function parallelOf(tools: readonly OfferedTool[]): Begun["isParallel"] {
  return (use) => tools.find((tool) => tool.name === use.name && tool.hand === use.hand)?.parallel ?? false;
}
