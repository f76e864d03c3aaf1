/** One event as one line of the log: encoding it, decoding it, and finding whole lines within damaged bytes. */
import { crc32 } from "node:zlib";
import type { EventId } from "../core/ids.ts";
import { isObject } from "../core/json.ts";
import type { AnyEvent } from "../core/sessionState.ts";

export const NEWLINE = 0x0a;
/** How every line begins; JSON escapes quotes within strings, so text in an event does not look like this. */
export const LINE_START = Buffer.from('{"seq":');
const CRC_KEY = Buffer.from(',"crc":"');
/** `,"crc":"` + 8 hex digits + `"}` */
const SEAL_BYTES = CRC_KEY.length + 10;
/** Bytes of a line besides its id, its type and its payload's members, at most. */
export const ENVELOPE_BYTES = 110;
/** The index keeps seqs in 32 bits. */
const SEQ_MAX = 2 ** 32 - 1;
/** Damaged bytes are searched for whole lines from at most this many places that look like a line's beginning. */
const STARTS_MAX = 200;

const BUFFER_BYTES = 64 * 1024;
/** A buffer that grew larger than this is not kept for the next lines. */
const BUFFER_BYTES_KEPT = 4 * 1024 * 1024;

/** Lines on their way to the disk, one behind the other in one piece of memory that is used again. */
export class LineBuffer {
  #bytes = Buffer.allocUnsafe(BUFFER_BYTES);
  #length = 0;

  /** What was added since it was cleared; valid until it is cleared. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    if (this.#bytes.length > BUFFER_BYTES_KEPT) this.#bytes = Buffer.allocUnsafe(BUFFER_BYTES);
    this.#length = 0;
  }

  addNewline(): void {
    this.#bytes[this.#length] = NEWLINE;
    this.#length += 1;
  }

  /** Adds a line with its newline; gives its length without. `members`: the payload as JSON without its braces. */
  add(seq: number, id: EventId, type: string, time: string, members: string): number {
    const comma = members === "" ? "" : ",";
    const head = `{"seq":${seq},"id":"${id}","type":"${type}","processed_at":"${time}"${comma}${members}`;
    this.#makeRoom(head.length);
    const start = this.#length;
    const split = start + this.#bytes.write(head, start);
    const crc = crc32(this.#bytes.subarray(start, split)).toString(16).padStart(8, "0");
    this.#length = split + this.#bytes.write(`,"crc":"${crc}"}\n`, split, "latin1");
    return this.#length - start - 1;
  }

  /** For a line whose text has `chars` characters before its checksum. */
  #makeRoom(chars: number): void {
    const needed = this.#length + chars * 3 + SEAL_BYTES + 2;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(needed * 2);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** One line by itself, with its newline. */
export function encodeLine(seq: number, id: EventId, type: string, time: string, members: string): Buffer {
  const buffer = new LineBuffer();
  buffer.add(seq, id, type, time, members);
  return Buffer.from(buffer.bytes);
}

/** The event in `bytes` (a line without its newline), or null unless they are exactly what was written. */
export function decodeLine(bytes: Buffer): AnyEvent | null {
  const split = bytes.length - SEAL_BYTES;
  if (split < LINE_START.length || bytes.compare(CRC_KEY, 0, CRC_KEY.length, split, split + CRC_KEY.length) !== 0) {
    return null;
  }
  const head = bytes.subarray(0, split);
  return sealAt(bytes, split) === crc32(head) ? parseHead(head) : null;
}

/** The checksum written at `key` (where `,"crc":"` is), or -1 when what stands there is none. */
function sealAt(bytes: Buffer, key: number): number {
  const digits = bytes.toString("latin1", key + CRC_KEY.length, key + SEAL_BYTES);
  return /^[0-9a-f]{8}"\}$/.test(digits) ? Number.parseInt(digits.slice(0, 8), 16) : -1;
}

function parseHead(head: Buffer): AnyEvent | null {
  try {
    const event: unknown = JSON.parse(`${head.toString("utf8")}}`);
    if (!isObject(event)) return null;
    const { seq, id, type, processed_at } = event;
    const isPlaced = Number.isInteger(seq) && (seq as number) > 0 && (seq as number) <= SEQ_MAX;
    const isNamed = typeof id === "string" && typeof type === "string" && typeof processed_at === "string";
    return isPlaced && isNamed ? (event as unknown as AnyEvent) : null;
  } catch {
    return null;
  }
}

export interface FoundLine {
  readonly event: AnyEvent;
  /** Where in the bytes the line begins and ends (without a newline). */
  readonly start: number;
  readonly end: number;
}

/**
 * The whole lines inside of bytes that are no valid line as they stand: a damaged newline merges two good lines, and
 * garbage may stand before or after one. Only what passes its checksum counts.
 */
export function findLines(bytes: Buffer): readonly FoundLine[] {
  const found: FoundLine[] = [];
  let failures = 0;
  for (let start = bytes.indexOf(LINE_START); start !== -1 && failures < STARTS_MAX;) {
    const line = findLineAt(bytes, start);
    if (line === null) failures += 1;
    else found.push(line);
    start = bytes.indexOf(LINE_START, line?.end ?? start + 1);
  }
  return found;
}

/** The checksum runs on from one candidate end to the next, so the bytes are hashed once per start. */
function findLineAt(bytes: Buffer, start: number): FoundLine | null {
  let crc = 0;
  let hashed = start;
  for (let key = bytes.indexOf(CRC_KEY, start); key !== -1; key = bytes.indexOf(CRC_KEY, key + 1)) {
    crc = crc32(bytes.subarray(hashed, key), crc);
    hashed = key;
    if (sealAt(bytes, key) !== crc) continue;
    const event = parseHead(bytes.subarray(start, key));
    return event === null ? null : { event, start, end: key + SEAL_BYTES };
  }
  return null;
}
