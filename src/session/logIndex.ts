/** Where each event of a log is: seq, byte offset, type and a hash of the id, 20 bytes an event. Derived and disposable. */
import { crc32 } from "node:zlib";
import { EVENT_TYPES, isEventType } from "../core/events.ts";

const WORDS = 5;
export const RECORD_BYTES = WORDS * 4;

/** Code of an event type in the index; 0 for types that this version does not know. */
export function typeCode(type: string): number {
  return isEventType(type) ? EVENT_TYPES[type].code : 0;
}

export class LogIndex {
  /** offset low, offset high, seq, hash of the id, type code */
  #words: Uint32Array;
  #count: number;

  constructor(stored: Uint8Array = new Uint8Array()) {
    this.#count = Math.floor(stored.byteLength / RECORD_BYTES);
    this.#words = new Uint32Array(Math.max(this.#count * WORDS, 64 * WORDS));
    new Uint8Array(this.#words.buffer).set(stored.subarray(0, this.#count * RECORD_BYTES));
  }

  get count(): number {
    return this.#count;
  }

  add(seq: number, offset: number, id: string, type: string): void {
    const at = this.#count * WORDS;
    if (at === this.#words.length) {
      const larger = new Uint32Array(Math.ceil(this.#count * 1.5) * WORDS);
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#words.set([offset % 2 ** 32, Math.floor(offset / 2 ** 32), seq, crc32(id), typeCode(type)], at);
    this.#count += 1;
  }

  seq(ordinal: number): number {
    return this.#words[ordinal * WORDS + 2] ?? 0;
  }

  offset(ordinal: number): number {
    return (this.#words[ordinal * WORDS] ?? 0) + (this.#words[ordinal * WORDS + 1] ?? 0) * 2 ** 32;
  }

  type(ordinal: number): number {
    return this.#words[ordinal * WORDS + 4] ?? 0;
  }

  /** The first ordinal whose seq is at least `seq`; `count` when there is none. */
  firstAtLeast(seq: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.seq(middle) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Ordinals whose id may be `id`, newest first: the hash is 32 bits, the line has the last word. */
  candidates(id: string): readonly number[] {
    const hash = crc32(id);
    const words = this.#words;
    const found: number[] = [];
    for (let at = (this.#count - 1) * WORDS + 3; at > 0; at -= WORDS) {
      if (words[at] === hash) found.push((at - 3) / WORDS);
    }
    return found;
  }

  /** The records from `ordinal` on, as they are stored. */
  bytesFrom(ordinal: number): Uint8Array {
    return new Uint8Array(this.#words.buffer, ordinal * RECORD_BYTES, (this.#count - ordinal) * RECORD_BYTES);
  }
}
