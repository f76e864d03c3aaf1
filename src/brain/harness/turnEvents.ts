/** An assistant turn as the events of one append: its blocks verbatim, and the end of its request. */
import type { HarnessContext } from "../../core/effects.ts";
import type { EvaluatedPermission, ModelUsage, NewEvent, TextBlock } from "../../core/events.ts";
import { blockEventId } from "../../core/ids.ts";
import type { EventId } from "../../core/ids.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import type { AssistantBlock, ModelOutcome } from "../../core/model.ts";
import { allowanceKey } from "../../core/sessionState.ts";
import type { SessionState } from "../../core/sessionState.ts";
import { chooseTool } from "./toolChoice.ts";

const NO_USAGE: ModelUsage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
};

type Ended = Extract<ModelOutcome, { kind: "completed" | "interrupted" }>;

/** What the person had seen of an interrupted turn stays: text. Calls and unsigned thinking cannot be sent back. */
export function turnEvents(
  startId: EventId,
  outcome: Ended,
  state: SessionState,
  context: Pick<HarnessContext, "tools" | "hands">,
): readonly NewEvent[] {
  const events: NewEvent[] = [];
  outcome.blocks.forEach((block, index) => {
    if (outcome.kind === "interrupted" && block.type !== "text") return;
    const event = blockEvent(startId, index, block, state, context);
    if (event !== null) events.push(event);
  });
  return [...events, requestEnd(startId, outcome)];
}

function requestEnd(startId: EventId, outcome: Ended): NewEvent<"span.model_request_end"> {
  const completed = outcome.kind === "completed";
  return {
    type: "span.model_request_end",
    model_request_start_id: startId,
    is_error: false,
    model_usage: outcome.usage ?? NO_USAGE,
    stop_reason: completed ? outcome.stop_reason : "interrupted",
    ...(completed && outcome.first_token_ms !== undefined ? { first_token_ms: outcome.first_token_ms } : {}),
  };
}

export function failedRequestEnd(startId: EventId): NewEvent<"span.model_request_end"> {
  return {
    type: "span.model_request_end",
    model_request_start_id: startId,
    is_error: true,
    model_usage: NO_USAGE,
    stop_reason: null,
  };
}

function blockEvent(
  startId: EventId,
  index: number,
  block: AssistantBlock,
  state: SessionState,
  context: Pick<HarnessContext, "tools" | "hands">,
): NewEvent | null {
  const base = { id: blockEventId(startId, index), model_request_start_id: startId };
  if (block.type === "text") {
    // The API sends blank texts at times, and refuses them when they come back.
    if ((block as TextBlock).text.trim() === "") return null;
    return { ...base, type: "agent.message", content: [block as TextBlock] };
  }
  if (block.type === "thinking" || block.type === "redacted_thinking") {
    return { ...base, type: "agent.thinking", block: block as never };
  }
  if (block.type !== "tool_use") return { ...base, type: "agent.other_block", block: block as JsonObject };
  const { type: _type, id, name, input, ...extra } = block as JsonObject & { type: string };
  const tool = { id: String(id), name: String(name), input: (input ?? {}) as Json };
  const choice = chooseTool(context, tool.name, tool.input);
  const hand = choice.ok ? choice.tool.hand : choice.hand;
  const permission: EvaluatedPermission = !choice.ok
    ? "deny"
    : mayRun(state, hand, tool.name, choice.tool.policy)
      ? "allow"
      : "ask";
  return {
    ...base,
    type: "agent.tool_use",
    name: tool.name,
    input: tool.input,
    evaluated_permission: permission,
    block_id: tool.id,
    ...(hand === null ? {} : { hand }),
    ...(Object.keys(extra).length === 0 ? {} : { block_extra: extra }),
  };
}

/** Anything but a clear yes asks. */
function mayRun(state: SessionState, hand: string | null, tool: string, policy: string): boolean {
  return policy === "always_allow" || state.permission === "allow" || state.allowed.includes(allowanceKey(hand, tool));
}
