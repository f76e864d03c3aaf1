/** Takes known secret values out of texts and outputs, in every form in which they are likely to appear there. */
import { limits } from "../core/limits.ts";
import { mapStrings } from "../core/redaction.ts";
import type { RedactedText, RedactingStream, Redaction } from "../core/redaction.ts";
import { ValueFinder } from "./valueFinder.ts";
import { findForms } from "./valueForms.ts";
import { ValueStream } from "./valueStream.ts";

export interface Redactor extends Redaction {
  /** From now on `value` is taken out of texts. It stays known: what was a key yesterday may be in an error today. */
  add(value: string): void;
  redact(text: string): string;
}

export interface RedactorOptions {
  /** Whether to look for well-known kinds of token in what hands print; asked for each output. Default: no. */
  readonly detectTokens?: () => boolean;
  readonly report?: (what: string, thrown: unknown) => void;
}

export function createRedactor({ detectTokens = () => false, report = () => {} }: RedactorOptions = {}): Redactor {
  const known = new Set<string>();
  const forms = new Map<string, Uint8Array>();
  let newTokenStream: (() => RedactingStream) | null = null;
  let loading: Promise<void> | null = null;
  let finder: ValueFinder | null = null;
  const currentFinder = (): ValueFinder => (finder ??= new ValueFinder([...forms.values()]));

  const bytes = (): RedactingStream => new ValueStream(currentFinder);
  const output = (): RedactingStream =>
    newTokenStream === null || !detectTokens() ? bytes() : new Chain(bytes(), newTokenStream());
  async function load(): Promise<void> {
    try {
      const { loadTokenDetection } = await import("./tokenDetection.ts");
      newTokenStream = await loadTokenDetection();
    } catch (thrown) {
      loading = null;
      report("the shapes of tokens could not be loaded; what hands print is not searched for them", thrown);
    }
  }

  const redact = (text: string): string =>
    forms.size === 0 || text.length < limits.redactedCharsMin ? text : textThrough(bytes(), text).text;
  return {
    add(value) {
      if (known.has(value)) return;
      known.add(value);
      for (const form of findForms(value)) forms.set(Buffer.from(form).toString("latin1"), form);
      finder = null;
    },
    redact,
    text: redact,
    json: (value) => (forms.size === 0 ? value : mapStrings(value, redact)),
    bytes,
    output,
    outputText: (text) => textThrough(output(), text),
    ready: () => (detectTokens() ? (loading ??= load()) : Promise.resolve()),
  };
}

/** The same string where nothing is found. */
function textThrough(stream: RedactingStream, text: string): RedactedText {
  const start = stream.write(Buffer.from(text));
  const rest = stream.end();
  const counts = stream.counts();
  return { text: counts.length === 0 ? text : Buffer.concat([start, rest]).toString(), counts };
}

/** One stream after the other. */
class Chain implements RedactingStream {
  readonly #first: RedactingStream;
  readonly #second: RedactingStream;

  constructor(first: RedactingStream, second: RedactingStream) {
    this.#first = first;
    this.#second = second;
  }

  get held(): number {
    return this.#first.held + this.#second.held;
  }

  write(chunk: Uint8Array): Uint8Array {
    return this.#second.write(this.#first.write(chunk));
  }

  end(): Uint8Array {
    return Buffer.concat([this.#second.write(this.#first.end()), this.#second.end()]);
  }

  counts(): ReturnType<RedactingStream["counts"]> {
    return [...this.#first.counts(), ...this.#second.counts()];
  }
}
