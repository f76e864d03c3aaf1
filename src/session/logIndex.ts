/** Where each event of a log is: 20 bytes an event in one typed array, ordered by seq. Derived and disposable. */
import { crc32 } from "node:zlib";
import { EVENT_TYPES, isEventType } from "../core/events.ts";

/** Words of a record: seq, offset (low), offset (high, 24 bits) with the type's code, length, hash of the id. */
const WORDS = 5;
const OFFSET_HIGH = 2 ** 24;
export const RECORD_BYTES = WORDS * 4;

/** Code of an event type; 0 for types that this version does not know. */
export function typeCode(type: string): number {
  return isEventType(type) ? EVENT_TYPES[type].code : 0;
}

export class LogIndex {
  #words: Uint32Array;
  #count: number;
  /** Open addressing from id hashes to ordinals + 1; made when first asked for. */
  #byId: Uint32Array | null = null;
  /** Records before this ordinal are as they were when it was last read or written as a whole. */
  #settled: number;

  constructor(words: Uint32Array = new Uint32Array(64 * WORDS), count = 0) {
    this.#words = words;
    this.#count = count;
    this.#settled = count;
  }

  get count(): number {
    return this.#count;
  }

  seq(ordinal: number): number {
    return this.#words[ordinal * WORDS] ?? 0;
  }

  offset(ordinal: number): number {
    const high = (this.#words[ordinal * WORDS + 2] ?? 0) % OFFSET_HIGH;
    return (this.#words[ordinal * WORDS + 1] ?? 0) + high * 2 ** 32;
  }

  type(ordinal: number): number {
    return (this.#words[ordinal * WORDS + 2] ?? 0) >>> 24;
  }

  /** Bytes of the line without its newline. */
  bytes(ordinal: number): number {
    return this.#words[ordinal * WORDS + 3] ?? 0;
  }

  /** False when the seq is taken. Usually at the end; a line that stands out of its order goes to its place. */
  add(seq: number, offset: number, bytes: number, id: string, type: string): boolean {
    let ordinal = this.#count;
    if (ordinal > 0 && seq <= this.seq(ordinal - 1)) {
      ordinal = this.firstAtLeast(seq);
      if (this.seq(ordinal) === seq) return false;
    }
    this.#makeRoom(ordinal);
    const at = ordinal * WORDS;
    this.#words[at] = seq;
    this.#words[at + 1] = offset % 2 ** 32;
    this.#words[at + 2] = Math.floor(offset / 2 ** 32) + typeCode(type) * OFFSET_HIGH;
    this.#words[at + 3] = bytes;
    this.#words[at + 4] = crc32(id);
    this.#count += 1;
    if (this.#byId !== null) this.#enter(ordinal);
    return true;
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

  /** Ordinals whose id may be `id`: the hash has 32 bits, the line has the last word. */
  candidates(id: string): readonly number[] {
    const table = this.#idTable();
    const hash = crc32(id);
    const found: number[] = [];
    for (let slot = hash % table.length; table[slot] !== 0; slot = (slot + 1) % table.length) {
      const ordinal = (table[slot] ?? 0) - 1;
      if (this.#words[ordinal * WORDS + 4] === hash) found.push(ordinal);
    }
    return found;
  }

  /** Forgets the events whose lines do not end before `end`. */
  cutAt(end: number): void {
    const kept = new LogIndex();
    for (let ordinal = 0; ordinal < this.#count; ordinal += 1) {
      if (this.offset(ordinal) + this.bytes(ordinal) > end) continue;
      kept.#makeRoom(kept.#count);
      kept.#words.set(this.#words.subarray(ordinal * WORDS, (ordinal + 1) * WORDS), kept.#count * WORDS);
      kept.#count += 1;
    }
    this.#words = kept.#words;
    this.#count = kept.#count;
    this.#byId = null;
    this.#settled = 0;
  }

  /** How many of the first records have not changed since this was last asked. */
  takeSettled(): number {
    const settled = this.#settled;
    this.#settled = this.#count;
    return settled;
  }

  /** The records from `ordinal` on, as they are stored; valid until the next change. */
  bytesFrom(ordinal: number): Uint8Array {
    const { buffer, byteOffset } = this.#words;
    return new Uint8Array(buffer, byteOffset + ordinal * RECORD_BYTES, (this.#count - ordinal) * RECORD_BYTES);
  }

  #makeRoom(ordinal: number): void {
    if ((this.#count + 1) * WORDS > this.#words.length) {
      const larger = new Uint32Array(Math.ceil((this.#count + 64) * 1.5) * WORDS);
      larger.set(this.#words.subarray(0, this.#count * WORDS));
      this.#words = larger;
    }
    if (ordinal === this.#count) return;
    this.#words.copyWithin((ordinal + 1) * WORDS, ordinal * WORDS, this.#count * WORDS);
    this.#byId = null;
    this.#settled = Math.min(this.#settled, ordinal);
  }

  #idTable(): Uint32Array {
    if (this.#byId !== null) return this.#byId;
    this.#byId = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(256, this.#count * 3))));
    for (let ordinal = 0; ordinal < this.#count; ordinal += 1) this.#place(this.#byId, ordinal);
    return this.#byId;
  }

  #enter(ordinal: number): void {
    if (this.#byId === null) return;
    if (this.#count * 2 > this.#byId.length) this.#byId = null;
    else this.#place(this.#byId, ordinal);
  }

  #place(table: Uint32Array, ordinal: number): void {
    let slot = (this.#words[ordinal * WORDS + 4] ?? 0) % table.length;
    while (table[slot] !== 0) slot = (slot + 1) % table.length;
    table[slot] = ordinal + 1;
  }
}
