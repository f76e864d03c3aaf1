/** HTTP APIs by name: `/<token>/api/<name>/<path>` goes to the API's own address with its credential. */
import type { IncomingMessage } from "node:http";
import { limits } from "../../core/limits.ts";
import type { AllowedUse, CredentialInfo, UseAuthority } from "../../core/vault.ts";
import type { Forwarder, Forwarding } from "./forward.ts";
import { fillBody, PLACEHOLDER } from "./placeholders.ts";
import type { BodyPlace } from "./placeholders.ts";
import { isBelow } from "./proxyPath.ts";
import { answerText, BodyError, readBody } from "./proxyRoute.ts";
import type { ProxyCall, ProxyRoute } from "./proxyRoute.ts";

/** An API that hands call by a name. */
export interface ApiDefinition {
  /** `^[a-z0-9][a-z0-9._-]{0,63}$`. */
  readonly name: string;
  /** `https://api.example.com/v1`: without a query. http only for loopback addresses. */
  readonly base_url: string;
  /** The name of its credential. */
  readonly credential: string;
  /** Where the credential's value takes the place of `{{credential}}`; in the body only where the place is named. */
  readonly placeholders?: readonly ApiPlaceholder[];
}

type ApiPlaceholder =
  /** The name of a header. */
  | { readonly in: "header"; readonly name: string }
  /** A JSON pointer (`/auth/token`) or the name of a form's field. */
  | { readonly in: "body"; readonly name: string };

export interface ApiRouteOptions {
  readonly authority: UseAuthority;
  readonly forwarder: Forwarder;
  /** Those of the settings, and one for each credential that has a single place. The first of a name holds. */
  readonly apis: () => readonly ApiDefinition[];
}

export function createApiRoute({ authority, forwarder, apis }: ApiRouteOptions): ProxyRoute {
  return async (call) => {
    const [, name = ""] = call.path.split("/");
    const api = apis().find((one) => one.name === name);
    if (api === undefined) {
      return answerText(call.response, 404, `There is no API "${name}". A person can define it in the settings.`);
    }
    const prefix = `${call.prefix}/${name}`;
    const target = targetOf(api, call.path.slice(name.length + 1), call.search);
    if (target === undefined) {
      return answerText(call.response, 502, `The address of the API "${name}" in the settings is not one.`);
    }
    const decision = await authority.decide(
      {
        session_id: call.caller.session_id,
        hand: call.caller.hand,
        kind: "http",
        origin: target.origin,
        path: target.pathname,
        method: call.request.method ?? "GET",
        credential_name: api.credential,
      },
      call.signal,
    );
    if (!decision.allowed) return answerText(call.response, 403, decision.message);
    const filled = await fill(call, api, decision);
    if (filled === undefined) return;
    const base = new URL(api.base_url).pathname.replace(/\/$/, "");
    await forwarder.forward({
      call,
      target,
      allowed: decision,
      ...filled,
      relocate: (location) =>
        isBelow(location.pathname, base === "" ? "/" : base)
          ? `${prefix}${location.pathname.slice(base.length)}${location.search}`
          : undefined,
    });
  };
}

/** undefined: the definition's address is none, or the path would not arrive as it was decided on. */
function targetOf({ base_url }: ApiDefinition, rest: string, search: string): URL | undefined {
  if (!URL.canParse(base_url)) return undefined;
  const base = new URL(base_url);
  if (base.username !== "" || base.password !== "") return undefined;
  const path = rest === "" ? base.pathname : `${base.pathname.replace(/\/$/, "")}${rest}`;
  const target = new URL(path + search, base.origin);
  return target.pathname === path && target.origin === base.origin ? target : undefined;
}

/** What is sent in place of what the hand sent; undefined where the request was answered because it cannot be. */
async function fill(
  call: ProxyCall,
  { placeholders = [] }: ApiDefinition,
  allowed: AllowedUse,
): Promise<Pick<Forwarding, "headers" | "body"> | undefined> {
  const headers = Object.fromEntries(
    placeholders.flatMap((place) => {
      const given = place.in === "header" ? call.request.headers[place.name.toLowerCase()] : undefined;
      if (typeof given !== "string" || !given.includes(PLACEHOLDER)) return [];
      return [[place.name.toLowerCase(), given.replaceAll(PLACEHOLDER, () => allowed.value)]];
    }),
  );
  const places = placeholders.flatMap((place): BodyPlace[] => (place.in === "body" ? [place.name] : []));
  if (places.length === 0 || !isFillable(call.request)) return { headers };
  try {
    call.takeBody();
    const body = await readBody(call.request, limits.proxyReplaceBytesMax, call.signal);
    return { headers, body: fillBody(body, call.request.headers["content-type"] ?? "", places, allowed.value) };
  } catch (thrown) {
    if (!(thrown instanceof BodyError)) throw thrown;
    answerText(call.response, thrown.status, thrown.message, { connection: "close" });
    return undefined;
  }
}

function isFillable({ headers }: IncomingMessage): boolean {
  const isThere = headers["transfer-encoding"] !== undefined || headers["content-length"] !== undefined;
  return isThere && headers["content-encoding"] === undefined;
}

/** Those that are defined, then one for each credential that is good for a single place, under the credential's name. */
export function withOwnPlaces(
  defined: readonly ApiDefinition[],
  credentials: readonly CredentialInfo[],
): readonly ApiDefinition[] {
  const own = credentials.flatMap(({ name, kind, places }): ApiDefinition[] => {
    const [place, ...others] = places;
    if (place === undefined || others.length > 0 || kind === "git") return [];
    return [{ name, base_url: place.origin + place.path_prefix, credential: name }];
  });
  return [...defined, ...own];
}
