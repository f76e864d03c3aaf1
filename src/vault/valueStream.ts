/** Takes the forms of stored values out of bytes that come piece by piece, wherever a piece ends. */
import { CREDENTIAL_KIND, redactionMarker } from "../core/redaction.ts";
import type { RedactingStream, RedactionCount } from "../core/redaction.ts";
import { runAtEnd } from "./valueFinder.ts";
import type { ValueFinder } from "./valueFinder.ts";

const MARKER = Buffer.from(redactionMarker(CREDENTIAL_KIND));
const NOTHING = Buffer.alloc(0);

export class ValueStream implements RedactingStream {
  /** Asked anew at each piece: a value may become known in the middle. */
  readonly #finder: () => ValueFinder;
  #held: Buffer = NOTHING;
  /** Bytes at the beginning of what is held whose marker was given out already. */
  #covered = 0;
  #run = 0;
  #count = 0;

  constructor(finder: () => ValueFinder) {
    this.#finder = finder;
  }

  get held(): number {
    return this.#held.length;
  }

  counts(): readonly RedactionCount[] {
    return this.#count === 0 ? [] : [{ kind: CREDENTIAL_KIND, count: this.#count }];
  }

  write(chunk: Uint8Array): Uint8Array {
    return this.#take(chunk, false);
  }

  end(): Uint8Array {
    return this.#take(NOTHING, true);
  }

  #take(chunk: Uint8Array, isLast: boolean): Uint8Array {
    const isFresh = this.#held.length === 0;
    const given = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const bytes = isFresh ? given : Buffer.concat([this.#held, given]);
    const { ranges, open } = this.#finder().find(bytes, this.#run, isLast);
    const isCovered = this.#covered > 0;
    if (!isCovered && ranges.length === 0 && open === bytes.length) {
      this.#keep(bytes, open);
      return isFresh ? chunk : bytes;
    }
    const pieces: Buffer[] = [];
    let at = 0;
    let covered = this.#covered;
    for (const { start, end } of ranges) {
      if (start >= open) break;
      if (start < covered) {
        covered = Math.max(covered, end);
        continue;
      }
      at = Math.max(at, covered);
      pieces.push(bytes.subarray(at, start), MARKER);
      this.#count += 1;
      covered = end;
    }
    at = Math.max(at, covered);
    if (at < open) pieces.push(bytes.subarray(at, open));
    this.#covered = Math.max(0, covered - open);
    this.#keep(bytes, open);
    return Buffer.concat(pieces);
  }

  /** A copy: the bytes may be a view of a buffer that its owner uses again. */
  #keep(bytes: Buffer, open: number): void {
    this.#run = runAtEnd(bytes.subarray(Math.max(0, open - 64), open), open < 64 ? this.#run : 0);
    this.#held = open === bytes.length ? NOTHING : Buffer.from(bytes.subarray(open));
  }
}
