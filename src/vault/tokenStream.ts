/** Takes what looks like a token out of bytes that come piece by piece: line by line, but only where something begins like one. */
import { redactionMarker } from "../core/redaction.ts";
import type { RedactingStream, RedactionCount } from "../core/redaction.ts";
import { limits } from "../core/limits.ts";
import { HintScan } from "./hintScan.ts";
import type { TokenShapes } from "./tokenShapes.ts";

const NOTHING = Buffer.alloc(0);
const NEWLINE = 10;

export class TokenStream implements RedactingStream {
  readonly #shapes: TokenShapes;
  readonly #counts = new Map<string, number>();
  #held: Buffer = NOTHING;

  constructor(shapes: TokenShapes) {
    this.#shapes = shapes;
  }

  get held(): number {
    return this.#held.length;
  }

  counts(): readonly RedactionCount[] {
    return Array.from(this.#counts, ([kind, count]) => ({ kind, count }));
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
    const { pieces, from, open } = this.#walk(bytes, isLast);
    // A copy: the bytes may be a view of a buffer that its owner uses again.
    this.#held = open === bytes.length ? NOTHING : Buffer.from(bytes.subarray(open));
    if (pieces.length === 0 && open === bytes.length) return isFresh ? chunk : bytes;
    return Buffer.concat([...pieces, bytes.subarray(from, open)]);
  }

  /** What can be given out: `pieces`, then the bytes between `from` and `open`. */
  #walk(
    bytes: Buffer,
    isLast: boolean,
  ): { readonly pieces: readonly Uint8Array[]; readonly from: number; readonly open: number } {
    const pieces: Uint8Array[] = [];
    let from = 0;
    for (let hit = HintScan.next(bytes, 0); hit !== -1;) {
      const end = regionEnd(bytes, hit);
      if (end === null && !isLast) return { pieces, from, open: hit };
      // One character per byte, so that places are the same.
      const region = bytes.toString("latin1", hit, end ?? bytes.length);
      for (const { start, end: to, kind } of this.#shapes.find(region)) {
        pieces.push(bytes.subarray(from, hit + start), Buffer.from(redactionMarker(kind)));
        from = hit + to;
        this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
      }
      hit = HintScan.next(bytes, hit + Math.max(region.length, 1));
    }
    return { pieces, from, open: isLast ? bytes.length : Math.max(from, undecidedFrom(bytes)) };
  }
}

/** Where the line ends in which something begins at `start`; for a private key, the line of its end. null: not there yet. */
function regionEnd(bytes: Buffer, start: number): number | null {
  const limit = start + limits.tokenBytesMax;
  const within = bytes.subarray(start, limit);
  const isKey = within.toString("latin1", 0, 10) === "-----BEGIN";
  const from = isKey ? within.indexOf("-----END") : 0;
  const newline = from === -1 ? -1 : within.indexOf(NEWLINE, from);
  if (newline !== -1) return start + newline;
  return bytes.length >= limit ? limit : null;
}

function undecidedFrom(bytes: Buffer): number {
  const tail = bytes.subarray(-limits.tokenUndecidedBytesMax);
  return bytes.length - tail.length + HintScan.undecidedFrom(tail.toString("latin1"));
}
