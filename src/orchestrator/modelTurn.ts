/** One model request under way: its deltas to live viewers, its hands warmed as soon as a call for them is seen. */
import type { EventType, StreamEvent } from "../core/events.ts";
import { blockEventId } from "../core/ids.ts";
import type { EventId } from "../core/ids.ts";
import type { ModelDelta, ModelOutcome, ModelPort, ModelRequest } from "../core/model.ts";
import type { Redaction } from "../core/redaction.ts";
import { RedactedDeltas, redactedOutcome, redactedRequest, unsendable } from "./redactedTurn.ts";

export interface ModelTurnPorts {
  readonly loadModel: () => Promise<ModelPort>;
  readonly stream: (event: StreamEvent) => void;
  readonly redaction: Redaction;
  /** A call of this tool, for this hand if the model has named one, has begun to stream. */
  readonly onToolUse: (tool: string, hand: string | null) => void;
}

const EVENT_OF_BLOCK: Readonly<Record<string, EventType>> = {
  text: "agent.message",
  thinking: "agent.thinking",
  redacted_thinking: "agent.thinking",
  tool_use: "agent.tool_use",
};

/** Asks, and never rejects: a model that cannot even be loaded is a failed request. */
export async function runModelTurn(
  startId: EventId,
  request: ModelRequest,
  signal: AbortSignal,
  ports: ModelTurnPorts,
): Promise<ModelOutcome> {
  const watch = createToolWatch(ports);
  const show = (delta: ModelDelta): void => {
    const id = blockEventId(startId, delta.index);
    if (delta.kind === "delta") {
      ports.stream({ type: "event_delta", event_id: id, delta: delta.delta });
      return;
    }
    const type = EVENT_OF_BLOCK[delta.type] ?? "agent.other_block";
    const name = delta.name === undefined ? {} : { name: delta.name };
    ports.stream({ type: "event_start", event: { id, type, ...name } });
  };
  const shown = new RedactedDeltas(ports.redaction, show);
  const onDelta = (delta: ModelDelta): void => {
    watch(delta);
    shown.take(delta);
  };
  const clean = redactedRequest(request, ports.redaction);
  const given = clean === null ? unsendable() : await ask(clean, signal, onDelta, ports);
  const outcome = redactedOutcome(given, ports.redaction);
  if (outcome.kind !== "failed") shown.end();
  if (outcome.kind === "failed") ports.stream({ type: "turn_discarded", model_request_start_id: startId });
  return outcome;
}

async function ask(
  request: ModelRequest,
  signal: AbortSignal,
  onDelta: (delta: ModelDelta) => void,
  ports: ModelTurnPorts,
): Promise<ModelOutcome> {
  try {
    const model = await ports.loadModel();
    return await model.ask(request, signal, onDelta);
  } catch (thrown) {
    if (signal.aborted) return { kind: "interrupted", blocks: [] };
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return {
      kind: "failed",
      error: { type: "model_request_failed_error", message, retryable: false, origin: "brain" },
    };
  }
}

/** Says once per tool block which tool, and which hand as soon as the streamed input names it. */
function createToolWatch(ports: ModelTurnPorts): (delta: ModelDelta) => void {
  const tools = new Map<number, { readonly name: string; json: string; handSeen: boolean }>();
  return (delta) => {
    if (delta.kind === "block_start") {
      if (delta.type !== "tool_use" || delta.name === undefined) return;
      tools.set(delta.index, { name: delta.name, json: "", handSeen: false });
      ports.onToolUse(delta.name, null);
      return;
    }
    const tool = tools.get(delta.index);
    if (tool === undefined || tool.handSeen || delta.delta.type !== "input_json_delta") return;
    tool.json = (tool.json + delta.delta.partial_json).slice(-512);
    const hand = /"hand"\s*:\s*"([^"\\]*)"/.exec(tool.json)?.[1];
    if (hand === undefined) return;
    tool.handSeen = true;
    ports.onToolUse(tool.name, hand);
  };
}
