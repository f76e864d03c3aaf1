/** OAuth 2.1 for MCP servers: signing in through the browser, and tokens that are renewed as long as they can be. */
import type { Clock } from "../../core/clock.ts";
import { ManyHandsError, hasCode } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import type { SecretStore, SignInRedirect } from "../../core/vault.ts";
import { createGuard } from "./guardedFetch.ts";
import type { GuardPorts } from "./guardedFetch.ts";
import { createTokenStore } from "./tokenStore.ts";
import type { SignedIn, StoredTokens } from "./tokenStore.ts";

export interface OauthPorts extends GuardPorts {
  readonly secrets: SecretStore;
  readonly clock: Pick<Clock, "now">;
  /** False: the person does not want it opened. */
  readonly openBrowser: (url: string) => Promise<boolean>;
  /** Ways back, the first that the server takes is used. */
  readonly redirects: readonly SignInRedirect[];
  /** Is told each secret that passes through here, so that it is taken out of texts. */
  readonly onSecret: (value: string) => void;
  readonly report: (what: string, thrown?: unknown) => void;
}

export interface SignInOptions {
  /** Under which the tokens are kept. */
  readonly credentialId: string;
  /** Default: what the server asks for. */
  readonly scope?: string;
  /** A client that the person has registered there; without it one is registered. */
  readonly client?: { readonly client_id: string; readonly client_secret?: string };
  readonly signal?: AbortSignal;
}

interface AccessToken {
  readonly value: string;
  /** In milliseconds since 1970; null: it does not say. */
  readonly expires_at: number | null;
}

export interface Oauth {
  /** Signs in to the MCP server at this address. Rejects with `sign_in_failed`, `not_trusted`, `cancelled` or `secrets_unavailable`. */
  authorise(serverUrl: string, options: SignInOptions): Promise<void>;
  /** One that holds for a while. Rejects with `key_missing` where a person must sign in, `sign_in_failed`, `secrets_unavailable`. */
  accessToken(credentialId: string): Promise<AccessToken>;
  /** Another one, for a server that does not take the last. All who ask meanwhile get the same. Rejects as `accessToken`. */
  refresh(credentialId: string): Promise<AccessToken>;
  /** Tells the server to forget the tokens, as well as that can be, and forgets them. */
  forget(credentialId: string): Promise<void>;
  dispose(): void;
}

export function createOauth(ports: OauthPorts): Oauth {
  const store = createTokenStore(ports.secrets, ports.onSecret);
  /** By credential: a refresh under way. A refresh token is good for one use only, as a rule. */
  const refreshing = new Map<string, Promise<AccessToken>>();

  async function refreshOnce(credentialId: string): Promise<AccessToken> {
    const held = await store.read(credentialId);
    // Another window may have renewed it a moment ago: its tokens are then those that hold.
    const signedIn = await store.read(credentialId, true);
    if (signedIn?.tokens == null) throw mustSignIn(signedIn);
    const isRenewed = held?.tokens != null && held.tokens.access_token !== signedIn.tokens.access_token;
    if (isRenewed) return given(signedIn.tokens);
    const { refreshTokens } = await import("./tokenRequests.ts");
    try {
      const guard = createGuard(new URL(signedIn.server_url), ports);
      const tokens = await refreshTokens(signedIn, guard, ports);
      await store.write(credentialId, { ...signedIn, tokens });
      return given(tokens);
    } catch (thrown) {
      if (!hasCode(thrown, "key_missing")) throw thrown;
      const now = await store.read(credentialId, true);
      if (now?.tokens != null && now.tokens.access_token !== signedIn.tokens.access_token) return given(now.tokens);
      if (now !== null) await store.write(credentialId, { ...now, tokens: null });
      throw mustSignIn(signedIn);
    }
  }

  function refresh(credentialId: string): Promise<AccessToken> {
    let running = refreshing.get(credentialId);
    if (running === undefined) {
      running = refreshOnce(credentialId).finally(() => refreshing.delete(credentialId));
      refreshing.set(credentialId, running);
    }
    return running;
  }

  return {
    async authorise(serverUrl, options) {
      const { signIn } = await import("./signIn.ts");
      const before = await store.read(options.credentialId, true);
      await store.write(options.credentialId, await signIn(serverUrl, options, before, ports));
    },
    async accessToken(credentialId) {
      const running = refreshing.get(credentialId);
      if (running !== undefined) return running;
      const signedIn = await store.read(credentialId);
      if (signedIn?.tokens == null) throw mustSignIn(signedIn);
      const { expires_at } = signedIn.tokens;
      if (expires_at === null || expires_at - limits.oauthRenewMs > ports.clock.now()) return given(signedIn.tokens);
      return refresh(credentialId);
    },
    refresh,
    async forget(credentialId) {
      const signedIn = await store.read(credentialId, true);
      if (signedIn !== null) {
        const { revokeTokens } = await import("./tokenRequests.ts");
        const guard = createGuard(new URL(signedIn.server_url), ports);
        await revokeTokens(signedIn, guard).catch((thrown: unknown) =>
          ports.report("tokens could not be revoked at their server; they are forgotten here", thrown),
        );
      }
      await store.remove(credentialId);
    },
    dispose: () => store.dispose(),
  };
}

function given({ access_token, expires_at }: StoredTokens): AccessToken {
  return { value: access_token, expires_at };
}

function mustSignIn(signedIn: SignedIn | null): ManyHandsError {
  const where = signedIn === null ? "" : ` to ${new URL(signedIn.server_url).host}`;
  return new ManyHandsError("key_missing", "vault", `Nobody is signed in${where}: sign in again from the Vault view.`);
}
