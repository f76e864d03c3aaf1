/** What the guided add offers: a port that each kind of hand can fill. */
import type { HandSpec } from "../core/config.ts";

export interface HandCandidate {
  /** As the person knows it: a host's alias, an image's name. */
  readonly label: string;
  readonly description: string;
  /** A codicon's name. */
  readonly icon: string;
  /** For the hand; need be neither valid nor unique. */
  readonly name: string;
  readonly spec: Omit<HandSpec, "name">;
}

export interface HandDiscovery {
  /** Over its candidates. */
  readonly title: string;
  /** Never rejects: what does not answer has nothing to offer. Ends with the signal. */
  discover(signal: AbortSignal): Promise<readonly HandCandidate[]>;
}

/** A valid name that is not taken, made from any text. */
export function freeName(wanted: string, taken: readonly string[]): string {
  const plain = wanted
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .replaceAll(/[^A-Za-z0-9_-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 28);
  const name = plain === "" ? "hand" : plain;
  for (let count = 1; ; count += 1) {
    const candidate = count === 1 ? name : `${name}-${count}`;
    if (!taken.includes(candidate)) return candidate;
  }
}
