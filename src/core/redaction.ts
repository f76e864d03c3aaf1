/** The port of redaction: credentials are taken out of whatever is appended, shown, or sent to a model. */
import type { Json } from "./json.ts";

/** What was taken out of an output, and how often. */
export interface RedactionCount {
  /** In words: `credential` for a stored one, else what it looks like (`GitHub token`). */
  readonly kind: string;
  readonly count: number;
}

/** Takes bytes piece by piece. What could be the beginning of something secret is held back until that is known. */
export interface RedactingStream {
  /** What can be given out now; the same object as `chunk` where all of it can and nothing was found. */
  write(chunk: Uint8Array): Uint8Array;
  /** The rest. Nothing is written afterwards. */
  end(): Uint8Array;
  /** Bytes that were written and are neither given out nor redacted yet. */
  readonly held: number;
  /** What was taken out so far. */
  counts(): readonly RedactionCount[];
}

/** A text of an output without what is secret. */
export interface RedactedText {
  readonly text: string;
  readonly counts: readonly RedactionCount[];
}

export interface Redaction {
  /** Stored credentials, in every form in which programs print them, replaced by a marker; the same string where there is none. */
  text(text: string): string;
  /** In all strings of the value, names of members included; the same object where nothing is found. */
  json<T>(value: T): T;
  /** Stored credentials only: for what is kept as it came. */
  bytes(): RedactingStream;
  /** Stored credentials, and what looks like a well-known kind of token: for what hands print. */
  output(): RedactingStream;
  outputText(text: string): RedactedText;
  /** Resolves when the shapes of tokens are loaded; `output` looks for none before. Never rejects. */
  ready(): Promise<void>;
}

export const CREDENTIAL_KIND = "credential";

/** What stands in the place of something that was taken out. */
export function redactionMarker(kind: string): string {
  return `[redacted: ${kind}]`;
}

const MARKER = /\[redacted: [A-Za-z0-9][A-Za-z0-9 .-]{0,39}\]/g;

/** The first marker in `after` that `before` does not have: whoever writes it would put it in a credential's place. */
export function markerAdded(before: string, after: string): string | null {
  return (after.match(MARKER) ?? []).find((marker) => !before.includes(marker)) ?? null;
}

const nothing: readonly RedactionCount[] = [];

/** For parts that run where no credentials are. */
export const noRedaction: Redaction = {
  text: (text) => text,
  json: (value) => value,
  bytes: untouched,
  output: untouched,
  outputText: (text) => ({ text, counts: nothing }),
  ready: () => Promise.resolve(),
};

function untouched(): RedactingStream {
  return { write: (chunk) => chunk, end: () => new Uint8Array(0), held: 0, counts: () => nothing };
}

/** All strings of a JSON value through `change`; the same object where none changes. Throws nothing. */
export function mapStrings<T>(value: T, change: (text: string) => string): T {
  return mapped(value as Json, change) as T;
}

function mapped(value: Json | undefined, change: (text: string) => string): Json | undefined {
  if (typeof value === "string") return change(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map((item: Json) => mapped(item, change) as Json);
    return items.some((item, at) => item !== value[at]) ? items : value;
  }
  const members = Object.entries(value as Readonly<Record<string, Json>>);
  const changed = members.map(([name, member]) => [change(name), mapped(member, change)] as const);
  const isSame = changed.every(([name, member], at) => name === members[at]?.[0] && member === members[at][1]);
  return isSame ? value : (Object.fromEntries(changed) as Json);
}
