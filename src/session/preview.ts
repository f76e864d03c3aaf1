/** What a long event leaves in the log: a preview of the same shape, while the payload is in a blob. */
import type { Json } from "../core/json.ts";
import { limits } from "../core/limits.ts";

const ITEMS_MAX = 40;
const DEPTH_MAX = 12;

/**
 * `value` with its long strings cut. Short strings, numbers and names stay, so that ids and all that a fold reads are
 * whole; long lists of content are shortened, as are objects nested deeper than any event of ours.
 */
export function previewOf(value: Json, depth = 0): Json {
  if (typeof value === "string") return cut(value);
  if (value === null || typeof value !== "object") return value;
  if (depth > DEPTH_MAX) return null;
  if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((item: Json) => previewOf(item, depth + 1));
  const entries = Object.entries(value).slice(0, ITEMS_MAX * 2);
  return Object.fromEntries(entries.map(([key, member]) => [key.slice(0, 200), previewOf(member, depth + 1)]));
}

function cut(text: string): string {
  if (text.length <= limits.previewStringCharsMax) return text;
  return `${text.slice(0, limits.previewStringCharsMax).toWellFormed()}…`;
}
