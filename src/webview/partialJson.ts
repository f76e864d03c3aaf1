/** The members of a JSON object that is still being written, as far as they are known. */
import { isObject } from "../core/json.ts";
import type { JsonObject } from "../core/json.ts";

/** Never throws; {} where nothing can be said yet. The last string may be cut. */
export function partialObject(text: string): JsonObject {
  const ends = endsOf(text);
  for (const { at, closing } of ends) {
    const known = parse(text.slice(0, at) + closing);
    if (known !== null) return known;
  }
  return {};
}

function parse(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? (value as JsonObject) : null;
  } catch {
    return null;
  }
}

interface End {
  readonly at: number;
  readonly closing: string;
}

/** Where the text could be ended so that it is JSON, and with what; the furthest first. */
function endsOf(text: string): readonly End[] {
  const open: string[] = [];
  let stringStart = -1;
  /** Where the last escape of the open string begins: the end may be within it. */
  let lastEscape = -1;
  let lastComma: End | null = null;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (stringStart !== -1) {
      if (character === "\\") {
        lastEscape = at;
        at += 1;
      } else if (character === '"') stringStart = -1;
    } else if (character === '"') {
      stringStart = at;
      lastEscape = -1;
    } else if (character === "{" || character === "[") open.push(character === "{" ? "}" : "]");
    else if (character === "}" || character === "]") open.pop();
    else if (character === ",") lastComma = { at, closing: open.toReversed().join("") };
  }
  const closing = open.toReversed().join("");
  const ends: End[] = [{ at: text.length, closing: stringStart === -1 ? closing : `"${closing}` }];
  if (stringStart !== -1 && lastEscape !== -1) ends.push({ at: lastEscape, closing: `"${closing}` });
  // What stands behind the last comma is half a member; without one, all of it is.
  if (lastComma !== null) ends.push(lastComma);
  return ends;
}
