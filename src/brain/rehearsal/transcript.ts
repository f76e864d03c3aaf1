/** Reads the transcript that a request carries, as far as the rehearsal's part depends on it. */
import { isObject } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";

/** A call since the person's last message, with what came of it. */
export interface DoneCall {
  readonly name: string;
  readonly input: JsonObject;
  /** All text of the result; empty when there is none. */
  readonly text: string;
  readonly isError: boolean;
}

export interface Transcript {
  /** The person's last message. */
  readonly prompt: string;
  /** Those before it, oldest first. */
  readonly earlier: readonly string[];
  /** All that the rehearsal said before the last message. */
  readonly saidBefore: string;
  /** Since the last message, in order. */
  readonly calls: readonly DoneCall[];
  /** The input schemas of the tools that are offered, by name. */
  readonly tools: ReadonlyMap<string, JsonObject>;
  /** The request asks for thinking. */
  readonly thinks: boolean;
}

type Members = Record<string, unknown>;

export function readTranscript(body: Members): Transcript {
  const prompts: string[] = [];
  const said: string[] = [];
  let saidBefore = "";
  let calls: DoneCall[] = [];
  let uses = new Map<unknown, Members>();
  for (const message of listOf(body["messages"])) {
    const blocks = blocksOf(message["content"]);
    if (message["role"] === "assistant") {
      said.push(textOf(blocks));
      uses = new Map(blocks.filter(({ type }) => type === "tool_use").map((use) => [use["id"], use]));
      continue;
    }
    for (const block of blocks) {
      const use = uses.get(block["tool_use_id"]);
      if (block["type"] === "tool_result" && use !== undefined) calls.push(doneCall(use, block));
    }
    const text = textOf(blocks.filter(({ type }) => type !== "tool_result"));
    if (text === "") continue;
    prompts.push(text);
    saidBefore = said.join("\n");
    calls = [];
  }
  const tools = listOf(body["tools"]).map((tool): [string, JsonObject] => {
    const schema = tool["input_schema"];
    return [String(tool["name"]), isObject(schema) ? (schema as JsonObject) : {}];
  });
  const { thinking } = body;
  return {
    prompt: prompts.at(-1) ?? "",
    earlier: prompts.slice(0, -1),
    saidBefore,
    calls,
    tools: new Map(tools),
    thinks: isObject(thinking) && (thinking["type"] === "adaptive" || thinking["type"] === "enabled"),
  };
}

function doneCall(use: Members, result: Members): DoneCall {
  const input = isObject(use["input"]) ? (use["input"] as JsonObject) : {};
  const text = textOf(blocksOf(result["content"]));
  return { name: String(use["name"]), input, text, isError: result["is_error"] === true };
}

function blocksOf(content: unknown): readonly Members[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : listOf(content);
}

function listOf(value: unknown): readonly Members[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function textOf(blocks: readonly Members[]): string {
  const texts = blocks.map(({ text }) => (typeof text === "string" ? text : ""));
  return texts.filter((text) => text.trim() !== "").join("\n");
}
