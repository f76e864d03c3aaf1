/** The parts of the turn that is streaming, per session, for a page that opens in the middle of it. */
import type { StreamEvent } from "../core/events.ts";
import { limits } from "../core/limits.ts";
import type { SessionService } from "../core/service.ts";

export class LiveParts {
  readonly #parts = new Map<string, StreamEvent[]>();
  readonly #listening: readonly { dispose(): void }[];

  constructor(service: SessionService) {
    this.#listening = [
      service.onDidStream(({ session_id, event }) => this.#take(session_id, event)),
      service.onDidAppendEvent(({ session_id, event }) => {
        if (event.type === "span.model_request_end") this.#drop(session_id, (part) => part.type === "call_output");
        if (event.type !== "agent.tool_result" || !("tool_use_id" in event)) return;
        this.#drop(session_id, (part) => part.type !== "call_output" || part.tool_use_id !== event["tool_use_id"]);
      }),
    ];
  }

  of(sessionId: string): readonly StreamEvent[] {
    return this.#parts.get(sessionId) ?? [];
  }

  dispose(): void {
    for (const listening of this.#listening) listening.dispose();
    this.#parts.clear();
  }

  #take(sessionId: string, event: StreamEvent): void {
    const parts = this.#parts.get(sessionId) ?? [];
    this.#parts.set(sessionId, parts);
    const last = parts.at(-1);
    if (event.type === "turn_discarded") return this.#drop(sessionId, (part) => part.type === "call_output");
    if (event.type === "paused" || event.type === "resumed") return;
    if (event.type === "call_output" && last?.type === "call_output" && last.tool_use_id === event.tool_use_id) {
      parts[parts.length - 1] = { ...last, text: (last.text + event.text).slice(-limits.pageOutputCharsMax) };
    } else if (event.type === "event_delta" && last?.type === "event_delta" && last.event_id === event.event_id) {
      parts[parts.length - 1] = { ...last, delta: joined(last.delta, event.delta) };
    } else parts.push(event);
  }

  #drop(sessionId: string, stays: (part: StreamEvent) => boolean): void {
    const parts = this.#parts.get(sessionId);
    if (parts !== undefined) this.#parts.set(sessionId, parts.filter(stays));
  }
}

type Delta = Extract<StreamEvent, { type: "event_delta" }>["delta"];

/** Two deltas of one part as one. */
function joined(a: Delta, b: Delta): Delta {
  if (a.type === "text_delta" && b.type === "text_delta") return { type: "text_delta", text: a.text + b.text };
  if (a.type === "thinking_delta" && b.type === "thinking_delta") {
    return { type: "thinking_delta", thinking: a.thinking + b.thinking };
  }
  if (a.type === "input_json_delta" && b.type === "input_json_delta") {
    return { type: "input_json_delta", partial_json: a.partial_json + b.partial_json };
  }
  return b;
}
