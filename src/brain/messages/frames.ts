/** Writes an assistant turn as the frames of a Messages stream (server-sent events), in the order in which the API sends them. */
import type { ModelUsage } from "../../core/events.ts";
import type { Json, JsonObject } from "../../core/json.ts";

export interface Frame {
  readonly event: string;
  readonly data: JsonObject;
}

/** A turn as a server is about to stream it. */
export interface StreamedTurn {
  readonly id: string;
  readonly model: string;
  /** Complete blocks. A tool_use may carry `raw_input`: text that is streamed in place of its input, valid JSON or not. */
  readonly blocks: readonly JsonObject[];
  readonly stop_reason: string;
  readonly usage: ModelUsage;
}

/** Cuts what a block holds into the pieces that are sent one by one; their concatenation is the whole. */
export type Pieces = (text: string) => readonly string[];

/** Pieces of `length` UTF-16 units; a pair that makes one character is not torn. */
export function piecesOf(length: number): Pieces {
  return (text) => {
    const pieces: string[] = [];
    let start = 0;
    while (start < text.length) {
      let end = Math.min(start + length, text.length);
      const last = text.charCodeAt(end - 1);
      if (last >= 0xd800 && last <= 0xdbff && end < text.length) end += 1;
      pieces.push(text.slice(start, end));
      start = end;
    }
    return pieces;
  };
}

export const pingFrame: Frame = { event: "ping", data: { type: "ping" } };

/** The body of an error, as a response's JSON and as the data of an `error` frame. */
export function errorBody(type: string, message: string, requestId: string): JsonObject {
  return { type: "error", error: { type, message }, request_id: requestId };
}

export function errorFrame(type: string, message: string, requestId: string): Frame {
  return { event: "error", data: errorBody(type, message, requestId) };
}

/** The bytes of a frame on the wire, as text. */
export function frameText(frame: Frame): string {
  return `event: ${frame.event}\ndata: ${JSON.stringify(frame.data)}\n\n`;
}

/** All frames of a turn, from message_start to message_stop, with one ping after the first block's start. */
export function* turnFrames(turn: StreamedTurn, pieces: Pieces): Generator<Frame, void, undefined> {
  const usage = { ...turn.usage };
  yield frame("message_start", {
    message: {
      id: turn.id,
      type: "message",
      role: "assistant",
      model: turn.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { ...usage, output_tokens: 1 },
    },
  });
  for (const [index, block] of turn.blocks.entries()) {
    const { start, deltas } = split(block, pieces);
    yield frame("content_block_start", { index, content_block: start });
    if (index === 0) yield pingFrame;
    for (const delta of deltas) yield frame("content_block_delta", { index, delta });
    yield frame("content_block_stop", { index });
  }
  yield frame("message_delta", { delta: { stop_reason: turn.stop_reason, stop_sequence: null }, usage });
  yield frame("message_stop", {});
}

function frame(event: string, members: JsonObject): Frame {
  return { event, data: { type: event, ...members } };
}

/** What a block's start holds already, and what comes in deltas. Blocks of other types come whole in their start. */
function split(block: JsonObject, pieces: Pieces): { start: JsonObject; deltas: JsonObject[] } {
  switch (block["type"]) {
    case "text": {
      const citations = block["citations"];
      const start = { ...block, text: "", ...(Array.isArray(citations) ? { citations: [] } : {}) };
      const deltas = pieces(textOf(block["text"])).map((text): JsonObject => ({ type: "text_delta", text }));
      const cited = Array.isArray(citations) ? (citations as readonly Json[]) : [];
      return { start, deltas: [...deltas, ...cited.map((citation) => ({ type: "citations_delta", citation }))] };
    }
    case "thinking": {
      const deltas = pieces(textOf(block["thinking"])).map((thinking): JsonObject => ({
        type: "thinking_delta",
        thinking,
      }));
      const signature = { type: "signature_delta", signature: textOf(block["signature"]) };
      return { start: { ...block, thinking: "", signature: "" }, deltas: [...deltas, signature] };
    }
    case "tool_use": {
      const { raw_input: raw, input, ...rest } = block;
      const json = typeof raw === "string" ? raw : JSON.stringify(input ?? {});
      const parts = json === "{}" ? [""] : ["", ...pieces(json)];
      const deltas = parts.map((partial_json): JsonObject => ({ type: "input_json_delta", partial_json }));
      return { start: { ...rest, input: {} }, deltas };
    }
    default:
      return { start: block, deltas: [] };
  }
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
