/** The model behind the Messages API: one streamed request through the official SDK, and how it ended. */
import { isObject } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import type { ModelDelta, ModelError, ModelOutcome, ModelPort, ModelRequest } from "../../core/model.ts";
import { DEFAULT_BASE_URL, parseModelEndpoint } from "../../core/modelEndpoint.ts";
import type { ModelEndpoint } from "../../core/modelEndpoint.ts";
import type { ErrorContext } from "./connectionErrors.ts";
import { errorOfForeignAnswer, errorOfStream, errorOfThrown, failure } from "./modelErrors.ts";
import type { BaseAnthropic, Stream } from "./sdk.ts";
import { startStallWatch } from "./stallWatch.ts";
import type { StallWatch } from "./stallWatch.ts";
import { ProtocolError, StreamedError, TurnAccumulator } from "./turnAccumulator.ts";

export interface AnthropicModelOptions {
  /** Adds the key on the way out; this adapter sends a placeholder. Called as a plain function. */
  readonly fetch: typeof globalThis.fetch;
  /** As the setting says it; empty is Anthropic's own API. */
  readonly baseUrl?: string;
  /** Takes credentials out of what a server says before it becomes an error's text. */
  readonly redact?: (text: string) => string;
  /** In milliseconds; `limits` where nothing is said. */
  readonly stallMs?: number;
  readonly firstByteMs?: number;
  /** Milliseconds since the epoch; reads dates in `retry-after`. */
  readonly now?: () => number;
}

/** Sent as the key and replaced by the vault's fetch; the SDK wants one, or looks for credentials in the environment. */
const PLACEHOLDER = "held-by-the-vault";
/** After `message_stop`: how long the end of the response is waited for, so that its connection can be used again. */
const drainMs = 1_000;
const foreignBodyBytesMax = 64 * 1024;

interface Sdk {
  readonly client: BaseAnthropic;
  readonly rawEvents: (response: Response) => ReturnType<typeof Stream.rawEvents>;
}

/** The SDK is loaded with the first request. Retries are the caller's, so that each can be seen. */
export function createAnthropicModel(options: AnthropicModelOptions): ModelPort {
  const parsed = parseModelEndpoint(options.baseUrl ?? DEFAULT_BASE_URL);
  if (!parsed.ok) {
    const error = failure(parsed.message);
    return { ask: () => Promise.resolve({ kind: "failed", error }) };
  }
  const { endpoint } = parsed;
  let loading: Promise<Sdk> | undefined;
  const load = async (): Promise<Sdk> => {
    loading ??= loadSdk(endpoint, options.fetch);
    try {
      return await loading;
    } catch (thrown) {
      loading = undefined;
      throw thrown;
    }
  };
  return { ask: (request, signal, onDelta) => ask(request, signal, onDelta, { ...options, endpoint, load }) };
}

async function loadSdk(endpoint: ModelEndpoint, fetch: typeof globalThis.fetch): Promise<Sdk> {
  const { BaseAnthropic, Stream } = await import("./sdk.ts");
  // Each of these keeps the SDK from reading the environment for it.
  const client = new BaseAnthropic({
    apiKey: PLACEHOLDER,
    webhookKey: null,
    baseURL: endpoint.baseUrl,
    fetch: (url, init) => fetch(url, init),
    maxRetries: 0,
    logLevel: "off",
    openTelemetry: false,
  });
  return { client, rawEvents: (response) => Stream.rawEvents(response) };
}

/** How far a request has come. */
interface Progress {
  readonly turn: TurnAccumulator;
  readonly watch: StallWatch;
  /** The response's headers are there. */
  answered: boolean;
}

interface AskOptions extends AnthropicModelOptions {
  readonly endpoint: ModelEndpoint;
  readonly load: () => Promise<Sdk>;
}

