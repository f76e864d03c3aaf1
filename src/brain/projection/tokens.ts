/** Rough counts of tokens, from the safe side: the exact ones come with each reply of the model. */
import type { Json } from "../../core/json.ts";

/** An image costs about this, whatever the length of its base64 text. */
const IMAGE_TOKENS = 1_600;
const CHARS_PER_TOKEN = 3;

/** Tokens that `value` takes in a request: three characters each, and one for each that is not ASCII. */
export function estimateTokens(value: Json): number {
  if (typeof value === "string") return textTokens(value);
  if (value === null || typeof value !== "object") return 1;
  if (Array.isArray(value)) return value.reduce((sum: number, item: Json) => sum + estimateTokens(item), 2);
  const members = value as { readonly [key: string]: Json };
  if (members["type"] === "image") return IMAGE_TOKENS;
  return Object.entries(members).reduce((sum, [key, member]) => sum + textTokens(key) + estimateTokens(member), 2);
}

function textTokens(text: string): number {
  let wide = 0;
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0x7f) wide += 1;
  return Math.ceil((text.length - wide) / CHARS_PER_TOKEN) + wide;
}
