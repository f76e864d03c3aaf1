/** Finds known values in a stream of bytes, also where they are split, and puts as many asterisks in their place. */
import { Transform } from "node:stream";

const ASTERISK = 0x2a;
/** What is shorter is found everywhere by chance. */
const FORM_BYTES_MIN = 4;
/** A longer window would move on faster, but the table counts in bytes. */
const WINDOW_MAX = 250;

/** What is looked for, made ready once: shared by all streams of one value. */
export interface MaskPlan {
  readonly forms: readonly Buffer[];
  /** By a byte: 1 where a form begins with it. */
  readonly beginnings: Uint8Array;
  /** Bytes of the longest form. */
  readonly longest: number;
  /**
   * By the last two bytes of a window of `window` bytes: by how much less than its length it can be moved on (after Wu and
   * Manber). Zeros cost nothing to make, and most of it stays zero.
   */
  readonly held: Uint8Array;
  /** Bytes of every form that are in the table. */
  readonly window: number;
}

/** null: nothing to look for. `forms` in any order, twice or not. */
export function planMask(forms: readonly Uint8Array[]): MaskPlan | null {
  const long = forms.filter((form) => form.length >= FORM_BYTES_MIN).map((form) => Buffer.from(form));
  const buffers = Array.from(new Map(long.map((form) => [form.toString("latin1"), form])).values());
  if (buffers.length === 0) return null;
  const lengths = buffers.map((form) => form.length);
  const window = Math.min(WINDOW_MAX, ...lengths);
  const held = new Uint8Array(65_536);
  const beginnings = new Uint8Array(256);
  for (const form of buffers) beginnings[form[0] ?? 0] = 1;
  for (const form of buffers) {
    for (let at = 1; at < window; at += 1) {
      const pair = ((form[at - 1] ?? 0) << 8) | (form[at] ?? 0);
      held[pair] = Math.max(held[pair] ?? 0, at);
    }
  }
  return { forms: buffers, beginnings, longest: Math.max(...lengths), held, window };
}

function beginsAt(bytes: Buffer, at: number, form: Buffer): boolean {
  return at + form.length <= bytes.length && bytes.compare(form, 0, form.length, at, at + form.length) === 0;
}

/** Where forms begin and end in `bytes`; they may overlap. */
function find({ forms, window, held }: MaskPlan, bytes: Buffer): [number, number][] {
  const found: [number, number][] = [];
  const far = window - 1;
  let last = far;
  while (last < bytes.length) {
    const shift = far - (held[((bytes[last - 1] ?? 0) << 8) | (bytes[last] ?? 0)] ?? 0);
    if (shift > 0) {
      last += shift;
      continue;
    }
    const start = last - far;
    for (const form of forms) if (beginsAt(bytes, start, form)) found.push([start, start + form.length]);
    last += 1;
  }
  return found;
}

/** From where on the bytes could be the beginning of a form that goes on in the next chunk. */
function openFrom({ forms, beginnings, longest }: MaskPlan, bytes: Buffer): number {
  for (let from = Math.max(0, bytes.length - longest + 1); from < bytes.length; from += 1) {
    if (beginnings[bytes[from] ?? 0] === 0) continue;
    const rest = bytes.length - from;
    const isOpen = forms.some(
      (form) => form.length > rest && form[0] === bytes[from] && bytes.compare(form, 0, rest, from) === 0,
    );
    if (isOpen) return from;
  }
  return bytes.length;
}

/** Only what could be the beginning of a value waits for the next chunk; everything else passes at once. */
export class ValueMask {
  readonly #plan: MaskPlan;
  /** The bytes that wait: as they came, and as they will go out (a value that ends in them is masked already). */
  #waiting: Buffer = Buffer.alloc(0);
  #waitingOut: Buffer = Buffer.alloc(0);

  constructor(plan: MaskPlan) {
    this.#plan = plan;
  }

  push(chunk: Buffer): Buffer {
    const isFirst = this.#waiting.length === 0;
    const bytes = isFirst ? chunk : Buffer.concat([this.#waiting, chunk]);
    let out = isFirst ? chunk : Buffer.concat([this.#waitingOut, chunk]);
    const found = find(this.#plan, bytes);
    if (found.length > 0 && out === chunk) out = Buffer.from(chunk);
    for (const [from, to] of found) out.fill(ASTERISK, from, to);
    const open = openFrom(this.#plan, bytes);
    this.#waiting = open === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(open));
    this.#waitingOut = open === bytes.length ? this.#waiting : Buffer.from(out.subarray(open));
    return open === bytes.length ? out : out.subarray(0, open);
  }

  end(): Buffer {
    const rest = this.#waitingOut;
    this.#waiting = this.#waitingOut = Buffer.alloc(0);
    return rest;
  }
}

/** The text with all values masked; its length stays. */
export function maskText(plan: MaskPlan, text: string): string {
  const bytes = Buffer.from(text, "latin1");
  const mask = new ValueMask(plan);
  return Buffer.concat([mask.push(bytes), mask.end()]).toString("latin1");
}

export function maskStream(plan: MaskPlan): Transform {
  const mask = new ValueMask(plan);
  return new Transform({
    transform(chunk: Buffer, _, done) {
      const out = mask.push(chunk);
      if (out.length > 0) this.push(out);
      done();
    },
    flush(done) {
      const rest = mask.end();
      if (rest.length > 0) this.push(rest);
      done();
    },
  });
}
