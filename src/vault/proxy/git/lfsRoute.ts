/** `…/info/lfs/…`: the API of git-lfs, its locks, and the objects wherever the LFS server keeps them. */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { Transform } from "node:stream";
import { limits } from "../../../core/limits.ts";
import type { AllowedUse, VaultUse } from "../../../core/vault.ts";
import type { RouteParts } from "../credentialProxy.ts";
import { BodyError, readBody } from "../proxyRoute.ts";
import type { ProxyCall } from "../proxyRoute.ts";
import type { GitRequest } from "./gitPath.ts";
import { atProxy, gitUse } from "./gitUse.ts";
import type { LfsAction, LfsActions } from "./lfsActions.ts";
import { parseBatch, parseFields, refOf, rewriteBatch } from "./lfsBatch.ts";

/** Below it are the addresses that stand for those of objects. */
const OBJECTS = "many-hands-objects/";
/** Without one, who may only fetch would write. */
const NO_REF = "git-lfs does not say for which branch this is. Switch to a branch, or take git-lfs 2.5 or newer.";
const METHODS = { download: "GET", upload: "PUT", verify: "POST" } as const;

export interface LfsParts extends RouteParts {
  readonly actions: LfsActions;
}

/** @param rest what follows `/info/lfs/` */
export async function lfs(call: ProxyCall, git: GitRequest, rest: string, parts: LfsParts): Promise<void> {
  const { method = "" } = call.request;
  try {
    if (rest.startsWith(OBJECTS)) return await object(call, git, rest.slice(OBJECTS.length), parts);
    if (method === "POST" && rest === "objects/batch") return await batch(call, git, parts);
    if (method === "GET" && rest === "locks") {
      return await pass(call, git, gitUse(call, git, "/info/lfs/locks", "fetch"), parts);
    }
    const isLock = method === "POST" && /^locks(?:\/verify|\/[^/]+\/unlock)?$/.test(rest);
    if (isLock) return await lock(call, git, rest, parts);
    answerJson(call.response, 404, "There is no such path of git-lfs here.");
  } catch (thrown) {
    if (!(thrown instanceof BodyError)) throw thrown;
    answerJson(call.response, thrown.status, thrown.message);
  }
}

/** As git-lfs shows it: of text it shows the status alone. */
function answerJson(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const body = Buffer.from(JSON.stringify({ message: `Many Hands: ${message}` }));
  response.writeHead(status, { "content-type": "application/vnd.git-lfs+json", "content-length": body.length });
  response.end(body);
}

async function readJson(call: ProxyCall): Promise<Buffer> {
  if ((call.request.headers["content-encoding"] ?? "identity") !== "identity") {
    throw new BodyError(415, "Requests of git-lfs are not read where they are packed.");
  }
  call.takeBody();
  return await readBody(call.request, limits.lfsJsonBytesMax, call.signal);
}

async function pass(call: ProxyCall, git: GitRequest, use: VaultUse, parts: LfsParts, body?: Buffer): Promise<void> {
  const decision = await parts.authority.decide(use, call.signal);
  if (!decision.allowed) return answerJson(call.response, 403, decision.message);
  const target = new URL(use.path + call.search, git.origin);
  await parts.forwarder.forward({
    call,
    target,
    allowed: decision,
    ...(body === undefined ? {} : { body }),
    relocate: (location) => atProxy(call, git, location),
    instead: (status, headers) => ownAnswer(call, target, status, headers),
  });
}

/** Looking at the locks of others is part of every push; making and breaking one is for the ref that the client names. */
async function lock(call: ProxyCall, git: GitRequest, rest: string, parts: LfsParts): Promise<void> {
  const fields = parseFields(await readJson(call));
  if (fields === undefined) return answerJson(call.response, 400, "This is no request of git-lfs.");
  const ref = rest === "locks/verify" ? undefined : refOf(fields);
  if (ref === undefined && rest !== "locks/verify") return answerJson(call.response, 422, NO_REF);
  const use = gitUse(call, git, `/info/lfs/${rest}`, "push", ref === undefined ? undefined : [ref]);
  await pass(call, git, use, parts, Buffer.from(JSON.stringify(fields)));
}

