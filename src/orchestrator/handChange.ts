/** Other hands for a session that goes on: whether they can be, which are gone, and what the model is told. */
import { handKey } from "../core/config.ts";
import type { HandSpec } from "../core/config.ts";
import { ManyHandsError } from "../core/errors.ts";
import { CREDENTIAL_IN_SOURCE, holdsCredential } from "../core/resource.ts";
import { HAND_MEMBER } from "../core/tools.ts";
import { describeHand } from "./providers.ts";
import type { Providers } from "./providers.ts";

const NAME = /^[A-Za-z0-9_-]{1,32}$/;

/** Throws `hand_unavailable`, with what to change. */
export function checkHands(hands: readonly HandSpec[]): void {
  if (hands.length === 0) throw invalid("A session needs at least one hand.");
  refuseCredentials(hands);
  for (const [at, { name, kind }] of hands.entries()) {
    if (typeof name !== "string" || !NAME.test(name)) {
      throw invalid(`The name of hands[${at}] must have 1 to 32 letters, digits, "_" or "-".`);
    }
    if (typeof kind !== "string" || kind === "") throw invalid(`The hand "${name}" needs a kind.`);
    if (hands.findIndex((other) => other.name === name) !== at) throw invalid(`Two hands have the name "${name}".`);
  }
}

/** What a session is made with is stored and shown. Throws `hand_unavailable`, with what to do instead. */
export function refuseCredentials(hands: readonly HandSpec[]): void {
  for (const { name, resources = [] } of hands) {
    if (resources.every(({ source_ref }) => !holdsCredential(source_ref))) continue;
    throw invalid(`A resource of the hand "${name}" cannot be used: ${CREDENTIAL_IN_SOURCE}`);
  }
}

/** Those of `before` that are not there any more, or not as they were. */
export function handsGone(before: readonly HandSpec[], after: readonly HandSpec[]): readonly HandSpec[] {
  const kept = new Set(after.map(handKey));
  return before.filter((spec) => !kept.has(handKey(spec)));
}

/** Empty where nothing has changed for the model. */
export function handsChangedText(
  before: readonly HandSpec[],
  after: readonly HandSpec[],
  providers: Providers,
): string {
  const known = new Set(before.map(handKey));
  const gone = handsGone(before, after);
  const isNew = (spec: HandSpec): boolean => !known.has(handKey(spec));
  if (gone.length === 0 && !after.some(isNew)) return "";
  const fate = (spec: HandSpec): string => {
    if (!isNew(spec)) return "as before";
    return before.some(({ name }) => name === spec.name) ? "replaced: nothing of the former one is there" : "new";
  };
  const lines = after.map((spec) => `- ${spec.name} (${spec.kind}), ${fate(spec)}: ${describeHand(providers, spec)}`);
  const names = gone.filter(({ name }) => !after.some((spec) => spec.name === name)).map(({ name }) => `"${name}"`);
  const taken = names.length === 0 ? "" : `\nTaken away, with all that ran there: ${names.join(", ")}.`;
  const how =
    after.length > 1
      ? `Each call names its hand by the member "${HAND_MEMBER}", or by the name of its tool.`
      : `Calls do not have the member "${HAND_MEMBER}" any more.`;
  return `The developer has changed the hands of this session. There are now:\n${lines.join("\n")}${taken}\n${how}`;
}

function invalid(message: string): ManyHandsError {
  return new ManyHandsError("hand_unavailable", "session", message);
}
