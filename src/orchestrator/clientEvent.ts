/** Parses what a person or a program sends into a session: unknown in, a client event or a described error out. */
import { ManyHandsError } from "../core/errors.ts";
import type { ClientEvent, UserBlock } from "../core/events.ts";
import { parseEventId } from "../core/ids.ts";
import { isObject } from "../core/json.ts";
import { limits } from "../core/limits.ts";
import type { GrantScope } from "../core/vault.ts";

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
    case "user.grant_decision":
      return { ...id, ...parseGrantDecision(value) };
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

function parseGrantDecision(value: Record<string, unknown>): Extract<ClientEvent, { type: "user.grant_decision" }> {
  const grant_request_id = parseEventId(value["grant_request_id"]);
  if (grant_request_id === undefined) throw invalid("grant_request_id must be the id of a vault.grant_requested event");
  const { result, lasts, scope } = value;
  if (result === "deny") return { type: "user.grant_decision", grant_request_id, result };
  if (result !== "allow") throw invalid('result must be "allow" or "deny"');
  if (lasts !== "once" && lasts !== "session" && lasts !== "always") {
    throw invalid('lasts must be "once", "session" or "always"');
  }
  const narrowed = scope === undefined ? {} : { scope: parseScope(scope) };
  return { type: "user.grant_decision", grant_request_id, result, lasts, ...narrowed };
}

function parseScope(scope: unknown): GrantScope {
  const isTexts = (list: unknown): list is readonly string[] =>
    Array.isArray(list) && list.every((item) => typeof item === "string");
  if (!isObject(scope)) throw invalid("scope must be an object");
  const { kind, origin, path_prefix, methods, git } = scope;
  if (kind !== "http" && kind !== "git" && kind !== "mcp") throw invalid('scope.kind must be "http", "git" or "mcp"');
  if (typeof origin !== "string" || typeof path_prefix !== "string" || !path_prefix.startsWith("/")) {
    throw invalid("scope needs origin and path_prefix");
  }
  if (methods !== null && !isTexts(methods)) throw invalid("scope.methods must be a list of names, or null");
  if (kind !== "git") return { kind, origin, path_prefix, methods };
  if (!isObject(git) || !isTexts(git["repositories"]) || !isTexts(git["push_refs"])) {
    throw invalid("scope.git needs the lists repositories and push_refs");
  }
  return {
    kind,
    origin,
    path_prefix,
    methods,
    git: { repositories: git["repositories"], push_refs: git["push_refs"] },
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
