/** Finds where something begins like a token: a table of four bytes for the quick look, a regular expression for the sure one. */
import { limits } from "../core/limits.ts";
import { ADDRESS_STARTS, RULE_HINTS, STARTS } from "./tokenHints.ts";

const TABLE_BITS = 16;
const AT = 64;
const SPACE = 32;
/** Of the address of a hook, what stands after `https://`. */
const HOOKS = "hooks.slack";
const HOOKS_FIRST = HOOKS.charCodeAt(0);
const HINT = new RegExp(
  Object.values(RULE_HINTS)
    .map(({ hint }) => hint)
    .join("|"),
  "y",
);
const ALL_STARTS = [...STARTS, ...ADDRESS_STARTS];
const ANY_START = ALL_STARTS.map((start) => start.replaceAll(/[.\\+*?^$()[\]{}|]/g, String.raw`\$&`)).join("|");
const UNDECIDED = new RegExp(String.raw`(?:${ANY_START})\S*$`);
const PARTS_OF_STARTS = new Set(
  ALL_STARTS.flatMap((start) => Array.from(start, (_char, at) => start.slice(0, at)).slice(1)),
);
const PART_CHARS_MAX = Math.max(...ALL_STARTS.map(({ length }) => length)) - 1;

const table = new Uint8Array(1 << TABLE_BITS);
const MAYBE = 1;
const ONLY_ADDRESS = 2;
for (const start of ADDRESS_STARTS) table[hashOf(gramOf(start))] = ONLY_ADDRESS;
for (const start of STARTS) table[hashOf(gramOf(start))] = start.startsWith("https:") ? ONLY_ADDRESS : MAYBE;

const pairs = new Uint8Array(1 << 16);
for (const start of ALL_STARTS) {
  for (const at of [0, 1]) pairs[(start.charCodeAt(at) << 8) | start.charCodeAt(at + 1)] = 1;
}

export const HintScan = {
  /** Where the next token may begin, from `from` on; -1: nowhere. */
  next(bytes: Buffer, from: number): number {
    const last = bytes.length - 4;
    // Every second look meets the first two bytes of a beginning, or the second and third.
    for (let at = from; at <= last + 1; at += 2) {
      if (pairs[((bytes[at] as number) << 8) | (bytes[at + 1] as number)] === 0) continue;
      for (let start = Math.max(from, at - 1); start <= at && start <= last; start += 1) {
        if (begins(bytes, start)) return start;
      }
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

function begins(bytes: Buffer, start: number): boolean {
  const gram =
    (bytes[start] as number) |
    ((bytes[start + 1] as number) << 8) |
    ((bytes[start + 2] as number) << 16) |
    ((bytes[start + 3] as number) << 24);
  const found = table[hashOf(gram)];
  if (found === 0) return false;
  return (found === MAYBE || mayHoldPassword(bytes, start + 3)) && isHint(bytes, start);
}

/** Whether an `@` comes before the end of the word, or it is the address of a hook, which is secret itself. */
function mayHoldPassword(bytes: Buffer, from: number): boolean {
  const end = Math.min(bytes.length, from + limits.tokenUndecidedBytesMax);
  for (let at = from; at < end; at += 1) {
    const byte = bytes[at] as number;
    if (byte === AT) return true;
    if (byte <= SPACE) break;
  }
  return bytes[from + 5] === HOOKS_FIRST && bytes.toString("latin1", from + 5, from + 16) === HOOKS;
}

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
