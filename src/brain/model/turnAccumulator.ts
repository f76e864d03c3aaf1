/** Builds an assistant turn out of the events of a Messages stream, verbatim, so that the next request can repeat it byte for byte. */
import type { ModelUsage, StreamDelta } from "../../core/events.ts";
import { isObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { INVALID_JSON } from "../../core/model.ts";
import type { AssistantBlock, ModelDelta } from "../../core/model.ts";

/** The stream broke the protocol; the message says how, without quoting the stream. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** What the server said in an `error` event, in mid-stream. */
export class StreamedError extends Error {
  override readonly name = "StreamedError";
  readonly body: Json;

  constructor(body: Json) {
    super("the model's stream ended with an error");
    this.body = body;
  }
}

interface OpenBlock {
  readonly index: number;
  readonly members: Record<string, unknown>;
  json: string;
  done: boolean;
}

const USAGE_MEMBERS = [
  "input_tokens",
  "output_tokens",
  "cache_creation_input_tokens",
  "cache_read_input_tokens",
] as const;

/** Stop reasons that may cut a block in two. */
const CUT_SHORT = new Set(["max_tokens", "model_context_window_exceeded"]);

export class TurnAccumulator {
  readonly #blocks = new Map<number, OpenBlock>();
  readonly #usage = {
    input_tokens: 0,
    output_tokens: 0,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
  };
  readonly #onDelta: (delta: ModelDelta) => void;
  #begun = false;
  #ended = false;
  #stopReason: string | null = null;

  /** `onDelta` hears of blocks and of text, thinking and input as they come. */
  constructor(onDelta: (delta: ModelDelta) => void) {
    this.#onDelta = onDelta;
  }

  /** True once `message_start` has come. */
  get begun(): boolean {
    return this.#begun;
  }

  /** True once `message_stop` has come. */
  get ended(): boolean {
    return this.#ended;
  }

  /** True when nothing but `message_stop` is missing. */
  get whole(): boolean {
    return this.#stopReason !== null && this.#inOrder().every(({ done }) => done);
  }

  /** null until the server has said it. */
  get stopReason(): string | null {
    return this.#stopReason;
  }

  get usage(): ModelUsage {
    return { ...this.#usage };
  }

  /** Takes the data of one event. Throws ProtocolError or StreamedError. Types that are not known are passed over. */
  take(data: unknown): void {
    if (!isObject(data) || typeof data["type"] !== "string") {
      throw new ProtocolError("an event of the stream has no type");
    }
    switch (data["type"]) {
      case "message_start":
        this.#begun = true;
        this.#count(isObject(data["message"]) ? data["message"]["usage"] : undefined);
        return;
      case "content_block_start":
        this.#start(data["index"], data["content_block"]);
        return;
      case "content_block_delta":
        this.#extend(data["index"], data["delta"]);
        return;
      case "content_block_stop":
        this.#blockAt(data["index"]).done = true;
        return;
      case "message_delta": {
        const delta = isObject(data["delta"]) ? data["delta"] : {};
        if (typeof delta["stop_reason"] === "string") this.#stopReason = delta["stop_reason"];
        this.#count(data["usage"]);
        return;
      }
      case "message_stop":
        this.#ended = true;
        return;
      case "error":
        throw new StreamedError(data as JsonObject);
      default:
    }
  }

  /** The turn as it is sent back: what was cut short by `max_tokens` is left out. */
  completed(): AssistantBlock[] {
    const cut = this.#stopReason !== null && CUT_SHORT.has(this.#stopReason);
    return this.#inOrder().flatMap((block) => (cut && isEmptyInput(block) ? [] : finish(block, cut)));
  }

  /** Complete blocks, and the text of a block that was being written. */
  interrupted(): AssistantBlock[] {
    return this.#inOrder().flatMap((block) => (block.done || hasText(block) ? finish(block, true) : []));
  }

  #inOrder(): OpenBlock[] {
    const entries = Array.from(this.#blocks).toSorted(([a], [b]) => a - b);
    return entries.map(([, block]) => block);
  }

  /** Counts are cumulative, and an endpoint may leave some out or send 0 later: the largest is the true one. */
  #count(told: unknown): void {
    if (!isObject(told)) return;
    for (const member of USAGE_MEMBERS) {
      const value = told[member];
      if (typeof value === "number" && Number.isFinite(value)) {
        this.#usage[member] = Math.max(this.#usage[member], value);
      }
    }
  }

  #blockAt(index: unknown): OpenBlock {
    const block = typeof index === "number" ? this.#blocks.get(index) : undefined;
    if (block === undefined) throw new ProtocolError("a part of a block came before the block's start");
    return block;
  }

  #start(index: unknown, content: unknown): void {
    if (typeof index !== "number" || !isObject(content) || typeof content["type"] !== "string") {
      throw new ProtocolError("a block's start is not of the protocol's form");
    }
    this.#blocks.set(index, { index, members: { ...content }, json: "", done: false });
    const name = typeof content["name"] === "string" ? { name: content["name"] } : {};
    this.#onDelta({ kind: "block_start", index, type: content["type"], ...name });
  }

  #extend(index: unknown, delta: unknown): void {
    const block = this.#blockAt(index);
    if (!isObject(delta)) throw new ProtocolError("a delta is not of the protocol's form");
    const shown = merge(block, delta);
    if (shown !== undefined) this.#onDelta({ kind: "delta", index: block.index, delta: shown });
  }
}

/**
 * Merges a delta into its block, and gives what a viewer is shown of it. A delta of a type that is not known adds its
 * strings to the members of the same names.
 */
function merge(block: OpenBlock, delta: Record<string, unknown>): StreamDelta | undefined {
  const { members } = block;
  const append = (name: string, text: string): void => {
    members[name] = (typeof members[name] === "string" ? members[name] : "") + text;
  };
  const { type, text, thinking, signature, partial_json: json, citation } = delta;
  if (type === "text_delta" && typeof text === "string") {
    append("text", text);
    return { type, text };
  }
  if (type === "thinking_delta" && typeof thinking === "string") {
    append("thinking", thinking);
    return { type, thinking };
  }
  if (type === "input_json_delta" && typeof json === "string") {
    block.json += json;
    return json === "" ? undefined : { type, partial_json: json };
  }
  if (type === "signature_delta" && typeof signature === "string") {
    members["signature"] = signature;
  } else if (type === "citations_delta") {
    const cited = Array.isArray(members["citations"]) ? (members["citations"] as unknown[]) : [];
    members["citations"] = [...cited, citation];
  } else {
    for (const [name, value] of Object.entries(delta)) {
      if (name !== "type" && typeof value === "string") append(name, value);
    }
  }
  return undefined;
}

/** The block as it goes into the log. Input that is no JSON object is marked as such, or left out where `cut` explains it. */
function finish({ members, json }: OpenBlock, cut: boolean): AssistantBlock[] {
  if (json === "") return [members as AssistantBlock];
  const input = parseInput(json);
  if (input !== undefined) return [{ ...members, input } as AssistantBlock];
  return cut ? [] : [{ ...members, input: { [INVALID_JSON]: json } } as unknown as AssistantBlock];
}

/** A call whose input had not begun when the turn was cut short; it cannot be told from one that takes no input. */
function isEmptyInput({ members, json }: OpenBlock): boolean {
  return members["type"] === "tool_use" && json === "";
}

/** The API takes back objects only as an input. */
function parseInput(json: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isObject(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

function hasText({ members }: OpenBlock): boolean {
  return members["type"] === "text" && typeof members["text"] === "string" && members["text"].trim() !== "";
}