async function ask(
  request: ModelRequest,
  signal: AbortSignal,
  onDelta: (delta: ModelDelta) => void,
  options: AskOptions,
): Promise<ModelOutcome> {
  if (signal.aborted) return { kind: "interrupted", blocks: [] };
  const began = performance.now();
  let firstTokenMs: number | undefined;
  const turn = new TurnAccumulator((delta) => {
    if (delta.kind === "delta") firstTokenMs ??= Math.round(performance.now() - began);
    onDelta(delta);
  });
  // Ended by the person or by the watch; the request knows this one signal.
  const end = new AbortController();
  const onAbort = (): void => end.abort();
  signal.addEventListener("abort", onAbort, { once: true });
  const watch = startStallWatch(options.firstByteMs ?? limits.modelFirstByteMs, onAbort);
  const progress: Progress = { turn, watch, answered: false };
  try {
    const error = await stream(request, progress, end.signal, options);
    if (error !== undefined) return { kind: "failed", error };
  } catch (thrown) {
    if (!turn.ended) {
      if (signal.aborted) return { kind: "interrupted", blocks: turn.interrupted(), usage: turn.usage };
      return { kind: "failed", error: errorOf(thrown, progress, contextOf(request, options)) };
    }
  } finally {
    watch.stop();
    signal.removeEventListener("abort", onAbort);
    end.abort();
  }
  const first = firstTokenMs === undefined ? {} : { first_token_ms: firstTokenMs };
  const stop_reason = turn.stopReason ?? "end_turn";
  return { kind: "completed", blocks: turn.completed(), stop_reason, usage: turn.usage, ...first };
}

/** Sends the request and reads the turn. Gives an error for an answer that is no stream; throws for whatever else fails. */
async function stream(
  request: ModelRequest,
  progress: Progress,
  signal: AbortSignal,
  options: AskOptions,
): Promise<ModelError | undefined> {
  const { turn, watch } = progress;
  const { client, rawEvents } = await options.load();
  const body = { ...request, stream: true };
  const timeout = (options.firstByteMs ?? limits.modelFirstByteMs) + 60_000;
  const response = await client.post("/v1/messages", { body, signal, timeout }).asResponse();
  progress.answered = true;
  watch.heard(options.stallMs ?? limits.modelStallMs);
  const type = response.headers.get("content-type");
  if (type !== null && !type.includes("text/event-stream")) {
    const { parsed } = await readForeign(response);
    const context = contextOf(request, options);
    const refused = isObject(parsed) && "error" in parsed;
    return refused ? errorOfStream(parsed, context) : errorOfForeignAnswer(type, context);
  }
  // Counted here in bytes, as the SDK's reader shows neither pings nor comments, and both are signs of life.
  const heard = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      watch.heard(turn.ended ? drainMs : undefined);
      controller.enqueue(chunk);
    },
  });
  // The signal here too: the SDK lets go of it when the response is garbage-collected, the body still being read.
  const bytes = response.body?.pipeThrough(heard, { signal }) ?? null;
  for await (const event of rawEvents(new Response(bytes))) {
    if (event.data === "") continue;
    turn.take(parseData(event.data));
    if (turn.ended) watch.heard(drainMs);
  }
  if (turn.ended || turn.whole) return undefined;
  throw new Error("the stream ended before the message did");
}

function parseData(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    throw new ProtocolError("an event of the stream is no JSON");
  }
}

/** What the start of a body says as JSON, if it is that; the rest is not read. */
async function readForeign(response: Response): Promise<{ parsed: unknown }> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > foreignBodyBytesMax) break;
  }
  try {
    return { parsed: JSON.parse(Buffer.concat(chunks).toString("utf8")) };
  } catch {
    return { parsed: undefined };
  }
}

function errorOf(thrown: unknown, { turn, watch, answered }: Progress, context: ErrorContext): ModelError {
  const { origin } = context.endpoint;
  if (watch.stalledMs !== undefined) {
    const seconds = Math.round(watch.stalledMs / 1000);
    return failure(`${origin} has sent nothing for ${seconds} seconds.`, { retryable: true, origin: "network" });
  }
  if (thrown instanceof StreamedError) return errorOfStream(thrown.body, context);
  if (thrown instanceof ProtocolError && !turn.begun) return errorOfForeignAnswer("events of another kind", context);
  if (thrown instanceof ProtocolError) {
    return failure(`The answer of ${origin} was garbled: ${thrown.message}.`, { retryable: true });
  }
  if (answered) {
    return failure(`The connection to ${origin} broke off in the middle of the answer.`, {
      retryable: true,
      origin: "network",
    });
  }
  return errorOfThrown(thrown, context);
}

function contextOf(request: ModelRequest, options: AskOptions): ErrorContext {
  return {
    endpoint: options.endpoint,
    model: request.model,
    redact: options.redact ?? ((text) => text),
    now: options.now ?? Date.now,
  };
}
