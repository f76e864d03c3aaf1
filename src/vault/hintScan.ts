/** Finds where something begins like a token: a table of four bytes for the quick look, a regular expression for the sure one. */
import { limits } from "../core/limits.ts";
import { RULE_HINTS, STARTS } from "./tokenHints.ts";

const TABLE_BITS = 16;
const HINT = new RegExp(
  Object.values(RULE_HINTS)
    .map(({ hint }) => hint)
    .join("|"),
  "y",
);
const ANY_START = STARTS.map((start) => start.replaceAll(/[.\\+*?^$()[\]{}|]/g, String.raw`\$&`)).join("|");
const UNDECIDED = new RegExp(String.raw`(?:${ANY_START})\S*$`);
const PARTS_OF_STARTS = new Set(
  STARTS.flatMap((start) => Array.from(start, (_char, at) => start.slice(0, at)).slice(1)),
);
const PART_CHARS_MAX = Math.max(...STARTS.map(({ length }) => length)) - 1;

const table = new Uint8Array(1 << TABLE_BITS);
for (const start of STARTS) table[hashOf(gramOf(start))] = 1;

export const HintScan = {
  /** Where the next token may begin, from `from` on; -1: nowhere. */
  next(bytes: Buffer, from: number): number {
    const count = bytes.length;
    if (count - from < 4) return -1;
    let gram =
      ((bytes[from] as number) << 8) | ((bytes[from + 1] as number) << 16) | ((bytes[from + 2] as number) << 24);
    for (let at = from + 3; at < count; at += 1) {
      gram = (gram >>> 8) | ((bytes[at] as number) << 24);
      if (table[hashOf(gram)] === 1 && isHint(bytes, at - 3)) return at - 3;
    }
    return -1;
  },

  /** From where the end of the text could be the beginning of a token; its length: from nowhere. */
  undecidedFrom(text: string): number {
    const at = text.search(UNDECIDED);
    if (at !== -1) return at;
    for (let length = Math.min(PART_CHARS_MAX, text.length); length > 0; length -= 1) {
      if (PARTS_OF_STARTS.has(text.slice(-length))) return text.length - length;
    }
    return text.length;
  },
} as const;

function isHint(bytes: Buffer, at: number): boolean {
  HINT.lastIndex = 0;
  return HINT.test(bytes.toString("latin1", at, at + limits.tokenUndecidedBytesMax));
}

function gramOf(start: string): number {
  return start.charCodeAt(0) | (start.charCodeAt(1) << 8) | (start.charCodeAt(2) << 16) | (start.charCodeAt(3) << 24);
}

function hashOf(gram: number): number {
  return Math.imul(gram, 0x9e3779b1) >>> (32 - TABLE_BITS);
}
