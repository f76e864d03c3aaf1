/** Where a credential may go. */
import type { CredentialPlace, VaultUse } from "../core/vault.ts";
import { isBelow } from "./proxy/proxyPath.ts";

/** True where the use is at the place or below it. Git servers know a repository with `.git` at its end and without. */
export function isAtPlace(
  { kind, origin, path }: Pick<VaultUse, "kind" | "origin" | "path">,
  place: CredentialPlace,
): boolean {
  if (place.origin !== origin) return false;
  return kind === "git" ? isBelow(plain(path), plain(place.path_prefix)) : isBelow(path, place.path_prefix);
}

function plain(path: string): string {
  return path.replace(/\.git(?=\/|$)/, "");
}
