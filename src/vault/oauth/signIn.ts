/** One sign-in to an MCP server: who its authorization server is, a client there, the browser, and a code for tokens. */
import { randomBytes } from "node:crypto";
import {
  checkResourceAllowed,
  discoverAuthorizationServerMetadata,
  discoverOAuthProtectedResourceMetadata,
  exchangeAuthorization,
  extractWWWAuthenticateParams,
  registerClient,
  startAuthorization,
  validateAuthorizationResponseIssuer,
} from "@modelcontextprotocol/client";
import type { AuthorizationServerMetadata, OAuthProtectedResourceMetadata } from "@modelcontextprotocol/client";
import { ManyHandsError } from "../../core/errors.ts";
import { isObject } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import type { OpenSignInRedirect } from "../../core/vault.ts";
import { createGuard } from "./guardedFetch.ts";
import type { Guard } from "./guardedFetch.ts";
import type { OauthPorts, SignInOptions } from "./oauth.ts";
import { requestFailed, storedTokens } from "./tokenRequests.ts";
import type { SignedIn, StoredClient } from "./tokenStore.ts";

/** `before`: what an earlier sign-in of this credential has given; its client is used again. */
export async function signIn(
  serverUrl: string,
  options: SignInOptions,
  before: SignedIn | null,
  ports: OauthPorts,
): Promise<SignedIn> {
  const server = URL.parse(serverUrl);
  if (server === null) throw failed("The address of the server is none.");
  server.hash = "";
  const guard = createGuard(server, ports);
  await guard.check(server, "The address of the server");
  const found = await discover(server, guard);
  const known = before !== null && before.authorization_server.issuer === found.metadata.issuer ? before.client : null;
  const over = AbortSignal.timeout(limits.oauthBrowserMs);
  const signal = AbortSignal.any([over, ...(options.signal === undefined ? [] : [options.signal])]);
  const { client, redirect } = await openClient(found.metadata, options, known, guard, ports);
  try {
    const tokens = await throughBrowser({ found, options, client, redirect, guard, signal }, ports);
    const { issuer, token_endpoint, token_endpoint_auth_methods_supported } = found.metadata;
    const revocation_endpoint = revocationOf(found.metadata);
    const revoke = revocation_endpoint === undefined ? {} : { revocation_endpoint };
    const auth_methods = token_endpoint_auth_methods_supported ?? [];
    return {
      server_url: server.href,
      authorization_server: { issuer, token_endpoint, auth_methods, ...revoke },
      resource: found.resource.href,
      client,
      tokens,
    };
  } catch (thrown) {
    if (over.aborted) throw failed("Nobody came back from the browser in time. Try again.");
    if (options.signal?.aborted) throw new ManyHandsError("cancelled", "vault", "The sign-in was given up.");
    throw requestFailed(thrown, found.metadata.issuer);
  } finally {
    await redirect.close();
  }
}

interface Found {
  readonly metadata: AuthorizationServerMetadata;
  readonly resource: URL;
  readonly scope: string | undefined;
}

/** RFC 9728 says who gives tokens for the server, RFC 8414 or OpenID where and how. Each is checked against who was asked. */
async function discover(server: URL, guard: Guard): Promise<Found> {
  const challenge = await challengeOf(server, guard);
  const resource = await resourceMetadata(server, challenge.resourceMetadataUrl, guard);
  const configured = resource === null ? null : new URL(resource.resource);
  if (configured !== null && !checkResourceAllowed({ requestedResource: server, configuredResource: configured })) {
    throw distrust(`${server.host} says that it is ${configured.href}: its tokens would be for another server.`);
  }
  // Servers older than that are their own authorization server, at the root.
  const issuer = resource?.authorization_servers?.[0] ?? server.origin;
  await guard.check(issuer, "The authorization server");
  const metadata = await authorizationMetadata(issuer, guard);
  await checkEndpoints(metadata, guard);
  const scope = challenge.scope ?? resource?.scopes_supported?.join(" ");
  return { metadata, resource: configured ?? server, scope: withOffline(scope, metadata) };
}

