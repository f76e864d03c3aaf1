/** What a long event leaves in the log: a preview of the same shape, while its payload is in a blob. */
import type { EventPayloads, EventType } from "../core/events.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { limits } from "../core/limits.ts";

/** Members that may be cut: content for the model and for people. All else (ids, what the fold reads) stays whole. */
const BULK: { readonly [K in EventType]: readonly (keyof EventPayloads[K])[] } = {
  "user.message": ["content"],
  "user.interrupt": [],
  "user.tool_confirmation": [],
  "system.message": ["content"],
  "agent.message": ["content"],
  "agent.thinking": ["block"],
  "agent.tool_use": ["input", "block_extra"],
  "agent.other_block": ["block"],
  "agent.tool_result": ["content"],
  "agent.thread_context_compacted": ["summary"],
  "session.created": [],
  "session.updated": [],
  "session.status_running": [],
  "session.status_idle": [],
  "session.status_rescheduled": [],
  "session.status_terminated": [],
  "session.error": [],
  "session.deleted": [],
  "session.log_recovered": [],
  "session.lease_taken": [],
  "span.model_request_start": [],
  "span.model_request_end": [],
  "hand.provisioned": ["description"],
  "hand.provision_failed": ["message"],
  "hand.lost": ["message"],
  "hand.call_started": [],
  "hand.file_change": [],
  "resource.mounted": [],
  "user.grant_decision": [],
  "vault.grant_requested": ["path"],
  "vault.grant_given": [],
  "vault.grant_revoked": [],
  "vault.credential_used": ["path"],
};

interface Measure {
  readonly chars: number;
  readonly items: number;
  readonly members: number;
  readonly depth: number;
}

/** Tried one after the other until the line is short enough: first only long strings are cut. */
const MEASURES: readonly Measure[] = [
  { chars: limits.previewStringCharsMax, items: Infinity, members: Infinity, depth: Infinity },
  { chars: limits.previewStringCharsMax / 4, items: 48, members: 48, depth: 16 },
  { chars: 64, items: 16, members: 16, depth: 8 },
  { chars: 32, items: 4, members: 8, depth: 5 },
];

/** `payload` with its bulk cut, as little as makes its JSON fit into `bytesMax`; longer only where there is nothing left to cut. */
export function previewOf(type: EventType, payload: JsonObject, bytesMax: number): JsonObject {
  const bulk: ReadonlySet<string> = new Set<string>(BULK[type]);
  let preview = payload;
  for (const measure of MEASURES) {
    const members = Object.entries(payload).map(([name, value]) => [
      name,
      bulk.has(name) ? cut(value, measure) : value,
    ]);
    preview = Object.fromEntries(members) as JsonObject;
    if (Buffer.byteLength(JSON.stringify(preview)) <= bytesMax) break;
  }
  return preview;
}

function cut(value: Json, measure: Measure, depth = 0): Json {
  if (typeof value === "string") return value.length > measure.chars ? cutText(value, measure.chars) : value;
  if (typeof value !== "object" || value === null) return value;
  const isTooDeep = depth >= measure.depth;
  if (Array.isArray(value)) {
    return isTooDeep ? [] : value.slice(0, measure.items).map((item: Json) => cut(item, measure, depth + 1));
  }
  const members = isTooDeep ? [] : Object.entries(value).slice(0, measure.members);
  return Object.fromEntries(
    members.map(([name, member]) => [cutText(name, limits.previewStringCharsMax), cut(member, measure, depth + 1)]),
  );
}

/** Does not cut a character in two. */
function cutText(text: string, chars: number): string {
  const last = text.charCodeAt(chars - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? chars - 1 : chars);
}
