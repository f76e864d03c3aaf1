/** A `fetch` for one address in this process, which adds what the vault has for it: for the harness, not for hands. */
import { ManyHandsError } from "../../core/errors.ts";
import type { SessionId } from "../../core/ids.ts";
import type { AllowedUse, UseAuthority, UseDecision, VaultUse } from "../../core/vault.ts";
import { parseProxyPath } from "./proxyPath.ts";

export interface VaultFetchOptions {
  readonly authority: UseAuthority;
  readonly session_id: SessionId;
  readonly kind: "mcp" | "http";
  /** Requests elsewhere than within its origin are refused. */
  readonly url: string;
  /** For `http`: whose credential it is. */
  readonly credential_name?: string;
  /** Goes out as it is where no credential is for this place: a server that needs none. A grant that was refused stays refused. */
  readonly isOptional?: boolean;
  /** By default the global fetch, looked up at each call: VS Code puts its own in place. */
  readonly send?: typeof globalThis.fetch;
}

/** Never from the caller: the environment can make a library add some of its own. */
const NOT_SENT = ["authorization", "proxy-authorization", "cookie", "x-many-hands"];

/**
 * Each request is decided on by itself; redirects are handed back unfollowed; after a 401 a token is renewed once. Rejects
 * with ManyHandsError `not_trusted` (refused, another origin) or `secrets_unavailable`, else as `send` does.
 */
export function createVaultFetch(options: VaultFetchOptions): typeof globalThis.fetch {
  const { origin } = new URL(options.url);
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const path = parseProxyPath(url.pathname)?.path;
    if (url.origin !== origin || path === undefined || url.username !== "" || url.password !== "") {
      throw new ManyHandsError("not_trusted", "vault", `This credential is for ${origin}, not for ${url.origin}.`);
    }
    url.pathname = path;
    const request = await plainRequest(input, init);
    const signal = request.signal ?? new AbortController().signal;
    const decision = await options.authority.decide(useOf(options, url, request.method), signal);
    const allowed = settled(decision, options.isOptional === true);
    const answer = await send(url, request, allowed, options);
    const renew = answer.status === 401 ? allowed?.renew : undefined;
    if (renew === undefined || request.body instanceof ReadableStream) return answer;
    const renewed = await renew();
    if (renewed === null) return answer;
    await answer.body?.cancel();
    return await send(url, request, settled(renewed, false), options);
  };
}

interface PlainRequest {
  readonly method: string;
  readonly headers: Headers;
  readonly body: NonNullable<RequestInit["body"]> | null;
  readonly signal: AbortSignal | null;
}

async function plainRequest(input: string | URL | Request, init: RequestInit = {}): Promise<PlainRequest> {
  const given = input instanceof Request ? input : undefined;
  const inherited = given === undefined || given.body === null ? null : await given.arrayBuffer();
  return {
    method: (init.method ?? given?.method ?? "GET").toUpperCase(),
    headers: new Headers(init.headers ?? given?.headers),
    body: init.body ?? inherited,
    signal: init.signal ?? given?.signal ?? null,
  };
}

function useOf({ session_id, kind, credential_name }: VaultFetchOptions, url: URL, method: string): VaultUse {
  const plain = { session_id, hand: null, kind, origin: url.origin, path: url.pathname, method };
  return credential_name === undefined ? plain : { ...plain, credential_name };
}

function settled(decision: UseDecision, isOptional: boolean): AllowedUse | null {
  if (decision.allowed) return decision;
  if (isOptional && decision.reason === "no_credential") return null;
  throw new ManyHandsError("not_trusted", "vault", decision.message);
}

function send(
  url: URL,
  { method, headers: given, body, signal }: PlainRequest,
  allowed: AllowedUse | null,
  options: VaultFetchOptions,
): Promise<Response> {
  const headers = new Headers(given);
  for (const name of NOT_SENT) headers.delete(name);
  for (const [name, value] of Object.entries(allowed?.headers ?? {})) headers.set(name, value);
  const signals = [signal, allowed?.signal].filter((one) => one !== null && one !== undefined);
  return (options.send ?? globalThis.fetch)(url, {
    method,
    headers,
    body,
    redirect: "manual",
    credentials: "omit",
    signal: AbortSignal.any(signals),
    ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
  });
}
