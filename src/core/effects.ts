/** The effects of a harness: the only doors it has to the world (invariant I8). */
import type { RedactionCount } from "./redaction.ts";
import type { CallOutcome, NewEvent, ResultBlock, BlobRef } from "./events.ts";
import type { EventId } from "./ids.ts";
import type { ModelOutcome, ModelRequest } from "./model.ts";
import type { Slice } from "./sessionLog.ts";
import type { AnyEvent, SessionState } from "./sessionState.ts";
import type { ToolSpec } from "./tools.ts";
import type { HandSpec, PermissionPolicy } from "./config.ts";

export type Effect =
  /** Append events; durable when the reply comes. */
  | { readonly kind: "emit"; readonly events: readonly NewEvent[] }
  /** One model request, streamed. The start event must be in the log; an interrupt ends it. */
  | { readonly kind: "ask_model"; readonly start_id: EventId; readonly request: ModelRequest }
  /**
   * Begin to execute these tool uses, or go on waiting for those that were begun before. Replies at once; results come
   * with `wait`. The orchestrator provisions the hand if need be and records `hand.call_started` first.
   */
  | { readonly kind: "execute"; readonly tool_use_ids: readonly EventId[] }
  /** Signal the process groups of these running calls (TERM, then KILL); their results come with `wait`. */
  | { readonly kind: "stop_calls"; readonly tool_use_ids: readonly EventId[] }
  | { readonly kind: "read_events"; readonly slice: Slice }
  /** Until a call is done, an input is appended, or the time is over. At once if something is there already. */
  | { readonly kind: "wait"; readonly for_ms?: number };

/** A call that is done; the harness puts it into the log as `agent.tool_result`. */
export interface CompletedCall {
  readonly tool_use_id: EventId;
  readonly content: readonly ResultBlock[];
  readonly is_error: boolean;
  readonly outcome: CallOutcome;
  readonly output_ref?: BlobRef;
  readonly output_bytes?: number;
  readonly duration_ms?: number;
  readonly redactions?: readonly RedactionCount[];
}

export interface EffectValues {
  emit: { readonly events: readonly AnyEvent[] };
  ask_model: ModelOutcome;
  execute: null;
  stop_calls: null;
  read_events: readonly AnyEvent[];
  wait: { readonly completed: readonly CompletedCall[] };
}

/** The reply to an effect: its value, and the session's state after it. */
export interface EffectReply<K extends Effect["kind"] = Effect["kind"]> {
  readonly state: SessionState;
  readonly value: EffectValues[K];
}

/** A tool as the harness sees it: with the hand it belongs to and the policy that settings give it. */
export interface OfferedTool extends ToolSpec {
  /** null: the tool is the harness's own. */
  readonly hand: string | null;
  readonly policy: PermissionPolicy;
}

/** What a harness is started with. It does not change while it runs; a change of settings starts a new one. */
export interface HarnessContext {
  readonly state: SessionState;
  readonly model: ModelSettings;
  readonly tools: readonly OfferedTool[];
  readonly hands: readonly { readonly spec: HandSpec; readonly description: string }[];
  /** The day, as `YYYY-MM-DD`, of the session's creation: stable, so that the prompt's prefix is. */
  readonly date: string;
  /** What the person wants the agent to know always (a setting); may be empty. */
  readonly instructions: string;
}

export interface ModelSettings {
  readonly id: string;
  readonly max_tokens: number;
  /** Tokens that the model's window holds. */
  readonly context_window: number;
  readonly thinking: "adaptive" | "off";
}

/**
 * A harness: an async generator that yields effects and is given their replies. It keeps nothing that the log does not
 * hold; it ends when the session is idle or terminated and there is nothing to do.
 */
export type Harness = (context: HarnessContext) => AsyncGenerator<Effect, void, EffectReply>;
