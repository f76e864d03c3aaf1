/** What goes to a model and what comes from it, without stored credentials: requests, the parts that stream, the blocks. */
import type { StreamDelta } from "../core/events.ts";
import type { JsonObject } from "../core/json.ts";
import type { AssistantBlock, ModelDelta, ModelError, ModelOutcome, ModelRequest } from "../core/model.ts";
import type { RedactingStream, Redaction } from "../core/redaction.ts";
import { redactValues } from "./redactedStore.ts";

/** Blocks that a model takes back only as it sent them. */
const SEALED = new Set(["thinking", "redacted_thinking"]);

/** null: it cannot be sent without a credential, and cannot be changed either. */
export function redactedRequest(request: ModelRequest, redaction: Redaction): ModelRequest | null {
  const clean = redactValues({ ...request, messages: [] }, redaction);
  const loop = request.messages.findLastIndex(({ role, content }) => role === "user" && !content.some(isToolBlock));
  let isPossible = true;
  const messages = request.messages.map((message, at) => {
    if (message.role === "user") return redactValues(message, redaction);
    const isSealed = (block: JsonObject): boolean => isChanged(block, redaction);
    if (!message.content.some(isSealed)) return redactBlocks(message, redaction);
    // Thoughts of finished exchanges may be left out; those of the exchange that goes on must be as they were.
    if (at > loop && message.content.some(isToolBlock)) isPossible = false;
    return redactBlocks({ ...message, content: message.content.filter((block) => !isSealed(block)) }, redaction);
  });
  return isPossible ? { ...clean, messages } : null;
}

function redactBlocks(message: ModelRequest["messages"][number], redaction: Redaction): typeof message {
  return redactValues(message, redaction);
}

function isToolBlock({ type }: JsonObject): boolean {
  return type === "tool_use" || type === "tool_result";
}

/** Whether a sealed block holds a credential. */
function isChanged(block: JsonObject, redaction: Redaction): boolean {
  return SEALED.has(String(block["type"])) && redactValues(block, redaction) !== block;
}

/** What a turn gave. A thought with a credential cannot be kept: the turn is given up where calls depend on it. */
export function redactedOutcome(outcome: ModelOutcome, redaction: Redaction): ModelOutcome {
  if (outcome.kind === "failed") return { ...outcome, error: redactValues<ModelError>(outcome.error, redaction) };
  const blocks = outcome.blocks as readonly JsonObject[];
  const leaks = blocks.some((block) => isChanged(block, redaction));
  if (leaks && outcome.kind === "completed" && blocks.some(isToolBlock)) {
    const message = "The model's thoughts held a stored credential; the turn was given up.";
    return {
      kind: "failed",
      error: { type: "model_request_failed_error", message, retryable: true, origin: "vault" },
    };
  }
  const clean = blocks.map((block): JsonObject => {
    // An empty text keeps the places of the others, and is not stored.
    if (isChanged(block, redaction)) return { type: "text", text: "" };
    return redactValues(block, redaction);
  });
  return clean.every((block, at) => block === blocks[at])
    ? outcome
    : { ...outcome, blocks: clean as unknown as readonly AssistantBlock[] };
}

/** The parts of a turn as they stream; `end` gives out what was held back. */
export class RedactedDeltas {
  readonly #redaction: Redaction;
  readonly #pass: (delta: ModelDelta) => void;
  readonly #encoder = new TextEncoder();
  #part: { readonly index: number; readonly type: StreamDelta["type"]; readonly text: TextParts } | null = null;

  constructor(redaction: Redaction, pass: (delta: ModelDelta) => void) {
    this.#redaction = redaction;
    this.#pass = pass;
  }

  take(delta: ModelDelta): void {
    if (delta.kind === "block_start") {
      this.end();
      this.#pass(delta.name === undefined ? delta : { ...delta, name: this.#redaction.text(delta.name) });
      return;
    }
    const { index } = delta;
    const { type } = delta.delta;
    if (this.#part?.index !== index || this.#part.type !== type) this.end();
    this.#part ??= { index, type, text: new TextParts(this.#redaction.bytes()) };
    const given = textOf(delta.delta);
    const text = this.#part.text.take(this.#encoder.encode(given));
    if (text === given) this.#pass(delta);
    else if (text !== "") this.#pass({ kind: "delta", index, delta: deltaOf(type, text) });
  }

  end(): void {
    const part = this.#part;
    this.#part = null;
    const text = part?.text.end() ?? "";
    if (part !== null && text !== "") {
      this.#pass({ kind: "delta", index: part.index, delta: deltaOf(part.type, text) });
    }
  }
}

/** Text through a redacting stream. */
class TextParts {
  readonly #stream: RedactingStream;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  constructor(stream: RedactingStream) {
    this.#stream = stream;
  }

  take(bytes: Uint8Array): string {
    return this.#decoder.decode(this.#stream.write(bytes), { stream: true });
  }

  end(): string {
    return this.#decoder.decode(this.#stream.end());
  }
}

function textOf(delta: StreamDelta): string {
  if (delta.type === "text_delta") return delta.text;
  return delta.type === "thinking_delta" ? delta.thinking : delta.partial_json;
}

function deltaOf(type: StreamDelta["type"], text: string): StreamDelta {
  if (type === "text_delta") return { type, text };
  return type === "thinking_delta" ? { type, thinking: text } : { type, partial_json: text };
}

/** For a request that cannot be sent. */
export function unsendable(): ModelOutcome & { readonly kind: "failed" } {
  const message =
    "An earlier thought of the model in this exchange holds a credential that was stored since, and can neither be sent nor " +
    "changed. Go on in a new session.";
  return { kind: "failed", error: { type: "model_request_failed_error", message, retryable: false, origin: "vault" } };
}
