/** Finds known values in a stream of bytes, also where they are split, and puts as many asterisks in their place. */
import { Transform } from "node:stream";

const ASTERISK = 0x2a;
/** What is shorter is found everywhere by chance. */
const FORM_BYTES_MIN = 4;

/** What is looked for, made ready once: shared by all streams of one value. */
export interface MaskPlan {
  readonly forms: readonly Buffer[];
  /** Bytes of the shortest and the longest form. */
  readonly shortest: number;
  readonly longest: number;
  /** By the last two bytes of a window of `shortest` bytes: how far it can be moved on (Wu and Manber's search). */
  readonly shifts: Uint16Array;
}

/** null: nothing to look for. `forms` in any order, twice or not. */
export function planMask(forms: readonly Uint8Array[]): MaskPlan | null {
  const long = forms.filter((form) => form.length >= FORM_BYTES_MIN).map((form) => Buffer.from(form));
  const buffers = Array.from(new Map(long.map((form) => [form.toString("latin1"), form])).values());
  if (buffers.length === 0) return null;
  const lengths = buffers.map((form) => form.length);
  const shortest = Math.min(...lengths, 65_535);
  const shifts = new Uint16Array(65_536).fill(shortest - 1);
  for (const form of buffers) {
    for (let at = 1; at < shortest; at += 1) {
      const pair = ((form[at - 1] ?? 0) << 8) | (form[at] ?? 0);
      shifts[pair] = Math.min(shifts[pair] ?? 0, shortest - 1 - at);
    }
  }
  return { forms: buffers, shortest, longest: Math.max(...lengths), shifts };
}

function beginsAt(bytes: Buffer, at: number, form: Buffer): boolean {
  return at + form.length <= bytes.length && bytes.compare(form, 0, form.length, at, at + form.length) === 0;
}

/** Where forms begin and end in `bytes`; they may overlap. */
function find({ forms, shortest, shifts }: MaskPlan, bytes: Buffer): [number, number][] {
  const found: [number, number][] = [];
  let last = shortest - 1;
  while (last < bytes.length) {
    const shift = shifts[((bytes[last - 1] ?? 0) << 8) | (bytes[last] ?? 0)] ?? 0;
    if (shift > 0) {
      last += shift;
      continue;
    }
    const start = last - shortest + 1;
    for (const form of forms) if (beginsAt(bytes, start, form)) found.push([start, start + form.length]);
    last += 1;
  }
  return found;
}

/** From where on the bytes could be the beginning of a form that goes on in the next chunk. */
function openFrom({ forms, longest }: MaskPlan, bytes: Buffer): number {
  for (let from = Math.max(0, bytes.length - longest + 1); from < bytes.length; from += 1) {
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