/** What the server says to somebody without a token. */
async function challengeOf(
  server: URL,
  guard: Guard,
): Promise<{ readonly resourceMetadataUrl?: URL | undefined; readonly scope?: string | undefined }> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const response = await guard.fetch(server, { method: "POST", headers, body });
  if (response.status !== 401) return {};
  const { resourceMetadataUrl, scope } = extractWWWAuthenticateParams(response);
  if (resourceMetadataUrl !== undefined && resourceMetadataUrl.origin !== server.origin) {
    throw distrust(`${server.host} names metadata at ${resourceMetadataUrl.host}, which cannot speak for it.`);
  }
  return { resourceMetadataUrl, scope };
}

async function resourceMetadata(
  server: URL,
  resourceMetadataUrl: URL | undefined,
  guard: Guard,
): Promise<OAuthProtectedResourceMetadata | null> {
  try {
    const given = resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl };
    return await discoverOAuthProtectedResourceMetadata(server, given, guard.fetch);
  } catch (thrown) {
    if (thrown instanceof ManyHandsError) throw thrown;
    // Named and not there is a fault; not named, it need not be there.
    if (resourceMetadataUrl === undefined) return null;
    throw failed(`${server.host} names metadata for signing in (${resourceMetadataUrl.href}) that cannot be read.`);
  }
}

async function authorizationMetadata(issuer: string, guard: Guard): Promise<AuthorizationServerMetadata> {
  let metadata: AuthorizationServerMetadata | undefined;
  try {
    metadata = await discoverAuthorizationServerMetadata(issuer, { fetchFn: guard.fetch });
  } catch (thrown) {
    if (thrown instanceof ManyHandsError) throw thrown;
    if (thrown instanceof Error && thrown.name === "IssuerMismatchError") throw requestFailed(thrown, issuer);
    throw failed(`${new URL(issuer).host} says of itself what cannot be read as an authorization server.`);
  }
  if (metadata !== undefined) return metadata;
  const { host } = new URL(issuer);
  throw failed(`${host} does not say how to sign in. If the server wants a fixed token, store that as a credential.`);
}

async function checkEndpoints(metadata: AuthorizationServerMetadata, guard: Guard): Promise<void> {
  const { authorization_endpoint, token_endpoint, registration_endpoint, issuer } = metadata;
  const revocation_endpoint = revocationOf(metadata);
  const named = { authorization_endpoint, token_endpoint, registration_endpoint, revocation_endpoint };
  for (const [name, url] of Object.entries(named)) {
    if (typeof url === "string") await guard.check(url, `The ${name.replaceAll("_", " ")} of ${new URL(issuer).host}`);
  }
  // Without it a code that somebody else reads is as good as a token.
  if (metadata.code_challenge_methods_supported?.includes("S256") !== true) {
    throw failed(`${new URL(issuer).host} does not offer PKCE with S256, which signing in needs to be safe.`);
  }
}

function revocationOf(metadata: AuthorizationServerMetadata): string | undefined {
  const { revocation_endpoint } = metadata as { readonly revocation_endpoint?: unknown };
  return typeof revocation_endpoint === "string" ? revocation_endpoint : undefined;
}

/** A token that can be renewed spares the person the browser. */
function withOffline(scope: string | undefined, metadata: AuthorizationServerMetadata): string | undefined {
  const OFFLINE = "offline_access";
  const isOffered = metadata.scopes_supported?.includes(OFFLINE) === true;
  if (!isOffered || scope?.split(" ").includes(OFFLINE) === true) return scope;
  return scope === undefined ? OFFLINE : `${scope} ${OFFLINE}`;
}

interface OpenClient {
  readonly client: StoredClient;
  readonly redirect: OpenSignInRedirect;
}

/** The client of before, the one that the person gave, or one that is registered now; with a way back that it may use. */
async function openClient(
  metadata: AuthorizationServerMetadata,
  options: SignInOptions,
  known: StoredClient | null,
  guard: Guard,
  ports: OauthPorts,
): Promise<OpenClient> {
  let refusal = "";
  for (const way of ports.redirects) {
    const redirect = await way.open(known?.redirect_uri ?? null);
    try {
      if (options.client !== undefined) return { client: { ...options.client, redirect_uri: null }, redirect };
      if (known !== null && known.redirect_uri === redirect.uri) return { client: known, redirect };
      return { client: await register(metadata, redirect.uri, guard), redirect };
    } catch (thrown) {
      await redirect.close();
      if (!(thrown instanceof Error) || thrown.name !== "RegistrationRejectedError") throw thrown;
      // Not every server takes every kind of address.
      refusal = ` It refused with ${String((thrown as { status?: unknown }).status)}.`;
    }
  }
  const { host } = new URL(metadata.issuer);
  throw failed(`${host} registers no client for Many Hands.${refusal} Register one there, and give its client id.`);
}

