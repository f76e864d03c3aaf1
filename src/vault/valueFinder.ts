/** Finds the forms of values in bytes, also where they are broken into lines or coloured, and says what is not yet decided. */
import { FormMatcher } from "./formMatcher.ts";
import type { Range } from "./formMatcher.ts";

const NEWLINE = 10;
const RETURN = 13;
const ESCAPE = 27;
const BRACKET = 91;
/** Bytes of a sequence that sets a colour, at most. */
const SEQUENCE_MAX = 24;
/** A line break within an encoding follows at least so many of its characters: tools break at 60, 64 or 76. */
const RUN_MIN = 16;

const IS_ENCODED = new Uint8Array(256);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_") {
  IS_ENCODED[char.charCodeAt(0)] = 1;
}

export interface Found {
  /** In order, none of them touching the next but at its edge. */
  readonly ranges: readonly Range[];
  /** From here on the bytes could be the beginning of something that is not whole yet. */
  readonly open: number;
}

export class ValueFinder {
  readonly #matcher: FormMatcher;

  constructor(forms: readonly Uint8Array[]) {
    this.#matcher = new FormMatcher(forms);
  }

  get isEmpty(): boolean {
    return this.#matcher.longest === 0;
  }

  /** `run`: how many characters of an encoding, up to `RUN_MIN`, stand right before the bytes. */
  find(bytes: Buffer, run: number, isLast: boolean): Found {
    if (this.isEmpty) return { ranges: [], open: bytes.length };
    const found = [...this.#matcher.find(bytes)];
    let open = isLast ? bytes.length : this.#matcher.openFrom(bytes);
    const joined = joinLines(bytes, run);
    if (joined !== null) {
      for (const { start, end } of this.#matcher.find(joined.bytes)) {
        found.push({ start: joined.placeOf(start), end: joined.placeOf(end - 1) + 1 });
      }
      if (!isLast) open = Math.min(open, joined.placeOf(this.#matcher.openFrom(joined.bytes)));
    }
    return { ranges: united(found), open };
  }
}

/** Up to `RUN_MIN` characters of an encoding at the end of `bytes`, which stand after `run` others. */
export function runAtEnd(bytes: Uint8Array, run: number): number {
  let length = 0;
  while (length < RUN_MIN && length < bytes.length && IS_ENCODED[bytes[bytes.length - 1 - length] as number] === 1) {
    length += 1;
  }
  return length === bytes.length ? Math.min(RUN_MIN, length + run) : length;
}

interface Joined {
  readonly bytes: Buffer;
  /** Where a byte of the joined ones stands in the given ones. */
  placeOf(at: number): number;
}

/** The bytes without the line breaks that stand within an encoding, and without colours; null where there is neither. */
function joinLines(bytes: Buffer, run: number): Joined | null {
  const gaps: Range[] = [];
  for (let at = nextRunEnd(bytes, 0, run); at !== -1;) {
    const end = at + lineBreakAt(bytes, at);
    gaps.push({ start: at, end });
    at = nextRunEnd(bytes, end, run);
  }
  const breaks = gaps.length;
  for (let at = bytes.indexOf(ESCAPE); at !== -1; at = bytes.indexOf(ESCAPE, at + 1)) {
    const end = sequenceEnd(bytes, at);
    if (end > at) gaps.push({ start: at, end });
  }
  if (gaps.length === 0) return null;
  if (breaks > 0 && gaps.length > breaks) gaps.sort((a, b) => a.start - b.start);
  return without(bytes, gaps);
}

/** Where a sequence that only changes how a terminal looks ends, or the bytes; `start`: it is none. */
function sequenceEnd(bytes: Buffer, start: number): number {
  if (start + 1 >= bytes.length) return bytes.length;
  if (bytes[start + 1] !== BRACKET) return start;
  for (let at = start + 2; at < bytes.length && at < start + SEQUENCE_MAX; at += 1) {
    const byte = bytes[at] as number;
    if (byte >= 0x40 && byte <= 0x7e) return at + 1;
    if (byte < 0x20 || byte > 0x3f) return start;
  }
  return start + SEQUENCE_MAX > bytes.length ? bytes.length : start;
}

function without(bytes: Buffer, gaps: readonly Range[]): Joined {
  const pieces: Buffer[] = [];
  /** Per piece: where it begins among the joined bytes, and among the given ones. */
  const places: { readonly joined: number; readonly given: number }[] = [];
  let from = 0;
  let length = 0;
  for (const { start, end } of [...gaps, { start: bytes.length, end: bytes.length }]) {
    places.push({ joined: length, given: from });
    pieces.push(bytes.subarray(from, start));
    length += start - from;
    from = end;
  }
  const placeOf = (at: number): number => {
    let [low, high] = [0, places.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((places[middle]?.joined ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    const place = places[low] ?? { joined: 0, given: 0 };
    return place.given + at - place.joined;
  };
  return { bytes: Buffer.concat(pieces), placeOf };
}

/** Where the next line break after a run of enough characters of an encoding begins; -1: there is none. */
function nextRunEnd(bytes: Buffer, from: number, run: number): number {
  for (let at = nextNewline(bytes, from); at !== -1; at = nextNewline(bytes, at + 1)) {
    const end = at > 0 && bytes[at - 1] === RETURN ? at - 1 : at;
    if (isRun(bytes, end, run)) return end;
  }
  const last = bytes.length - 1;
  return last >= from && bytes[last] === RETURN && isRun(bytes, last, run) ? last : -1;
}

/** Whether enough characters of an encoding stand right before `end`; `run` of them before the bytes. */
function isRun(bytes: Buffer, end: number, run: number): boolean {
  let length = 0;
  while (length < RUN_MIN && length < end && IS_ENCODED[bytes[end - 1 - length] as number] === 1) length += 1;
  return length === RUN_MIN || (length === end && length + run >= RUN_MIN);
}

/** Four bytes at a time: a search of its own for each line would cost more than the lines. */
function nextNewline(bytes: Buffer, from: number): number {
  const count = bytes.length;
  let at = from;
  while (at < count && ((bytes.byteOffset + at) & 3) !== 0) {
    if (bytes[at] === NEWLINE) return at;
    at += 1;
  }
  const words = wordsOf(bytes);
  const base = bytes.byteOffset;
  for (; at + 4 <= count; at += 4) {
    const word = (words[(base + at) >> 2] as number) ^ 0x0a0a0a0a;
    if (((word - 0x01010101) & ~word & 0x80808080) !== 0) break;
  }
  while (at < count && bytes[at] !== NEWLINE) at += 1;
  return at < count ? at : -1;
}

/** The last one that was made: there is one call after the other for the same bytes. */
let lastWords: Int32Array = new Int32Array(0);

/** The memory in which the bytes are, in words. */
function wordsOf({ buffer }: Buffer): Int32Array {
  if (lastWords.buffer !== buffer) lastWords = new Int32Array(buffer, 0, buffer.byteLength >> 2);
  return lastWords;
}

/** Bytes of the line break there; a return at the very end may be the first half of one. */
function lineBreakAt(bytes: Buffer, at: number): number {
  if (bytes[at] === NEWLINE) return 1;
  if (bytes[at] !== RETURN) return 0;
  return bytes[at + 1] === NEWLINE ? 2 : Number(at + 1 === bytes.length);
}

function united(found: Range[]): readonly Range[] {
  if (found.length < 2) return found;
  const ranges: { start: number; end: number }[] = [];
  for (const { start, end } of found.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const last = ranges.at(-1);
    if (last !== undefined && start < last.end) last.end = Math.max(last.end, end);
    else ranges.push({ start, end });
  }
  return ranges;
}
