/** The providers of hands, by kind. */
import type { HandSpec } from "../core/config.ts";
import { ManyHandsError } from "../core/errors.ts";
import type { Hand, HandCommand, HandProcess, HandProvider } from "../core/hand.ts";
import { messageOf } from "../core/json.ts";

export type Providers = ReadonlyMap<string, HandProvider>;

/** Throws `hand_unavailable` where nobody brings that kind. */
export function providerOf(providers: Providers, spec: HandSpec): HandProvider {
  const provider = providers.get(spec.kind);
  if (provider !== undefined) return provider;
  const message = `no provider for hands of kind "${spec.kind}"; the extension that brings it may be disabled`;
  throw new ManyHandsError("hand_unavailable", "hand", message);
}

/** One line about a hand that is not provisioned. A provider may say what is wrong with a spec by throwing. */
export function describeHand(providers: Providers, spec: HandSpec): string {
  try {
    return providers.get(spec.kind)?.describe(spec) ?? `no provider for hands of kind "${spec.kind}"`;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

/** A program of the hand `of` in the hand `other`, which is had by `get`. Two of one kind could wait for each other. */
export async function openProcessIn(
  other: HandSpec,
  of: HandSpec,
  get: () => Promise<Hand>,
  command: HandCommand,
  signal: AbortSignal,
): Promise<HandProcess> {
  const hand = other.kind === of.kind ? null : await get();
  if (hand?.openProcess !== undefined) return hand.openProcess(command, signal);
  const message = `The hand "${other.name}" runs no programs: name one with a shell.`;
  throw new ManyHandsError("hand_unavailable", "hand", message);
}
