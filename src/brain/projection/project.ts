/**
 * From events to a request for the model: a pure function, and replaceable. Appending events never changes the bytes of
 * messages that were there before (apart from cache marks), so the prompt cache hits from turn to turn.
 */
import type { HarnessContext } from "../../core/effects.ts";
import type { ResultBlock, StoredEvent } from "../../core/events.ts";
import type { EventId } from "../../core/ids.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import type { ModelRequest, RequestMessage } from "../../core/model.ts";
import { isKnown } from "../../core/sessionState.ts";
import type { AnyEvent } from "../../core/sessionState.ts";
import { REHEARSAL_MODEL } from "../rehearsal/prompts.ts";
import { systemPrompt } from "./systemPrompt.ts";
import { toolDefinitions } from "./toolDefinitions.ts";

interface ProjectionSettings extends Pick<HarnessContext, "model" | "tools" | "hands" | "date" | "instructions"> {
  /** Results of before this seq leave the request; 0: none. */
  readonly cleared_before_seq: number;
}

/** The replaceable part: any function of this shape can choose what the model sees. */
export type Projection = (events: readonly AnyEvent[], settings: ProjectionSettings) => ModelRequest;

/** `events` are resolved, in order, and begin at the seq before which the conversation is summarised. */
export const project: Projection = (events, settings) => ({
  model: settings.model.id,
  max_tokens: settings.model.max_tokens,
  system: [{ type: "text", text: systemPrompt(settings), cache_control: { type: "ephemeral" } }],
  tools: toolDefinitions(settings.tools, settings.hands.length),
  messages: withCacheMarks(projectMessages(events, settings.model.id, settings.cleared_before_seq)),
  ...(settings.model.thinking === "adaptive" ? { thinking: { type: "adaptive", display: "summarized" } } : {}),
});

type ToolUse = StoredEvent<"agent.tool_use">;
type ToolResult = StoredEvent<"agent.tool_result">;

interface OpenTurn {
  readonly id: EventId;
  /** The rehearsal's signatures mean nothing to a real model, nor the other way round. */
  readonly keepsThinking: boolean;
  /** Texts that were there when the request was sent; later ones belong to the next. */
  readonly texts: number;
  readonly blocks: JsonObject[];
  readonly tool_uses: ToolUse[];
}

class MessageWalk {
  readonly messages: RequestMessage[] = [];
  readonly #model: string;
  readonly #clearedBefore: number;
  readonly #results = new Map<EventId, ToolResult>();
  #texts: { readonly seq: number; readonly block: JsonObject }[] = [];
  #toolUses: readonly ToolUse[] = [];
  #open: OpenTurn | null = null;

  constructor(model: string, clearedBefore: number, summary: string | null) {
    this.#model = model;
    this.#clearedBefore = clearedBefore;
    if (summary !== null) this.#say(textContent(summary), 0);
  }

  take(event: StoredEvent): void {
    switch (event.type) {
      case "user.message":
      case "system.message":
        this.#say(event.content as unknown as readonly JsonObject[], event.seq);
        break;
      case "agent.tool_result":
        this.#results.set(event.tool_use_id, event);
        break;
      case "span.model_request_start":
        this.#open = event.purpose === "turn" ? this.#begin(event) : null;
        break;
      case "span.model_request_end":
        if (this.#open?.id === event.model_request_start_id) this.#end(this.#open, event.is_error);
        break;
      default:
        this.#takeBlock(event);
    }
  }

  /** What waits for an answer goes last: the results of the last turn, then what was said since. */
  finish(): readonly RequestMessage[] {
    this.#flush(this.#texts.length);
    if (this.messages.at(-1)?.role === "assistant") this.#note("Go on.");
    return this.messages;
  }

  #say(blocks: readonly JsonObject[], seq: number): void {
    for (const block of blocks) this.#texts.push({ seq, block });
  }

  #begin(start: StoredEvent<"span.model_request_start">): OpenTurn {
    const keepsThinking = (start.model === REHEARSAL_MODEL) === (this.#model === REHEARSAL_MODEL);
    const seen = start.seen_seq ?? start.seq;
    const texts = this.#texts.filter(({ seq }) => seq <= seen).length;
    return { id: start.id, keepsThinking, texts, blocks: [], tool_uses: [] };
  }

