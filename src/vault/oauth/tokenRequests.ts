/** What is asked of an authorization server without a person: other tokens for old ones, and that it forgets them. */
import { refreshAuthorization, selectClientAuthMethod } from "@modelcontextprotocol/client";
import type { AuthorizationServerMetadata, OAuthTokens } from "@modelcontextprotocol/client";
import type { Clock } from "../../core/clock.ts";
import { ManyHandsError } from "../../core/errors.ts";
import { isObject } from "../../core/json.ts";
import type { Guard } from "./guardedFetch.ts";
import type { SignedIn, StoredTokens } from "./tokenStore.ts";

/** Rejects with `key_missing` where the server gives none for these any more, else with `sign_in_failed`. */
export async function refreshTokens(
  { authorization_server: server, client, tokens, resource }: SignedIn,
  guard: Guard,
  { clock }: { readonly clock: Pick<Clock, "now"> },
): Promise<StoredTokens> {
  const refreshToken = tokens?.refresh_token;
  if (tokens === null || refreshToken === undefined) throw noMore();
  await guard.check(server.token_endpoint, "The address for tokens");
  try {
    const answer = await refreshAuthorization(server.issuer, {
      metadata: metadataOf(server),
      clientInformation: client,
      refreshToken,
      resource: new URL(resource),
      fetchFn: guard.fetch,
    });
    return storedTokens(answer, clock.now(), tokens);
  } catch (thrown) {
    throw requestFailed(thrown, server.issuer);
  }
}

export function storedTokens(answer: OAuthTokens, now: number, before?: StoredTokens): StoredTokens {
  if (answer.token_type.toLowerCase() !== "bearer") {
    throw new ManyHandsError("sign_in_failed", "vault", "The server gave a token of a kind that is not known here.");
  }
  const refresh_token = answer.refresh_token ?? before?.refresh_token;
  const scope = answer.scope ?? before?.scope;
  return {
    access_token: answer.access_token,
    ...(refresh_token === undefined ? {} : { refresh_token }),
    expires_at: answer.expires_in === undefined ? null : now + answer.expires_in * 1_000,
    ...(scope === undefined ? {} : { scope }),
  };
}

/** The refresh token first: with it the server forgets all that came of it (RFC 7009). */
export async function revokeTokens(
  { authorization_server: server, client, tokens }: SignedIn,
  guard: Guard,
): Promise<void> {
  if (server.revocation_endpoint === undefined || tokens === null) return;
  const endpoint = await guard.check(server.revocation_endpoint, "The address for revocations");
  const given = [
    ["refresh_token", tokens.refresh_token],
    ["access_token", tokens.access_token],
  ] as const;
  for (const [hint, token] of given) {
    if (token === undefined) continue;
    const body = new URLSearchParams({ token, token_type_hint: hint });
    const headers = new Headers({ "content-type": "application/x-www-form-urlencoded" });
    addClient(client, server.auth_methods, headers, body);
    const response = await guard.fetch(endpoint, { method: "POST", headers, body });
    if (!response.ok) throw new Error(`the revocation was answered with HTTP status ${response.status}`);
  }
}

function addClient(
  client: SignedIn["client"],
  methods: readonly string[],
  headers: Headers,
  body: URLSearchParams,
): void {
  const { client_id, client_secret = "" } = client;
  const method = selectClientAuthMethod(client, [...methods]);
  if (method === "client_secret_basic") {
    const pair = [client_id, client_secret].map((part) => encodeURIComponent(part)).join(":");
    headers.set("authorization", `Basic ${Buffer.from(pair).toString("base64")}`);
    return;
  }
  body.set("client_id", client_id);
  if (method === "client_secret_post") body.set("client_secret", client_secret);
}

function metadataOf(server: SignedIn["authorization_server"]): AuthorizationServerMetadata {
  return {
    issuer: server.issuer,
    authorization_endpoint: server.token_endpoint,
    token_endpoint: server.token_endpoint,
    response_types_supported: ["code"],
    token_endpoint_auth_methods_supported: [...server.auth_methods],
  };
}

/** Holds none of what was sent: the server's own words may repeat it. */
export function requestFailed(thrown: unknown, issuer: string): Error {
  if (thrown instanceof ManyHandsError) return thrown;
  const code = isObject(thrown) && typeof thrown["code"] === "string" ? thrown["code"] : "";
  const plain = /^[a-z_]{1,40}$/.test(code) ? code : "an answer that is not understood";
  if (plain === "invalid_grant" || plain === "invalid_client" || plain === "unauthorized_client") return noMore();
  const { host } = new URL(issuer);
  const name = thrown instanceof Error ? thrown.name : "";
  if (name === "IssuerMismatchError") {
    const message = `${host} answered for another server than the one that was asked. Do not go on; tell who runs it.`;
    return new ManyHandsError("not_trusted", "vault", message);
  }
  return new ManyHandsError(
    "sign_in_failed",
    "vault",
    `${host} gave no token: ${plain}. Try again later, or sign in anew.`,
  );
}

function noMore(): ManyHandsError {
  return new ManyHandsError(
    "key_missing",
    "vault",
    "The server gives no other token: sign in again from the Vault view.",
  );
}
