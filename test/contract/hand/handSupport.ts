/** What a kind of hand gives to the contract suite, and short ways to call a hand. */
import assert from "node:assert/strict";
import { hasCode } from "../../../src/core/errors.ts";
import type { Call, CallContext, CallResult, FileChange, Hand, ProvisionContext } from "../../../src/core/hand.ts";
import type { EventId } from "../../../src/core/ids.ts";
import type { Json } from "../../../src/core/json.ts";

/** A far end made for one test. */
export interface Place {
  /** Absolute, at the far end; empty at first. Its name has a space, quotes and letters beyond ASCII. */
  readonly directory: string;
  /** Provisions the hand, with a way to the credential proxy where one is given; again after `close`, over the same journal. */
  open(entrance?: ProvisionContext["entrance"]): Promise<Hand>;
  /** The bytes of a file at the far end, by other means than the hand; null where there is none. */
  peek(path: string): Promise<Buffer | null>;
  remove(): Promise<void>;
}

export type MakePlace = () => Promise<Place>;

export class Recorder implements CallContext {
  readonly chunks: Uint8Array[] = [];
  readonly changes: FileChange[] = [];
  bytes = 0;

  readonly onOutput = async (chunk: Uint8Array): Promise<void> => {
    this.chunks.push(Uint8Array.from(chunk));
    this.bytes += chunk.byteLength;
  };

  readonly willChange = async (change: FileChange): Promise<void> => {
    this.changes.push(change);
  };

  raw(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

let made = 0;

export function callOf(name: string, input: Json): Call {
  made += 1;
  return { id: `sevt_contract_${process.pid}_${made}` as EventId, name, input };
}

export interface Done {
  readonly call: Call;
  readonly result: CallResult;
  readonly seen: Recorder;
}

export async function perform(hand: Hand, name: string, input: Json): Promise<Done> {
  const call = callOf(name, input);
  const seen = new Recorder();
  return { call, result: await hand.execute(call, seen), seen };
}

export async function bash(hand: Hand, command: string, more: { readonly timeout_ms?: number } = {}): Promise<Done> {
  return perform(hand, "bash", { command, ...more });
}

/** Looks until it holds; the test's own time limit ends it. */
export async function until<T>(look: () => Promise<T | null | false>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== null && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What a command prints. */
export async function says(hand: Hand, command: string): Promise<string> {
  return (await bash(hand, command)).seen.raw().toString();
}

/** For `assert.rejects`: no hand, and why. */
export function unavailable(words: RegExp): (thrown: unknown) => boolean {
  return (thrown) => {
    assert.ok(hasCode(thrown, "hand_unavailable"), String(thrown));
    assert.match(thrown.message, words);
    return true;
  };
}