async function register(
  metadata: AuthorizationServerMetadata,
  redirectUri: string,
  guard: Guard,
): Promise<StoredClient> {
  const { host } = new URL(metadata.issuer);
  if (metadata.registration_endpoint === undefined) {
    throw failed(`${host} does not register clients by itself. Register one there, and give its client id.`);
  }
  const methods = metadata.token_endpoint_auth_methods_supported ?? [];
  const method = methods.length === 0 || methods.includes("none") ? "none" : (methods[0] ?? "none");
  try {
    const made = await registerClient(metadata.issuer, {
      metadata,
      clientMetadata: {
        client_name: "Many Hands for VS Code",
        redirect_uris: [redirectUri],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: method,
        application_type: "native",
      },
      fetchFn: guard.fetch,
    });
    const { client_id, client_secret, token_endpoint_auth_method } = made;
    return {
      client_id,
      ...(client_secret === undefined ? {} : { client_secret }),
      ...(token_endpoint_auth_method === undefined ? {} : { token_endpoint_auth_method }),
      redirect_uri: redirectUri,
    };
  } catch (thrown) {
    if (thrown instanceof ManyHandsError) throw thrown;
    if (thrown instanceof Error && thrown.name === "RegistrationRejectedError") throw thrown;
    throw failed(`${host} answered the registration of a client with what cannot be read.`);
  }
}

interface Round {
  readonly found: Found;
  readonly options: SignInOptions;
  readonly client: StoredClient;
  readonly redirect: OpenSignInRedirect;
  readonly guard: Guard;
  readonly signal: AbortSignal;
}

async function throughBrowser(round: Round, ports: OauthPorts): Promise<SignedIn["tokens"]> {
  const { found, options, client, redirect, guard, signal } = round;
  const { metadata, resource } = found;
  const state = randomBytes(32).toString("base64url");
  const scope = options.scope ?? found.scope;
  const { authorizationUrl, codeVerifier } = await startAuthorization(metadata.issuer, {
    metadata,
    clientInformation: client,
    redirectUrl: redirect.uri,
    state,
    resource,
    ...(scope === undefined ? {} : { scope }),
  });
  ports.onSecret(codeVerifier);
  const giveUp = new AbortController();
  const coming = redirect.wait(state, AbortSignal.any([signal, giveUp.signal]));
  coming.catch(() => {});
  if (!(await ports.openBrowser(authorizationUrl.href))) {
    giveUp.abort(new Error("not opened"));
    throw new ManyHandsError("cancelled", "vault", "The browser was not opened; nobody is signed in.");
  }
  const came = await coming;
  if (came.get("state") !== state) throw failed("What came back belongs to another sign-in. Try again.");
  const iss = came.get("iss") ?? undefined;
  // Before anything else is believed: two servers must not be taken for one another (RFC 9207).
  validateAuthorizationResponseIssuer({
    iss,
    expectedIssuer: metadata.issuer,
    issParameterSupported: isObject(metadata) && metadata["authorization_response_iss_parameter_supported"] === true,
  });
  const code = came.get("code");
  if (code === null) throw refusedBy(metadata.issuer, came.get("error"));
  ports.onSecret(code);
  const answer = await exchangeAuthorization(metadata.issuer, {
    metadata,
    clientInformation: client,
    authorizationCode: code,
    ...(iss === undefined ? {} : { iss }),
    codeVerifier,
    redirectUri: redirect.uri,
    resource,
    fetchFn: guard.fetch,
  });
  return storedTokens(answer, ports.clock.now());
}

function refusedBy(issuer: string, error: string | null): ManyHandsError {
  const { host } = new URL(issuer);
  if (error === "access_denied") {
    return new ManyHandsError("cancelled", "vault", `The sign-in was denied at ${host}; nobody is signed in.`);
  }
  const word = error !== null && /^[a-z_]{1,40}$/.test(error) ? error : "no reason that is known";
  return failed(`${host} gave no code (${word}). Try again.`);
}

function failed(message: string): ManyHandsError {
  return new ManyHandsError("sign_in_failed", "vault", message);
}

function distrust(message: string): ManyHandsError {
  return new ManyHandsError("not_trusted", "vault", message);
}
