/** The port to a model: one request of the Messages API, streamed, and how it ended. */
import type { ModelUsage, SessionErrorType, StreamDelta, TextBlock } from "./events.ts";
import type { Origin } from "./errors.ts";
import { isObject } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";

/** A block of an assistant turn, verbatim as the API sent it (members that this program does not know are kept). */
export type AssistantBlock =
  | TextBlock
  | { readonly type: "thinking"; readonly thinking: string; readonly signature: string }
  | { readonly type: "redacted_thinking"; readonly data: string }
  | {
      readonly type: "tool_use";
      readonly id: string;
      readonly name: string;
      readonly input: Json;
      readonly [extra: string]: Json;
    }
  | (JsonObject & { readonly type: string });

/**
 * A tool_use whose streamed input is no JSON object has `{[INVALID_JSON]: the raw text}` as its input: the API wants an
 * object back, and documents this member for the purpose. Such a call is answered with an error, never run.
 */
export const INVALID_JSON = "INVALID_JSON";

/** The raw text of an input that could not be parsed, or undefined for an input that could. */
export function invalidJsonOf(input: Json): string | undefined {
  if (!isObject(input) || !Object.hasOwn(input, INVALID_JSON)) return undefined;
  const raw = input[INVALID_JSON];
  return typeof raw === "string" ? raw : undefined;
}

export interface RequestMessage {
  readonly role: "user" | "assistant";
  /** Content blocks as the Messages API takes them. */
  readonly content: readonly JsonObject[];
}

/** The body of a Messages request without `stream`; sent as it is. */
export interface ModelRequest {
  readonly model: string;
  readonly max_tokens: number;
  readonly system: readonly JsonObject[];
  readonly tools: readonly JsonObject[];
  readonly messages: readonly RequestMessage[];
  readonly thinking?: JsonObject;
}

export interface ModelError {
  readonly type: SessionErrorType;
  /** What happened and what to do; without any credential (I9). */
  readonly message: string;
  readonly retryable: boolean;
  /** As the server asked for it. */
  readonly retry_after_ms?: number;
  readonly origin: Origin;
  /** The request is larger than the model's window: the context must be compacted before another try. */
  readonly context_exceeded?: boolean;
}

export type ModelOutcome =
  | {
      readonly kind: "completed";
      readonly blocks: readonly AssistantBlock[];
      readonly stop_reason: string;
      readonly usage: ModelUsage;
      readonly first_token_ms?: number;
    }
  /** Aborted by the person: what text had come, complete blocks only otherwise. `usage`: as far as it was told. */
  | { readonly kind: "interrupted"; readonly blocks: readonly AssistantBlock[]; readonly usage?: ModelUsage }
  | { readonly kind: "failed"; readonly error: ModelError };

/** Parts of the turn while it streams; `index` is the block's place in the turn. */
export type ModelDelta =
  | { readonly kind: "block_start"; readonly index: number; readonly type: string; readonly name?: string }
  | { readonly kind: "delta"; readonly index: number; readonly delta: StreamDelta };

/** Never rejects: failures are outcomes. */
export interface ModelPort {
  ask(request: ModelRequest, signal: AbortSignal, onDelta: (delta: ModelDelta) => void): Promise<ModelOutcome>;
}
