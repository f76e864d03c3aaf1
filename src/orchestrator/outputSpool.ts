/** Takes the raw output of one call: forwards it, redacted, to live viewers, and keeps what the model's text does not show. */
import type { BlobRef } from "../core/events.ts";
import { limits } from "../core/limits.ts";
import type { RedactingStream, RedactionCount } from "../core/redaction.ts";
import type { BlobWriter, SessionLog } from "../core/sessionLog.ts";

/** Output up to this size stays in memory until it is known whether a blob is needed at all. */
const BUFFER_BYTES_MAX = 64 * 1024;

export class OutputSpool {
  readonly #log: Pick<SessionLog, "createBlob" | "putBlob">;
  readonly #onText: (text: string, offset: number) => void;
  readonly #report: (what: string, thrown: unknown) => void;
  readonly #redacting: RedactingStream;
  readonly #decoder = new TextDecoder("utf-8");
  #buffered: Uint8Array[] = [];
  #bytes = 0;
  #kept = 0;
  #writer: BlobWriter | null = null;
  #broken = false;

  constructor(
    log: Pick<SessionLog, "createBlob" | "putBlob">,
    onText: (text: string, offset: number) => void,
    report: (what: string, thrown: unknown) => void,
    redacting: RedactingStream,
  ) {
    this.#redacting = redacting;
    this.#log = log;
    this.#onText = onText;
    this.#report = report;
  }

  /**
   * A way in for one telling of the output from byte 0. A later telling (after a broken stream) repeats the beginning:
   * what the spool has already is left out. Never rejects: what cannot be kept is reported, and the call goes on.
   */
  reader(): (chunk: Uint8Array) => Promise<void> {
    let told = 0;
    return async (chunk) => {
      const known = Math.min(Math.max(this.#bytes - told, 0), chunk.byteLength);
      told += chunk.byteLength;
      if (known < chunk.byteLength) await this.#write(chunk.subarray(known));
    };
  }

  async #write(chunk: Uint8Array): Promise<void> {
    const offset = this.#bytes - this.#redacting.held;
    this.#bytes += chunk.byteLength;
    await this.#pass(this.#redacting.write(chunk), offset);
  }

  async #pass(chunk: Uint8Array, offset: number): Promise<void> {
    if (chunk.byteLength === 0) return;
    const text = this.#decoder.decode(chunk, { stream: true });
    if (text !== "") this.#onText(text, offset);
    const room = limits.outputBytesMax - this.#kept;
    if (this.#broken || room <= 0) return;
    const kept = chunk.byteLength > room ? chunk.subarray(0, room) : chunk;
    this.#kept += kept.byteLength;
    await this.#keep(kept);
  }

  /** What was taken out of the output so far. */
  redactions(): readonly RedactionCount[] {
    return this.#redacting.counts();
  }

  /** The blob with all of the output, or undefined where `needed` is false or nothing could be kept. */
  async finish(needed: boolean): Promise<BlobRef | undefined> {
    await this.#pass(this.#redacting.end(), this.#bytes - this.#redacting.held);
    const writer = this.#writer;
    const buffered = this.#buffered;
    this.#writer = null;
    this.#buffered = [];
    try {
      if (!needed || this.#broken || this.#kept === 0) {
        await writer?.discard();
        return undefined;
      }
      return writer === null ? await this.#log.putBlob(join(buffered)) : await writer.finish();
    } catch (thrown) {
      this.#report("the whole output of a call could not be kept", thrown);
      return undefined;
    }
  }

  async #keep(chunk: Uint8Array): Promise<void> {
    try {
      if (this.#writer === null && this.#kept <= BUFFER_BYTES_MAX) {
        // A copy: the chunk may be a view of a buffer that its owner uses again.
        this.#buffered.push(chunk.slice());
        return;
      }
      if (this.#writer === null) {
        this.#writer = await this.#log.createBlob();
        await this.#writer.write(join(this.#buffered));
        this.#buffered = [];
      }
      await this.#writer.write(chunk);
    } catch (thrown) {
      this.#broken = true;
      this.#report("the whole output of a call could not be kept", thrown);
    }
  }
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}