async function batch(call: ProxyCall, git: GitRequest, parts: LfsParts): Promise<void> {
  const wanted = parseBatch(await readJson(call));
  if (wanted === undefined || call.search !== "") return answerJson(call.response, 400, "This is no batch of git-lfs.");
  const service = wanted.operation === "upload" ? "push" : "fetch";
  if (service === "push" && wanted.ref === undefined) return answerJson(call.response, 422, NO_REF);
  const refs = service === "push" && wanted.ref !== undefined ? [wanted.ref] : undefined;
  const use = gitUse(call, git, "/info/lfs/objects/batch", service, refs);
  const decision = await parts.authority.decide(use, call.signal);
  if (!decision.allowed) return answerJson(call.response, 403, decision.message);
  const target = new URL(use.path, git.origin);
  const { host = "" } = call.request.headers;
  const proxy = `http://${/^[A-Za-z0-9.:[\]-]+$/.test(host) ? host : "localhost"}`;
  const rewrite = (body: Buffer): Buffer =>
    rewriteBatch(body, target, (found) => {
      const id = parts.actions.add({ ...found, owner: ownerOf(call), repository: placeOf(git), refs });
      return proxy + addressOf(call, git, id);
    });
  await parts.forwarder.forward({
    call,
    target,
    allowed: decision,
    body: wanted.body,
    relocate: (location) => atProxy(call, git, location),
    instead: (status, headers) => ownAnswer(call, target, status, headers),
    change: (status) => (status === 200 ? rewriteWhole(rewrite) : undefined),
  });
}

function ownerOf({ caller }: ProxyCall): string {
  return `${caller.session_id}\n${caller.hand}`;
}

function placeOf(git: GitRequest): string {
  return git.origin + git.base;
}

function addressOf(call: ProxyCall, git: GitRequest, id: string): string {
  return `${call.prefix}/${git.host}${git.base}/info/lfs/${OBJECTS}${id}`;
}

/** Collects a body of bounded size and gives another. */
function rewriteWhole(rewrite: (body: Buffer) => Buffer): Transform {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length;
      if (bytes > limits.lfsJsonBytesMax) return done(new Error("The LFS server's answer is too long."));
      chunks.push(chunk);
      done();
    },
    flush(done) {
      try {
        done(null, rewrite(Buffer.concat(chunks)));
      } catch (thrown) {
        done(thrown as Error);
      }
    },
  });
}

/** One object, where the batch said; decided on again, so that a grant that was revoked meanwhile stops it. */
async function object(call: ProxyCall, git: GitRequest, id: string, parts: LfsParts): Promise<void> {
  const action = parts.actions.get(id, ownerOf(call), placeOf(git));
  if (action === undefined || call.search !== "") {
    return answerJson(call.response, 404, "This address of an object is not known or too old. Ask for it again.");
  }
  const { method = "" } = call.request;
  if (METHODS[action.name] !== method) {
    return answerJson(call.response, 405, `${method} is not what this address is for.`);
  }
  const service = action.name === "download" ? "fetch" : "push";
  const use = gitUse(call, git, "/info/lfs/objects", service, action.refs);
  const decision = await parts.authority.decide(use, call.signal);
  if (!decision.allowed) return answerJson(call.response, 403, decision.message);
  await parts.forwarder.forward({
    call,
    target: action.href,
    allowed: allowedAt(action, git, decision),
    instead: (status, headers) =>
      elsewhere(call, git, action, parts, headers) ?? ownAnswer(call, action.href, status, headers),
  });
}

/**
 * The credential goes along where the object is within the repository and the LFS server gave no other; in every other place
 * only what the LFS server said. Its value is masked in the answer all the same.
 */
function allowedAt(action: LfsAction, git: GitRequest, decision: AllowedUse): AllowedUse {
  const { href, headers } = action;
  const isWithin = href.origin === git.origin && href.pathname.startsWith(`${git.base}/`);
  if (isWithin && headers["authorization"] === undefined) {
    return { ...decision, headers: { ...headers, ...decision.headers } };
  }
  const { renew: _, ...plain } = decision;
  return { ...plain, headers };
}

/** An object that is in yet another place: that address stays here as well, without any header. */
function elsewhere(
  call: ProxyCall,
  git: GitRequest,
  action: LfsAction,
  { actions }: LfsParts,
  { location }: IncomingHttpHeaders,
): (() => void) | undefined {
  if (location === undefined || !URL.canParse(location, action.href)) return undefined;
  const href = new URL(location, action.href);
  if (href.protocol !== "https:") return undefined;
  const next = addressOf(call, git, actions.add({ ...action, href, headers: {} }));
  return () => call.response.writeHead(307, { location: next, "content-length": 0 }).end();
}

function ownAnswer(
  call: ProxyCall,
  target: URL,
  status: number,
  headers: IncomingHttpHeaders,
): (() => void) | undefined {
  if (status === 401) {
    const message = `${target.origin} does not accept what it was shown (401). A person can test the credential in the Vault view.`;
    return () => answerJson(call.response, 403, message);
  }
  const { location } = headers;
  if (location === undefined || !URL.canParse(location, target)) return undefined;
  const { origin } = new URL(location, target);
  if (origin === target.origin) return undefined;
  return () => answerJson(call.response, 403, `${target.origin} sends this request on to ${origin}.`);
}
