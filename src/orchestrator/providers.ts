/** The providers of hands, by kind. */
import type { HandSpec } from "../core/config.ts";
import { ManyHandsError } from "../core/errors.ts";
import type { HandProvider } from "../core/hand.ts";

export type Providers = ReadonlyMap<string, HandProvider>;

/** Throws `hand_unavailable` where nobody brings that kind. */
export function providerOf(providers: Providers, spec: HandSpec): HandProvider {
  const provider = providers.get(spec.kind);
  if (provider !== undefined) return provider;
  const message = `no provider for hands of kind "${spec.kind}"; the extension that brings it may be disabled`;
  throw new ManyHandsError("hand_unavailable", "hand", message);
}
