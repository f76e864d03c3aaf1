/** Where a credential may go. */
import type { CredentialPlace, VaultUse } from "../core/vault.ts";
import { isBelow } from "./proxy/proxyPath.ts";

/** True where the use is at the place or below it. A place that is one git repository is so with `.git` at its end and without. */
export function isAtPlace(
  { origin, path, git }: Pick<VaultUse, "origin" | "path" | "git">,
  place: CredentialPlace,
): boolean {
  if (place.origin !== origin) return false;
  return isBelow(path, place.path_prefix) || place.path_prefix.replace(/\.git$/, "") === `/${git?.repository}`;
}
