/** What a grant covers, and the narrowest one that a use asks for: pure functions. */
import { matchesPattern } from "../core/refPattern.ts";
import type { CredentialPlace, GrantScope, VaultUse } from "../core/vault.ts";
import { isAtPlace } from "./credentialPlace.ts";
import { isBelow } from "./proxy/proxyPath.ts";

const READING: readonly string[] = ["GET", "HEAD", "OPTIONS"];

/** True where the use lies within the scope. */
export function covers(scope: GrantScope, use: VaultUse): boolean {
  if (scope.kind !== use.kind || scope.origin !== use.origin) return false;
  if (use.kind === "git") return coversGit(scope, use);
  return isBelow(use.path, scope.path_prefix) && (scope.methods === null || scope.methods.includes(use.method));
}

/** True where the repository is the scope's, though what is done with it need not be. */
export function isOfRepository(scope: GrantScope, use: VaultUse): boolean {
  const { repository = "" } = use.git ?? {};
  return (
    scope.kind === "git" &&
    use.kind === "git" &&
    scope.origin === use.origin &&
    (scope.git?.repositories ?? []).some((pattern) => matchesPattern(pattern, repository))
  );
}

function coversGit(scope: GrantScope, use: VaultUse): boolean {
  if (!isOfRepository(scope, use)) return false;
  const patterns = scope.git?.push_refs ?? [];
  // What the server has is shown to whoever may fetch; which refs are to change is known with the push itself.
  if (use.git?.service !== "push" || use.git.refs === undefined) return true;
  return use.git.refs.every((ref) => patterns.some((pattern) => matchesPattern(pattern, ref)));
}

/** What the person is asked for: reading is asked for as a whole, everything that changes something as narrowly as it is used. */
export function scopeFor(use: VaultUse, places: readonly CredentialPlace[]): GrantScope {
  const { kind, origin, path } = use;
  const place = places.find((each) => isAtPlace(use, each));
  const prefix = place?.path_prefix ?? path;
  if (kind === "git") {
    const { repository = "", refs = [] } = use.git ?? {};
    return { kind, origin, path_prefix: "/", methods: null, git: { repositories: [repository], push_refs: refs } };
  }
  if (kind === "mcp") return { kind, origin, path_prefix: prefix, methods: null };
  if (READING.includes(use.method)) return { kind, origin, path_prefix: prefix, methods: READING };
  return { kind, origin, path_prefix: path, methods: [use.method] };
}
