/** A call in a few words. */
import type { Json } from "../core/json.ts";
import { isObject } from "../core/json.ts";

/** The one thing in an input that says what the call is about; the whole input as JSON where nothing does. */
export function essentialOf(input: Json): string {
  if (!isObject(input)) return "";
  for (const key of ["command", "file_path", "pattern", "call_id", "path"]) {
    const value = input[key];
    if (typeof value === "string" && value !== "") return value;
  }
  return Object.keys(input).length === 0 ? "" : JSON.stringify(input);
}