  #takeBlock(event: StoredEvent): void {
    const open = this.#open;
    if (open === null || !("model_request_start_id" in event) || event.model_request_start_id !== open.id) return;
    if (event.type === "agent.message") open.blocks.push(...(event.content as unknown as JsonObject[]));
    if (event.type === "agent.other_block") open.blocks.push(event.block);
    if (event.type === "agent.thinking" && open.keepsThinking) open.blocks.push({ ...event.block });
    if (event.type !== "agent.tool_use") return;
    const { name, input, block_id: id, block_extra } = event;
    open.blocks.push({ type: "tool_use", id, name, input, ...block_extra });
    open.tool_uses.push(event);
  }

  /** A turn that failed, or said nothing, contributes nothing: what it was sent waits for the next one. */
  #end(turn: OpenTurn, isError: boolean): void {
    this.#open = null;
    // Cut by its limit, a turn may end in thinking, which the API does not take back.
    while (isThinking(turn.blocks.at(-1))) turn.blocks.pop();
    if (isError || turn.blocks.length === 0) return;
    this.#flush(turn.texts);
    if (this.messages.at(-1)?.role !== "user") {
      // Only a log whose beginning is damaged comes here; the API wants a user's message before the agent's.
      this.#note("(This part of the conversation could not be read.)");
    }
    this.messages.push({ role: "assistant", content: turn.blocks });
    this.#toolUses = turn.tool_uses;
  }

  #flush(texts: number): void {
    const said = this.#texts.splice(0, texts).map(({ block }) => block);
    const content = [...this.#toolUses.map((use) => this.#resultOf(use)), ...said];
    this.#toolUses = [];
    if (content.length > 0) this.messages.push({ role: "user", content });
  }

  #note(text: string): void {
    this.messages.push({ role: "user", content: textContent(text) });
  }

  #resultOf(use: ToolUse): JsonObject {
    const result = this.#results.get(use.id);
    const base = { type: "tool_result", tool_use_id: use.block_id };
    if (result === undefined) {
      return { ...base, is_error: true, content: textContent("The result of this call is missing from the session.") };
    }
    const content =
      result.seq < this.#clearedBefore ? textContent(clearedText(use, result)) : presentable(result.content);
    return { ...base, content, ...(result.is_error ? { is_error: true } : {}) };
  }
}

/** The messages of the conversation, without cache marks. */
function projectMessages(events: readonly AnyEvent[], model: string, clearedBefore: number): readonly RequestMessage[] {
  const known = events.filter(isKnown);
  const summary = known.findLast(
    (event) => event.type === "agent.thread_context_compacted" && event.strategy === "summarise",
  );
  const text = summary?.type === "agent.thread_context_compacted" ? summaryText(summary.summary ?? "") : null;
  const walk = new MessageWalk(model, clearedBefore, text);
  for (const event of known) walk.take(event);
  return walk.finish();
}

function isThinking(block: JsonObject | undefined): boolean {
  return block?.["type"] === "thinking" || block?.["type"] === "redacted_thinking";
}

function summaryText(summary: string): string {
  return `Earlier parts of this conversation are replaced by this summary of them:\n\n${summary}`;
}

/** What stands in place of a result that left the request; the log keeps it. */
function clearedText(use: Pick<ToolUse, "name">, result: Pick<ToolResult, "id" | "output_bytes">): string {
  const size = result.output_bytes === undefined ? "" : `, ${result.output_bytes} bytes`;
  return `[Removed to save room: the output of this ${use.name} call${size}. It is kept in the session log as ${result.id}. Call the tool again if you need it.]`;
}

/** The API refuses empty content and blank texts. */
function presentable(content: readonly ResultBlock[]): readonly Json[] {
  const kept = content.filter((block) => block.type !== "text" || block.text.trim() !== "");
  return kept.length === 0 ? textContent("(no output)") : (kept as unknown as readonly Json[]);
}

function textContent(text: string): readonly JsonObject[] {
  return [{ type: "text", text }];
}

/**
 * Marks the last blocks of the last two user messages: the newer writes the cache for the next request, the older is
 * what this request reads. With the mark on the system prompt that is three of the four that the API allows.
 */
function withCacheMarks(messages: readonly RequestMessage[]): readonly RequestMessage[] {
  const marked = new Set(messages.filter(({ role }) => role === "user").slice(-2));
  return messages.map((message) => (marked.has(message) ? withMark(message) : message));
}

function withMark({ role, content }: RequestMessage): RequestMessage {
  const last = content.at(-1);
  if (last === undefined) return { role, content };
  return { role, content: [...content.slice(0, -1), { ...last, cache_control: { type: "ephemeral" } }] };
}
