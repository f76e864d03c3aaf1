/** Takes the one file out of a tar as it comes: what gathers while some is taken is taken together, which costs less than each piece by itself. */
import { Writable } from "node:stream";
import { limits } from "../../core/limits.ts";

const BLOCK = 512;
const HEADER = { size: 124, sizeEnd: 136, type: 156 } as const;

/** Destroyed with what `take` throws, or with an Error where this is no tar. */
export class TarFile extends Writable {
  readonly #take: (bytes: Uint8Array) => Promise<void>;
  #header = Buffer.alloc(0);
  /** Of the entry that is being read; then up to the next block. */
  #left = 0;
  #padding = 0;
  #isFile = false;
  /** Of the entry before a file, where its header has no room for what is to be said. */
  #more: Buffer[] = [];
  #isWhole = false;

  constructor(take: (bytes: Uint8Array) => Promise<void>) {
    super({ highWaterMark: 2 * limits.handPieceBytes });
    this.#take = take;
  }

  /** The file was there, to its last byte. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (thrown?: Error | null) => void): void {
    void this.#answer(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (thrown?: Error | null) => void): void {
    void this.#answer(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  async #answer(bytes: Buffer, done: (thrown?: Error | null) => void): Promise<void> {
    let reason: Error | null = null;
    try {
      await this.#consume(bytes);
    } catch (thrown) {
      reason = thrown instanceof Error ? thrown : new Error(String(thrown));
    }
    done(reason);
  }

  async #consume(bytes: Buffer): Promise<void> {
    let rest = bytes;
    while (rest.length > 0 && !this.#isWhole) {
      if (this.#left > 0) {
        const piece = rest.subarray(0, this.#left);
        rest = rest.subarray(piece.length);
        this.#left -= piece.length;
        if (this.#isFile) await this.#take(piece);
        else this.#more.push(Buffer.from(piece));
        this.#isWhole = this.#isFile && this.#left === 0;
      } else if (this.#padding > 0) {
        const skipped = Math.min(rest.length, this.#padding);
        rest = rest.subarray(skipped);
        this.#padding -= skipped;
      } else {
        const piece = rest.subarray(0, BLOCK - this.#header.length);
        rest = rest.subarray(piece.length);
        this.#header = Buffer.concat([this.#header, piece]);
        if (this.#header.length === BLOCK) this.#begin(this.#header);
      }
    }
  }

  #begin(header: Buffer): void {
    this.#header = Buffer.alloc(0);
    if (header.every((byte) => byte === 0)) return;
    const type = String.fromCodePoint(header[HEADER.type] ?? 0);
    this.#isFile = type === "0" || type === "\0";
    this.#left = this.#isFile ? (sizeSaid(this.#more) ?? sizeIn(header)) : sizeIn(header);
    if (!Number.isSafeInteger(this.#left)) throw new Error("its size cannot be read");
    if (type !== "x") this.#more = [];
    this.#padding = (BLOCK - (this.#left % BLOCK)) % BLOCK;
    this.#isWhole = this.#isFile && this.#left === 0;
  }
}

/** In octal, or where that is too short as a number of big bytes. */
function sizeIn(header: Buffer): number {
  if (((header[HEADER.size] ?? 0) & 0x80) !== 0) return Number(header.readBigUInt64BE(HEADER.sizeEnd - 8));
  const text = header.toString("latin1", HEADER.size, HEADER.sizeEnd).replaceAll(/[\0 ]/g, "");
  return text === "" ? 0 : Number.parseInt(text, 8);
}

/** Of pax records, `length name=value` and a newline each. */
function sizeSaid(records: readonly Buffer[]): number | null {
  const found = /(?:^|\n)\d+ size=(\d+)\n/.exec(Buffer.concat(records).toString("latin1"));
  return found === null ? null : Number(found[1]);
}
