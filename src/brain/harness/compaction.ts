/** When the context nears the model's window: which step makes room. Each step is an event; the log stays whole. */
import type { HarnessContext } from "../../core/effects.ts";
import type { ModelRequest, RequestMessage } from "../../core/model.ts";
import type { Json } from "../../core/json.ts";
import type { SessionState } from "../../core/sessionState.ts";
import { estimateTokens } from "../projection/tokens.ts";
import type { TurnStart } from "./history.ts";

/** Above this share of the window room is made. */
const FULL_SHARE = 0.8;
/** Tool results of this many last turns stay when older ones are cleared. */
const TURNS_KEPT = 3;
/** Clearing breaks the prompt cache: it must free at least this share of the window to be worth it. */
const CLEAR_SHARE_MIN = 0.15;
/** After a summary, the turns that stay take at most this share. */
const KEPT_SHARE = 0.25;
/** A summary is made of at most this share at once, so that its own request fits. */
const SUMMARY_SHARE = 0.7;

export type CompactionStep =
  | { readonly kind: "clear"; readonly before_seq: number }
  | { readonly kind: "summarise"; readonly before_seq: number }
  /** Nothing is left to take away: the person has to act. */
  | { readonly kind: "exhausted" };

export function isFull(tokens: number, model: HarnessContext["model"]): boolean {
  return tokens > roomOf(model);
}

/** Tokens that a request may have, so that its reply fits too. */
function roomOf(model: HarnessContext["model"]): number {
  return Math.max(
    Math.min(FULL_SHARE * model.context_window, model.context_window - model.max_tokens),
    0.3 * model.context_window,
  );
}

/** What the last turn measured, and an estimate of what came since; or an estimate of all. */
export function requestTokens(request: ModelRequest, state: SessionState): number {
  const last: RequestMessage | undefined = request.messages.at(-1);
  if (state.context_tokens > 0 && last !== undefined) {
    return state.context_tokens + estimateTokens(last.content);
  }
  return estimateTokens([request.system, request.tools, request.messages] as unknown as Json);
}

export function nextStep(
  turns: readonly TurnStart[],
  clearable: number,
  state: SessionState,
  window: number,
): CompactionStep {
  const clearBefore = turns.at(-TURNS_KEPT)?.seq ?? 0;
  if (clearBefore > state.cleared_before_seq && clearable >= CLEAR_SHARE_MIN * window) {
    return { kind: "clear", before_seq: clearBefore };
  }
  const boundary = summaryBoundary(turns, window);
  if (boundary > state.summarised_before_seq) return { kind: "summarise", before_seq: boundary };
  // Not even the last turn fits: its own results have to go.
  if (clearable > 0) return { kind: "clear", before_seq: state.seq + 1 };
  return { kind: "exhausted" };
}

/** The turn from which on all is kept: at least the last one; and not more before it than one summary can take in. */
function summaryBoundary(turns: readonly TurnStart[], window: number): number {
  let kept = 0;
  let boundary = turns.length - 1;
  for (let at = turns.length - 1; at > 0; at -= 1) {
    kept += turns[at]?.tokens ?? 0;
    if (kept > KEPT_SHARE * window) break;
    boundary = at;
  }
  let taken = 0;
  for (let at = 0; at < boundary; at += 1) {
    taken += turns[at]?.tokens ?? 0;
    if (taken > SUMMARY_SHARE * window && at > 0) return turns[at]?.seq ?? 0;
  }
  return boundary > 0 ? (turns[boundary]?.seq ?? 0) : 0;
}

/** The request for a summary: the conversation as it was sent, so that the cache hits, and one more thing to say. */
export function summaryRequest(request: ModelRequest): ModelRequest {
  const ask = { type: "text", text: SUMMARY_TEXT };
  const last = request.messages.at(-1);
  if (last?.role !== "user") return { ...request, messages: [...request.messages, { role: "user", content: [ask] }] };
  const content = [...last.content, ask];
  return { ...request, messages: [...request.messages.slice(0, -1), { ...last, content }] };
}

const SUMMARY_TEXT = [
  "The conversation is about to leave your context. Write a summary of it for yourself, so that you can go on without it. Do not call tools.",
  "Keep: what the developer asked for, in their words where it matters; decisions and why; files that were read or changed, with paths and what matters in them; commands and what they showed; what is done, what is not, and the next step; call ids of commands that still run.",
  "Leave out what no longer matters. Write nothing but the summary.",
].join("\n");
