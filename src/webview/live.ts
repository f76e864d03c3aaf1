/** Parts of the turn that is streaming: shown until the stored events with the same ids take their place. */
import type { StreamEvent } from "../core/events.ts";
import type { EventId } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { partialObject } from "./partialJson.ts";
import { NO_IMAGES } from "./rows.ts";
import type { Row } from "./rows.ts";

interface LivePart {
  readonly id: EventId;
  readonly type: string;
  readonly name: string;
  text: string;
}

export class Live {
  #parts: LivePart[] = [];
  /** Output of running calls, the tail of it. */
  readonly #outputs = new Map<EventId, string>();

  /** Ids whose rows must be drawn anew. */
  take(event: StreamEvent): EventId | null {
    switch (event.type) {
      case "event_start":
        this.#parts.push({ id: event.event.id, type: event.event.type, name: event.event.name ?? "", text: "" });
        return event.event.id;
      case "event_delta": {
        const part = this.#parts.find((candidate) => candidate.id === event.event_id);
        if (part === undefined) return null;
        const { delta } = event;
        if (delta.type === "text_delta") part.text += delta.text;
        else if (delta.type === "thinking_delta") part.text += delta.thinking;
        else part.text += delta.partial_json;
        return part.id;
      }
      case "turn_discarded":
        this.#parts = [];
        return event.model_request_start_id;
      case "call_output": {
        const output = (this.#outputs.get(event.tool_use_id) ?? "") + event.text;
        this.#outputs.set(event.tool_use_id, output.slice(-limits.pageOutputCharsMax));
        return event.tool_use_id;
      }
      default:
        return null;
    }
  }

  /** The stored event is there: its live part is over. The end of a request ends all parts. */
  settle(id: EventId, type: string): void {
    if (type === "span.model_request_end" || type === "session.status_idle") this.#parts = [];
    else this.#parts = this.#parts.filter((part) => part.id !== id);
  }

  forgetOutput(id: EventId): void {
    this.#outputs.delete(id);
  }

  clear(): void {
    this.#parts = [];
    this.#outputs.clear();
  }

  output(id: EventId): string {
    return this.#outputs.get(id) ?? "";
  }

  rows(): readonly Row[] {
    return this.#parts.map((part): Row => {
      if (part.type === "agent.message") return { kind: "agent", key: part.id, text: part.text, isLive: true };
      if (part.type !== "agent.tool_use") return { kind: "thinking", key: part.id, text: part.text, isLive: true };
      return {
        kind: "call",
        key: part.id,
        id: part.id,
        name: part.name,
        input: partialObject(part.text),
        hand: null,
        asked: false,
        confirmation: null,
        startedAt: null,
        images: NO_IMAGES,
        grantsAsked: [],
        result: null,
        hasChange: false,
        isLive: true,
      };
    });
  }
}
