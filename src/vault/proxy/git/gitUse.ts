/** A request of git or git-lfs as a use that the authority decides on. */
import type { VaultUse } from "../../../core/vault.ts";
import type { ProxyCall } from "../proxyRoute.ts";
import type { GitRequest } from "./gitPath.ts";

type Service = "fetch" | "push";

/** @param ending what follows the repository's path: `/info/refs`, without a query */
export function gitUse(
  call: ProxyCall,
  git: GitRequest,
  ending: string,
  service: Service,
  refs?: readonly string[],
): VaultUse {
  return {
    session_id: call.caller.session_id,
    hand: call.caller.hand,
    kind: "git",
    origin: git.origin,
    path: git.base + ending,
    method: call.request.method ?? "GET",
    git: { repository: git.repository, service, ...(refs === undefined ? {} : { refs }) },
  };
}

/** Where a path and query of the git server itself lead at the proxy. */
export function atProxy(call: ProxyCall, git: GitRequest, location: URL): string {
  return `${call.prefix}/${git.host}${location.pathname}${location.search}`;
}
