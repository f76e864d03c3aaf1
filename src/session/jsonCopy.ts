/** A copy of a value as JSON would give it back, without the way through text where that is not needed. */
import type { Json, JsonObject } from "../core/json.ts";

/** What the value would not be after a way through JSON text. */
const OTHER = Symbol("other than JSON");

/** `json` is the text of `value`. Strings, which are most of an event, are shared with it. */
export function copyOf(value: Readonly<Record<string, unknown>>, json: string): JsonObject {
  try {
    const copy = copyObject(value);
    if (copy !== OTHER) return copy;
  } catch {
    // Nested deeper than this goes; the text is there.
  }
  return JSON.parse(json) as JsonObject;
}

function copyValue(value: unknown): Json | typeof OTHER {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0) ? value : OTHER;
    case "object":
      if (value === null) return null;
      return Array.isArray(value) ? copyArray(value) : copyObject(value as Record<string, unknown>);
    default:
      return OTHER;
  }
}

function copyArray(items: readonly unknown[]): readonly Json[] | typeof OTHER {
  if ("toJSON" in items) return OTHER;
  const copies: Json[] = [];
  for (const item of items) {
    const copy = copyValue(item);
    if (copy === OTHER) return OTHER;
    copies.push(copy);
  }
  return copies;
}

function copyObject(value: Readonly<Record<string, unknown>>): JsonObject | typeof OTHER {
  if (Object.getPrototypeOf(value) !== Object.prototype || "toJSON" in value) return OTHER;
  const copies: Record<string, Json> = {};
  for (const name of Object.keys(value)) {
    const member = value[name];
    if (member === undefined) continue;
    const copy = copyValue(member);
    if (copy === OTHER || name === "__proto__") return OTHER;
    copies[name] = copy;
  }
  return copies;
}
