/** Takes a supervisor's answers apart: lines that begin with its nonce, and the bytes that follow those that announce some. */
import { limits } from "../../core/limits.ts";

export interface Reply {
  /** The words of the answer. */
  readonly text: string;
  /** What came with it: of the announced length. */
  readonly data: Buffer;
}

export interface ReplyPorts {
  readonly onReply: (number: number, reply: Reply) => void;
  /** A line that is no answer: a greeting, or a complaint of the shell. */
  readonly onNoise: (line: string) => void;
}

const NEWLINE = 10;
/** A line that is longer is no answer; its beginning is let go of. */
const LINE_BYTES_MAX = 64 * 1024;
const NONE = Buffer.alloc(0);

interface Announced {
  readonly number: number;
  readonly text: string;
  /** What was announced, and the newline after it. */
  readonly data: Buffer;
}

export class ReplyReader {
  readonly #nonce: string;
  readonly #ports: ReplyPorts;
  #rest: Buffer = NONE;
  #announced: Announced | null = null;
  #have = 0;

  constructor(nonce: string, ports: ReplyPorts) {
    this.#nonce = nonce;
    this.#ports = ports;
  }

  add(chunk: Buffer): void {
    let left = chunk;
    while (left.length > 0) left = this.#announced === null ? this.#addToLine(left) : this.#addToData(left);
  }

  /** Gives what is left after the line's end. */
  #addToLine(chunk: Buffer): Buffer {
    const end = chunk.indexOf(NEWLINE);
    const piece = end === -1 ? chunk : chunk.subarray(0, end);
    const line = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    if (end === -1) {
      this.#rest = Buffer.from(line.subarray(-LINE_BYTES_MAX));
      return NONE;
    }
    this.#rest = NONE;
    this.#line(line.toString("utf8"));
    return chunk.subarray(end + 1);
  }

  #line(line: string): void {
    const [nonce, number = "", ...words] = line.split(" ");
    if (nonce !== this.#nonce) return this.#ports.onNoise(line);
    const text = words.join(" ");
    if (words[0] !== "data") return this.#ports.onReply(Number(number), { text, data: NONE });
    const bytes = Number(words[1]);
    if (!(bytes >= 0 && bytes <= limits.handPieceBytes)) return this.#ports.onNoise(line);
    this.#announced = { number: Number(number), text, data: Buffer.allocUnsafe(bytes + 1) };
  }

  /** The announced bytes, and the newline after them. */
  #addToData(chunk: Buffer): Buffer {
    const { number, text, data } = this.#announced as Announced;
    const wanted = data.length - this.#have;
    // Copied as it comes: to keep the chunks until all are there would make them old, and memory grow.
    this.#have += chunk.copy(data, this.#have, 0, wanted);
    if (this.#have === data.length) {
      this.#announced = null;
      this.#have = 0;
      this.#ports.onReply(number, { text, data: data.subarray(0, -1) });
    }
    return chunk.subarray(wanted);
  }
}
