/** What the model reads of a call's output: head and tail, valid Unicode, readable; what was left out is said. */
import { limits } from "../../core/limits.ts";
import type { Redaction } from "../../core/redaction.ts";

const HEAD_BYTES = Math.floor(limits.modelOutputBytesMax / 3);
const TAIL_BYTES = limits.modelOutputBytesMax - HEAD_BYTES;

/** Collects output in bounded memory: its beginning, its end, and how much there was. */
export class OutputWindow {
  #head: Buffer = Buffer.alloc(0);
  #tail: Buffer = Buffer.alloc(0);
  #bytes = 0;
  readonly #headBytes: number;
  readonly #tailBytes: number;

  /** `margin`: bytes that are kept beside the cut on each side. */
  constructor(margin = 0) {
    this.#headBytes = HEAD_BYTES + margin;
    this.#tailBytes = TAIL_BYTES + margin;
  }

  add(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength;
    let rest = Buffer.from(chunk);
    if (this.#head.length < this.#headBytes) {
      const taken = rest.subarray(0, this.#headBytes - this.#head.length);
      this.#head = Buffer.concat([this.#head, taken]);
      rest = rest.subarray(taken.length);
    }
    if (rest.length === 0) return;
    this.#tail = Buffer.concat([this.#tail, rest.subarray(-this.#tailBytes)]).subarray(-this.#tailBytes);
  }

  /** The same output in a window without margins, redacted. */
  redacted(redaction: Redaction): OutputWindow {
    const window = new OutputWindow();
    const stream = redaction.output();
    if (!this.isTruncated) {
      window.add(stream.write(this.kept()));
      window.add(stream.end());
      return window;
    }
    const head = Buffer.concat([stream.write(this.#head), stream.end()]);
    const after = redaction.output();
    // What begins before the tail's margin is not seen whole: the margin itself is never shown.
    after.write(this.#tail.subarray(0, this.#tail.length - TAIL_BYTES));
    const tail = Buffer.concat([after.write(this.#tail.subarray(-TAIL_BYTES)), after.end()]);
    window.#head = head.subarray(0, HEAD_BYTES);
    window.#tail = tail.subarray(-TAIL_BYTES);
    window.#bytes = Math.max(this.#bytes, window.#head.length + window.#tail.length + 1);
    return window;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isTruncated(): boolean {
    return this.#bytes > this.#head.length + this.#tail.length;
  }

  /** All that is kept, as bytes; whole where it is not truncated. */
  kept(): Buffer {
    return Buffer.concat([this.#head, this.#tail]);
  }

  text(): string {
    if (isBinary(this.#head)) return `(binary output, ${this.#bytes} bytes; the whole of it is in the session log)`;
    if (!this.isTruncated) return readable(this.kept());
    const left = this.#bytes - this.#head.length - this.#tail.length;
    const gap = `\n\n[… ${left} bytes left out here; the whole output of ${this.#bytes} bytes is in the session log …]\n\n`;
    return readable(atCharacter(this.#head, false)) + gap + readable(atCharacter(this.#tail, true));
  }
}

/** More than the longest form of a credential: so much beside a cut is kept until both sides are redacted. */
const MARGIN_BYTES = 32 * 1024;

/** A window whose bytes are redacted before any of them is cut away. Only what is near the window is looked at. */
export class RedactedWindow {
  readonly #redaction: Redaction | undefined;
  readonly #raw: OutputWindow;

  constructor(redaction: Redaction | undefined) {
    this.#redaction = redaction;
    this.#raw = redaction === undefined ? new OutputWindow() : new OutputWindow(MARGIN_BYTES);
  }

  add(chunk: Uint8Array): void {
    this.#raw.add(chunk);
  }

  /** That were printed. */
  get bytes(): number {
    return this.#raw.bytes;
  }

  /** The window with all that was added. */
  end(): OutputWindow {
    return this.#redaction === undefined ? this.#raw : this.#raw.redacted(this.#redaction);
  }
}

/** Mostly bytes that no text has. */
export function isBinary(bytes: Buffer): boolean {
  const sample = bytes.subarray(0, 8_192);
  let odd = 0;
  for (const byte of sample) if (byte === 0 || (byte < 32 && ![7, 8, 9, 10, 12, 13, 27].includes(byte))) odd += 1;
  return sample.length > 0 && odd / sample.length > 0.1;
}

/** Cuts inside a UTF-8 character are moved to its edge. */
function atCharacter(bytes: Buffer, atStart: boolean): Buffer {
  const isInside = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;
  if (atStart) {
    let start = 0;
    while (start < 4 && isInside(bytes[start])) start += 1;
    return bytes.subarray(start);
  }
  let end = bytes.length;
  let steps = 0;
  while (steps < 4 && end > 0 && isInside(bytes[end - 1])) {
    end -= 1;
    steps += 1;
  }
  if (end > 0 && ((bytes[end - 1] ?? 0) & 0xc0) === 0xc0) end -= 1;
  return bytes.subarray(0, end);
}

const CSI = new RegExp(String.raw`\u001b\[[0-9;?]*[ -/]*[@-~]`, "g");
const OSC = new RegExp(String.raw`\u001b\][^\u0007\u001b]*(\u0007|\u001b\\)`, "g");

/** Escape sequences of terminals and overwritten progress lines help nobody who reads; raw bytes stay in the log. */
function readable(bytes: Buffer): string {
  return bytes
    .toString("utf8")
    .replaceAll("\r\n", "\n")
    .replaceAll(CSI, "")
    .replaceAll(OSC, "")
    .replaceAll(/^.*\r(?!\n)/gm, "")
    .replaceAll("\0", "\u2400");
}
