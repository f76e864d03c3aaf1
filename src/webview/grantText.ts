/** What a request for a grant says to a person, as pure functions: what is asked, whether it changes anything, how it went. */
import { lastsText } from "../core/grantText.ts";
import { matchesPattern, sharedRefs, shortRef } from "../core/refPattern.ts";
import type { GrantLasts, GrantScope } from "../core/vault.ts";
import type { GrantRow } from "./rows.ts";

const READING: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

export interface GrantAsk {
  /** After "Let … ": `push main to`. */
  readonly what: string;
  /** Its object: `acme/app on github.com`. */
  readonly where: string;
  /** `reads` changes nothing there; `tools` may or may not. */
  readonly weight: "reads" | "changes" | "tools";
}

export function grantAsk(scope: GrantScope): GrantAsk {
  const host = scope.origin.replace(/^https:\/\//, "");
  const place = host + (scope.path_prefix === "/" ? "" : scope.path_prefix);
  if (scope.git !== undefined) {
    const where = `${scope.git.repositories.join(", ")} on ${host}`;
    const refs = scope.git.push_refs;
    return refs.length === 0
      ? { what: "read", where, weight: "reads" }
      : { what: `push ${refs.map(shortRef).join(", ")} to`, where, weight: "changes" };
  }
  if (scope.kind === "mcp") return { what: "use the MCP server", where: place, weight: "tools" };
  const { methods } = scope;
  if (methods === null) return { what: "send anything to", where: place, weight: "changes" };
  if (methods.every((method) => READING.has(method))) return { what: "read from", where: place, weight: "reads" };
  return { what: `send ${methods.join(", ")} to`, where: place, weight: "changes" };
}

export const WEIGHTS: Readonly<Record<GrantAsk["weight"], string>> = {
  reads: "reads only",
  changes: "changes something",
  tools: "its tools may change things",
};

/** What each answer lets happen, the request's own words for "once" with it. */
export function lastsMeaning(scope: GrantScope): readonly (readonly [label: string, meaning: string])[] {
  const once = { http: "this one request", git: "this one git command", mcp: "this one connection" }[scope.kind];
  return [
    ["Once", once],
    ["This session", "until it ends or you revoke it"],
    ["Always", "every session of this workspace, until you revoke it in the Vault view"],
  ];
}

export interface RefsProblem {
  /** With it nothing can be allowed. */
  readonly isFatal: boolean;
  readonly text: string;
}

/** `asked`: what the push that waits would change; `given`: the patterns that the person would allow. */
export function refsProblem(asked: readonly string[], given: readonly string[]): RefsProblem | null {
  if (given.length === 0) return { isFatal: true, text: "Name what may be pushed, or deny." };
  const left = asked.filter((ref) => !given.some((pattern) => matchesPattern(pattern, ref)));
  if (left.length > 0) {
    return {
      isFatal: false,
      text: `The push that waits goes on waiting: ${left.map(shortRef).join(", ")} is not in it.`,
    };
  }
  const shared = sharedRefs(given);
  if (shared.length === 0) return null;
  return { isFatal: false, text: `Others build on ${shared.map(shortRef).join(", ")}. Is it meant?` };
}

export type GrantStatus = "waiting" | "done" | "denied" | "stopped";

/** The words are never more certain than the log. */
export function grantStatus(
  { decision, given, isRevoked }: GrantRow,
  isPending: boolean,
): { readonly status: GrantStatus; readonly text: string } {
  if (isPending) return { status: "waiting", text: "waits for you" };
  const lasts: GrantLasts | undefined = given?.lasts ?? (decision?.result === "allow" ? decision.lasts : undefined);
  const granted = lasts === undefined ? "" : `granted ${lastsText(lasts)}`;
  if (given !== null && isRevoked) return { status: "stopped", text: `${granted}, then revoked` };
  if (lasts !== undefined) return { status: "done", text: granted };
  return decision === null ? { status: "stopped", text: "not answered" } : { status: "denied", text: "denied" };
}
