/** `/git/<host>/<repository>/…`: git's smart protocol over HTTPS with the credential that is for that host. */
import type { IncomingHttpHeaders } from "node:http";
import type { AllowedUse } from "../../../core/vault.ts";
import type { RouteFactory, RouteParts } from "../credentialProxy.ts";
import type { Forwarding } from "../forward.ts";
import { answerText } from "../proxyRoute.ts";
import type { ProxyCall, ProxyRoute } from "../proxyRoute.ts";
import { parseGitPath } from "./gitPath.ts";
import type { GitRequest, GitService } from "./gitPath.ts";
import { atProxy, gitUse } from "./gitUse.ts";
import { createLfsActions } from "./lfsActions.ts";
import { lfs } from "./lfsRoute.ts";
import { push } from "./pushRoute.ts";
import { errorPacket } from "./reportStatus.ts";

export const createGitRoute: RouteFactory = (parts): ProxyRoute => {
  const actions = createLfsActions();
  return async (call) => {
    const git = parseGitPath(call.request.method ?? "", call.path, call.search);
    if ("refused" in git) return answerText(call.response, 403, git.refused);
    const { wants } = git;
    if (wants.what === "lfs") return await lfs(call, git, wants.rest, { ...parts, actions });
    if (wants.what === "refs") return await refs(call, git, wants.service, parts);
    if (wants.service === "git-upload-pack") return await fetchPack(call, git, parts);
    return await push(call, git, {
      authority: parts.authority,
      send: (allowed, body) =>
        parts.forwarder.forward({ ...forwarding(call, git, "/git-receive-pack", allowed), body: body.whole() }),
    });
  };
};

/** The refs of the server, with which every clone, fetch and push begins: git shows the text of a refusal here. */
async function refs(call: ProxyCall, git: GitRequest, service: GitService, parts: RouteParts): Promise<void> {
  const use = gitUse(call, git, "/info/refs", service === "git-upload-pack" ? "fetch" : "push");
  const decision = await parts.authority.decide(use, call.signal);
  if (!decision.allowed) return answerText(call.response, 403, decision.message);
  await parts.forwarder.forward(forwarding(call, git, "/info/refs", decision));
}

async function fetchPack(call: ProxyCall, git: GitRequest, parts: RouteParts): Promise<void> {
  const decision = await parts.authority.decide(gitUse(call, git, "/git-upload-pack", "fetch"), call.signal);
  if (decision.allowed) return await parts.forwarder.forward(forwarding(call, git, "/git-upload-pack", decision));
  // Of an answer with another status git shows the number alone; this it prints as a fatal error.
  call.takeBody();
  call.request.resume();
  const body = errorPacket(decision.message);
  call.response.writeHead(200, {
    "content-type": "application/x-git-upload-pack-result",
    "content-length": body.length,
    "cache-control": "no-cache",
  });
  call.response.end(body);
}

function forwarding(call: ProxyCall, git: GitRequest, ending: string, allowed: AllowedUse): Forwarding {
  const target = new URL(git.base + ending + call.search, git.origin);
  return {
    call,
    target,
    allowed,
    relocate: (location) => atProxy(call, git, location),
    instead: (status, headers) => ownAnswer(call, target, status, headers),
  };
}

/**
 * A password that was not taken would have git ask for another one, and a redirect to another server would have it go there
 * with the entrance's token: both are said in words.
 */
function ownAnswer(
  call: ProxyCall,
  target: URL,
  status: number,
  headers: IncomingHttpHeaders,
): (() => void) | undefined {
  if (status === 401) {
    const message = `${target.origin} does not accept the credential that is stored for it (401). A person can test and replace it in the Vault view.`;
    return () => answerText(call.response, 403, message);
  }
  const { location } = headers;
  if (location === undefined || !URL.canParse(location, target)) return undefined;
  const { origin } = new URL(location, target);
  if (origin === target.origin) return undefined;
  return () =>
    answerText(call.response, 403, `${target.origin} sends this repository on to ${origin}. Use its address there.`);
}
