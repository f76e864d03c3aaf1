/** Parses what a page sends: unknown in, a message or a described error out. */
import type { ClientEvent } from "../core/events.ts";
import { isObject } from "../core/json.ts";
import { limits } from "../core/limits.ts";
import type { FromPage } from "../core/pageProtocol.ts";

/** Throws an Error that names what is wrong. Client events are parsed again where they are appended. */
export function parseFromPage(value: unknown): FromPage {
  if (!isObject(value)) throw new Error("a page sent something that is no message");
  const type = value["type"];
  switch (type) {
    case "ready":
    case "take_over":
    case "wake":
    case "rename":
    case "set_api_key":
    case "manage_trust":
      return { type };
    case "slice":
      return parseSlice(value);
    case "emit":
      if (!isObject(value["event"])) throw new Error("a page sent an event that is no object");
      return { type, event: value["event"] as unknown as ClientEvent };
    case "open_settings":
      return { type, query: text(value, "query") };
    case "open_diff":
    case "open_output":
      return { type, tool_use_id: text(value, "tool_use_id") };
    case "open_file": {
      const line = value["line"];
      return { type, path: text(value, "path"), ...(typeof line === "number" ? { line } : {}) };
    }
    case "open_event":
    case "images":
      return { type, seq: count(value, "seq") };
    case "open_link":
      return { type, href: text(value, "href") };
    case "copy":
      return { type, text: text(value, "text") };
    case "show_terminal":
      return { type, hand: text(value, "hand") };
    default:
      throw new Error(`a page sent a message of the unknown type "${String(type)}"`);
  }
}

function parseSlice(value: Record<string, unknown>): FromPage {
  const { from, to, order } = value;
  return {
    type: "slice",
    request_id: count(value, "request_id"),
    limit: Math.min(count(value, "limit"), limits.sliceEventsMax),
    order: order === "desc" ? "desc" : "asc",
    ...(typeof from === "number" ? { from } : {}),
    ...(typeof to === "number" ? { to } : {}),
  };
}

function text(value: Record<string, unknown>, member: string): string {
  const found = value[member];
  if (typeof found !== "string") throw new Error(`a page sent a message whose ${member} is no text`);
  return found;
}

function count(value: Record<string, unknown>, member: string): number {
  const found = value[member];
  if (typeof found !== "number" || !Number.isSafeInteger(found) || found < 0) {
    throw new Error(`a page sent a message whose ${member} is no count`);
  }
  return found;
}
