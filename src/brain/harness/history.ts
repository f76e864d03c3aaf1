/** The part of the log that requests are made from, read in slices and kept while the harness runs. */
import type { StoredEvent } from "../../core/events.ts";
import { isKnown } from "../../core/sessionState.ts";
import type { AnyEvent, SessionState } from "../../core/sessionState.ts";
import { estimateTokens } from "../projection/tokens.ts";
import type { Json } from "../../core/json.ts";

/** What a projection looks at; the rest of the log stays on the disk. */
export const CONVERSATION_TYPES = [
  "user.message",
  "system.message",
  "agent.message",
  "agent.thinking",
  "agent.tool_use",
  "agent.other_block",
  "agent.tool_result",
  "agent.thread_context_compacted",
  "span.model_request_start",
  "span.model_request_end",
] as const;

/** Where a completed turn and what it had not seen yet begins, and what stands between it and the next one. */
export interface TurnStart {
  readonly seq: number;
  /** Estimated tokens from this turn's start to the next one's. */
  readonly tokens: number;
}

/** Bounded by the model's window: what is summarised is let go of, what is cleared loses its text. */
export class History {
  #events: AnyEvent[] = [];
  #seq = 0;

  get events(): readonly AnyEvent[] {
    return this.#events;
  }

  /** From where the next slice must be read. */
  next(state: SessionState): number {
    return Math.max(this.#seq + 1, state.summarised_before_seq);
  }

  /** `events` are all that there are up to `seq`. */
  add(events: readonly AnyEvent[], seq: number): void {
    this.#events.push(...events);
    this.#seq = seq;
  }

  trim(state: SessionState): void {
    if ((this.#events[0]?.seq ?? Infinity) < state.summarised_before_seq) {
      this.#events = this.#events.filter((event) => event.seq >= state.summarised_before_seq);
    }
    this.#events = this.#events.map((event) => withoutClearedText(event, state.cleared_before_seq));
  }

  /** The completed turns, in order. */
  turns(): readonly TurnStart[] {
    const turns: { seq: number; tokens: number }[] = [];
    let open: { readonly id: string; readonly seq: number; tokens: number } | null = null;
    let tokens = 0;
    for (const event of this.#events.filter(isKnown)) {
      if (event.type === "span.model_request_start") {
        const seq = (event.seen_seq ?? event.seq - 1) + 1;
        open = event.purpose === "turn" ? { id: event.id, seq, tokens } : null;
      } else if (event.type === "span.model_request_end" && open?.id === event.model_request_start_id) {
        if (!event.is_error) {
          const last = turns.at(-1);
          if (last !== undefined) last.tokens = open.tokens;
          tokens -= open.tokens;
          turns.push({ seq: open.seq, tokens: 0 });
        }
        open = null;
      } else tokens += contentTokens(event);
    }
    const last = turns.at(-1);
    if (last !== undefined) last.tokens = tokens;
    return turns;
  }
}

function contentTokens(event: StoredEvent): number {
  if ("content" in event) return estimateTokens(event.content as unknown as Json);
  if ("block" in event) return estimateTokens(event.block);
  return event.type === "agent.tool_use" ? estimateTokens(event.input) : 0;
}

function withoutClearedText(event: AnyEvent, clearedBefore: number): AnyEvent {
  if (event.seq >= clearedBefore || !isKnown(event) || event.type !== "agent.tool_result") return event;
  return event.content.length === 0 ? event : { ...event, content: [] };
}
