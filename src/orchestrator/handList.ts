/** The list of hands that a person sees: each spec once, with the sessions that use it. */
import { handKey } from "../core/config.ts";
import type { HandSpec } from "../core/config.ts";
import { ManyHandsError } from "../core/errors.ts";
import type { HandInfo, HandStatus, HandTest, HandUse } from "../core/handInfo.ts";
import type { SessionId } from "../core/ids.ts";
import { describeHand } from "./providers.ts";
import type { Providers } from "./providers.ts";

export interface HandListParts {
  readonly configured: readonly HandSpec[];
  readonly sessions: readonly {
    readonly id: SessionId;
    readonly hands: readonly { readonly spec: HandSpec; readonly status: HandStatus }[];
  }[];
  readonly providers: Providers;
  readonly spareOf: (spec: HandSpec) => HandStatus | null;
  readonly testOf: (spec: HandSpec) => HandTest | null;
}

/** Configured ones first, in their order. A spec that was changed since is another hand: sessions keep what they began with. */
export function listedHands(parts: HandListParts): readonly HandInfo[] {
  const specs = new Map<string, { readonly spec: HandSpec; readonly configured: boolean; readonly uses: HandUse[] }>();
  for (const spec of parts.configured) specs.set(handKey(spec), { spec, configured: true, uses: [] });
  for (const { id, hands } of parts.sessions) {
    for (const { spec, status } of hands) {
      const entry = specs.get(handKey(spec)) ?? { spec, configured: false, uses: [] };
      specs.set(handKey(spec), entry);
      entry.uses.push({ ...status, session_id: id });
    }
  }
  return [...specs.values()].map(({ spec, configured, uses }) => ({
    spec,
    configured,
    provided: parts.providers.has(spec.kind),
    description: describeHand(parts.providers, spec),
    uses,
    spare: configured ? parts.spareOf(spec) : null,
    test: parts.testOf(spec),
  }));
}

/** The spec of that name; rejects with `hand_unknown`. */
export function specOfUse(configured: readonly HandSpec[], name: string): HandSpec {
  const spec = configured.find((candidate) => candidate.name === name);
  if (spec !== undefined) return spec;
  throw new ManyHandsError("hand_unknown", "hand", `The settings name no hand "${name}".`);
}
