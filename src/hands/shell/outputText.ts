/** What the model reads of a call's output: head and tail, valid Unicode, readable; what was left out is said. */
import { limits } from "../../core/limits.ts";
import type { RedactingStream } from "../../core/redaction.ts";

const HEAD_BYTES = Math.floor(limits.modelOutputBytesMax / 3);
const TAIL_BYTES = limits.modelOutputBytesMax - HEAD_BYTES;

/** Collects output in bounded memory: its beginning, its end, and how much there was. */
export class OutputWindow {
  #head: Buffer = Buffer.alloc(0);
  #tail: Buffer = Buffer.alloc(0);
  #bytes = 0;

  add(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength;
    let rest = Buffer.from(chunk);
    if (this.#head.length < HEAD_BYTES) {
      const taken = rest.subarray(0, HEAD_BYTES - this.#head.length);
      this.#head = Buffer.concat([this.#head, taken]);
      rest = rest.subarray(taken.length);
    }
    if (rest.length === 0) return;
    this.#tail = Buffer.concat([this.#tail, rest.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES);
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

/** A window whose bytes are redacted before any of them is cut away. */
export class RedactedWindow {
  readonly window = new OutputWindow();
  readonly #redacting: RedactingStream | undefined;
  /** That were printed. */
  bytes = 0;

  constructor(redacting: RedactingStream | undefined) {
    this.#redacting = redacting;
  }

  add(chunk: Uint8Array): void {
    this.bytes += chunk.byteLength;
    this.window.add(this.#redacting === undefined ? chunk : this.#redacting.write(chunk));
  }

  /** The window with all that was added. */
  end(): OutputWindow {
    if (this.#redacting !== undefined) this.window.add(this.#redacting.end());
    return this.window;
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
