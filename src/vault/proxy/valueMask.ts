/**
 * Puts as many asterisks in the place of known values in a stream of bytes, also where they are split. Encodings that are
 * broken into lines are left to the redaction of what the hand prints: to look for them costs five times as much, and
 * clones of hundreds of megabytes come through here.
 */
import { Transform } from "node:stream";
import { FormMatcher } from "../formMatcher.ts";

const ASTERISK = 0x2a;
/** What is shorter is found everywhere by chance. */
const FORM_BYTES_MIN = 4;
const NOTHING = Buffer.alloc(0);

/** Looks for the forms, in any order, twice or not; null: nothing to look for. Shared by head and body of an answer. */
export function matcherOf(forms: readonly Uint8Array[]): FormMatcher | null {
  const long = forms.filter((form) => form.length >= FORM_BYTES_MIN);
  return long.length === 0 ? null : new FormMatcher(long);
}

/** Only what could be the beginning of a value waits for the next chunk; everything else passes at once. */
export class ValueMask {
  readonly #matcher: FormMatcher;
  /** The bytes that wait: as they came, and as they will go out (a value that ends in them is masked already). */
  #waiting: Buffer = NOTHING;
  #waitingOut: Buffer = NOTHING;

  constructor(matcher: FormMatcher) {
    this.#matcher = matcher;
  }

  push(chunk: Buffer): Buffer {
    return this.#take(chunk, false);
  }

  end(): Buffer {
    return this.#take(NOTHING, true);
  }

  #take(chunk: Buffer, isLast: boolean): Buffer {
    const isFirst = this.#waiting.length === 0;
    const bytes = isFirst ? chunk : Buffer.concat([this.#waiting, chunk]);
    let out = isFirst ? chunk : Buffer.concat([this.#waitingOut, chunk]);
    const ranges = this.#matcher.find(bytes);
    const open = isLast ? bytes.length : this.#matcher.openFrom(bytes);
    if (ranges.length > 0 && out === chunk) out = Buffer.from(chunk);
    for (const { start, end } of ranges) out.fill(ASTERISK, start, end);
    this.#waiting = open === bytes.length ? NOTHING : Buffer.from(bytes.subarray(open));
    this.#waitingOut = open === bytes.length ? NOTHING : Buffer.from(out.subarray(open));
    return open === bytes.length ? out : out.subarray(0, open);
  }
}

/** The text with all values masked; its length stays. */
export function maskText(matcher: FormMatcher, text: string): string {
  const bytes = Buffer.from(text, "latin1");
  for (const { start, end } of matcher.find(bytes)) bytes.fill(ASTERISK, start, end);
  return bytes.toString("latin1");
}

export function maskStream(matcher: FormMatcher): Transform {
  const mask = new ValueMask(matcher);
  return new Transform({
    transform(chunk: Buffer, _, done) {
      const out = mask.push(chunk);
      if (out.length > 0) this.push(out);
      done();
    },
    flush(done) {
      const rest = mask.end();
      if (rest.length > 0) this.push(rest);
      done();
    },
  });
}
