/** Parses what a person or a program sends into a session: unknown in, a client event or a described error out. */
import { ManyHandsError } from "../core/errors.ts";
import type { ClientEvent, UserBlock } from "../core/events.ts";
import { parseEventId } from "../core/ids.ts";
import { isObject } from "../core/json.ts";
import { limits } from "../core/limits.ts";

/** Rejects with `event_invalid` or `limit_exceeded`; the message says which member is wrong. */
export function parseClientEvent(value: unknown): ClientEvent {
  if (!isObject(value)) throw invalid("an event must be an object with a type");
  const id = parseOptionalId(value["id"]);
  switch (value["type"]) {
    case "user.message":
      return { ...id, type: "user.message", content: parseContent(value["content"]) };
    case "user.interrupt":
      return { ...id, type: "user.interrupt" };
    case "user.tool_confirmation":
      return { ...id, ...parseConfirmation(value) };
    case "system.message": {
      const content = parseContent(value["content"]);
      const texts = content.filter((block) => block.type === "text");
      if (texts.length !== content.length) throw invalid("a system.message holds text blocks only");
      return { ...id, type: "system.message", content: texts };
    }
    default:
      throw invalid(`"${String(value["type"])}" is no event that can be sent into a session`);
  }
}

function parseOptionalId(value: unknown): { readonly id?: NonNullable<ClientEvent["id"]> } {
  if (value === undefined || value === null) return {};
  const id = parseEventId(value);
  if (id === undefined) throw invalid('an event id has the form "sevt_" and up to 100 letters, digits, "_" or "-"');
  return { id };
}

function parseConfirmation(value: Record<string, unknown>): Extract<ClientEvent, { type: "user.tool_confirmation" }> {
  const tool_use_id = parseEventId(value["tool_use_id"]);
  if (tool_use_id === undefined) throw invalid("tool_use_id must be the id of an agent.tool_use event");
  const result = value["result"];
  if (result !== "allow" && result !== "deny") throw invalid('result must be "allow" or "deny"');
  const message = value["deny_message"];
  return {
    type: "user.tool_confirmation",
    tool_use_id,
    result,
    ...(typeof message === "string" && message.trim() !== "" ? { deny_message: message } : {}),
    ...(value["for_session"] === true ? { for_session: true } : {}),
  };
}

function parseContent(value: unknown): readonly UserBlock[] {
  if (!Array.isArray(value) || value.length === 0) throw invalid("content must be a list with at least one block");
  if (JSON.stringify(value).length > limits.messageBytesMax) {
    const megabytes = Math.floor(limits.messageBytesMax / 1024 / 1024);
    throw new ManyHandsError("limit_exceeded", "session", `a message may have ${megabytes} MiB at the most`);
  }
  return value.map((block: unknown, index) => parseBlock(block, index));
}

function parseBlock(block: unknown, index: number): UserBlock {
  if (!isObject(block)) throw invalid(`content[${index}] must be an object`);
  const source = block["source"];
  if (block["type"] === "text") {
    const text = block["text"];
    if (typeof text !== "string" || text.trim() === "") throw invalid(`content[${index}].text must not be empty`);
    // Lone surrogates have no UTF-8 form: what is stored must be what is sent.
    return { type: "text", text: text.toWellFormed() };
  }
  if (block["type"] === "image") {
    if (!isObject(source) || source["type"] !== "base64") throw invalid(`content[${index}].source must be base64`);
    const { media_type, data } = source;
    if (typeof media_type !== "string" || typeof data !== "string" || data === "") {
      throw invalid(`content[${index}].source needs media_type and data`);
    }
    return { type: "image", source: { type: "base64", media_type, data } };
  }
  if (block["type"] === "document" && isObject(source)) {
    const title = block["title"];
    const named = typeof title === "string" ? { title } : {};
    return { type: "document", source: source as Extract<UserBlock, { type: "document" }>["source"], ...named };
  }
  throw invalid(`content[${index}] must be a text, image or document block`);
}

function invalid(message: string): ManyHandsError {
  return new ManyHandsError("event_invalid", "session", message);
}
