/**
 * Finds any of many byte strings in one pass that looks at a few bytes only (after Wu and Manber): a table says for each
 * four bytes how far the nearest form can be, and the window moves on by that much.
 */

/** A stretch of bytes; `end` is exclusive. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

const GRAM = 4;
const TABLE_BITS = 17;
/** Longer windows would move on faster, but the table counts in bytes. */
const WINDOW_MAX = 128;

export class FormMatcher {
  /** The longest form, in bytes; 0: there is none. */
  readonly longest: number;
  readonly #forms: readonly Uint8Array[];
  /** All forms in the order of their bytes. */
  readonly #sorted: readonly Buffer[];
  readonly #window: number;
  readonly #shifts = new Uint8Array(1 << TABLE_BITS);
  /** By hash of the window's last bytes: the first form with it, and per form the next one, counted from 1. */
  readonly #first = new Map<number, number>();
  readonly #next: Int32Array;
  /** Bit per pair of bytes: some form begins so. */
  readonly #beginnings = new Uint8Array(1 << 16);
  readonly #firstBytes = new Uint8Array(256);

  /** No form is shorter than four bytes. */
  constructor(forms: readonly Uint8Array[]) {
    this.#forms = forms;
    this.#sorted = forms.map((form) => Buffer.from(form)).toSorted((a, b) => Buffer.compare(a, b));
    this.#next = new Int32Array(forms.length + 1);
    this.longest = forms.reduce((longest, { length }) => Math.max(longest, length), 0);
    this.#window = Math.min(WINDOW_MAX, ...forms.map(({ length }) => length));
    this.#shifts.fill(this.#window - GRAM + 1);
    for (const [at, form] of forms.entries()) this.#enter(form, at + 1);
  }

  #enter(form: Uint8Array, number: number): void {
    for (let end = GRAM - 1; end < this.#window; end += 1) {
      const hash = hashAt(form, end);
      this.#shifts[hash] = Math.min(this.#shifts[hash] ?? 0, this.#window - 1 - end);
    }
    const last = hashAt(form, this.#window - 1);
    this.#next[number] = this.#first.get(last) ?? 0;
    this.#first.set(last, number);
    this.#beginnings[((form[0] ?? 0) << 8) | (form[1] ?? 0)] = 1;
    this.#firstBytes[form[0] ?? 0] = 1;
  }

  /** All places of all forms, in the order of their beginnings; they may overlap. */
  find(bytes: Uint8Array): readonly Range[] {
    const found: Range[] = [];
    if (this.longest === 0) return found;
    const shifts = this.#shifts;
    const window = this.#window;
    const count = bytes.length;
    for (let end = window - 1; end < count;) {
      const hash = hashAt(bytes, end);
      const shift = shifts[hash] as number;
      if (shift === 0) {
        this.#verify(bytes, end - window + 1, hash, found);
        end += 1;
      } else end += shift;
    }
    return found;
  }

  #verify(bytes: Uint8Array, start: number, hash: number, found: Range[]): void {
    for (let number = this.#first.get(hash) ?? 0; number !== 0; number = this.#next[number] ?? 0) {
      const form = this.#forms[number - 1] as Uint8Array;
      const end = start + form.length;
      if (end > bytes.length) continue;
      let at = 0;
      while (at < form.length && form[at] === bytes[start + at]) at += 1;
      if (at === form.length) found.push({ start, end });
    }
  }

  /** The first place from which on the bytes could be the beginning of a form that is not whole yet; their length: none. */
  openFrom(bytes: Buffer): number {
    const count = bytes.length;
    for (let start = Math.max(0, count - this.longest + 1); start < count - 1; start += 1) {
      const pair = ((bytes[start] as number) << 8) | (bytes[start + 1] as number);
      if (this.#beginnings[pair] === 1 && this.#isBeginning(bytes, start)) return start;
    }
    return count > 0 && this.longest > 0 && this.#firstBytes[bytes[count - 1] as number] === 1 ? count - 1 : count;
  }

  /** Whether some form is longer than the rest and begins with it. */
  #isBeginning(bytes: Buffer, start: number): boolean {
    const sorted = this.#sorted;
    const length = bytes.length - start;
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const form = sorted[middle] as Buffer;
      const compared = form.compare(bytes, start, bytes.length, 0, Math.min(length, form.length));
      // A form that the rest begins with, and that is shorter, comes before all that begin with the rest.
      if (compared < 0) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < sorted.length; at += 1) {
      const form = sorted[at] as Buffer;
      if (form.compare(bytes, start, bytes.length, 0, Math.min(length, form.length)) !== 0) return false;
      if (form.length > length) return true;
    }
    return false;
  }
}

function hashAt(bytes: Uint8Array, end: number): number {
  const gram =
    (bytes[end - 3] as number) |
    ((bytes[end - 2] as number) << 8) |
    ((bytes[end - 1] as number) << 16) |
    ((bytes[end] as number) << 24);
  return Math.imul(gram, 0x9e3779b1) >>> (32 - TABLE_BITS);
}
