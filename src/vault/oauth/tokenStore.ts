/** What a sign-in has given, in the secret store, one name per credential: the server, the client there, the tokens. */
import { ManyHandsError } from "../../core/errors.ts";
import { isObject, messageOf } from "../../core/json.ts";
import type { SecretStore } from "../../core/vault.ts";

const SECRET_PREFIX = "manyHands.oauth:";

export interface SignedIn {
  readonly server_url: string;
  /** Who gave the tokens, and where it is asked for others. */
  readonly authorization_server: {
    readonly issuer: string;
    readonly token_endpoint: string;
    readonly revocation_endpoint?: string;
    readonly auth_methods: readonly string[];
  };
  /** What the tokens are for; as it was sent. */
  readonly resource: string;
  readonly client: StoredClient;
  /** null: they were refused, and only a new sign-in gives others. */
  readonly tokens: StoredTokens | null;
}

export interface StoredClient {
  readonly client_id: string;
  readonly client_secret?: string;
  readonly token_endpoint_auth_method?: string;
  /** That it was registered with; null: the person gave it. */
  readonly redirect_uri: string | null;
}

export interface StoredTokens {
  readonly access_token: string;
  readonly refresh_token?: string;
  /** In milliseconds since 1970; null: it does not say. */
  readonly expires_at: number | null;
  readonly scope?: string;
}

export interface TokenStore {
  /** Null where nobody has signed in. Rejects with `secrets_unavailable`, as all of these. `fresh`: not what is held here. */
  read(credentialId: string, fresh?: boolean): Promise<SignedIn | null>;
  write(credentialId: string, signedIn: SignedIn): Promise<void>;
  remove(credentialId: string): Promise<void>;
  dispose(): void;
}

/** `seen` is told each secret that passes through here. */
export function createTokenStore(secrets: SecretStore, seen: (value: string) => void): TokenStore {
  // Asking the store is a message to another process; a change there, also by another window, is told.
  const held = new Map<string, Promise<string | undefined>>();
  const listening = secrets.onDidChange((name) => void held.delete(name));

  async function read(credentialId: string, fresh = false): Promise<SignedIn | null> {
    const name = SECRET_PREFIX + credentialId;
    if (fresh) held.delete(name);
    let reading = held.get(name);
    if (reading === undefined) {
      reading = guarded(secrets.get(name));
      held.set(name, reading);
      reading.catch(() => held.delete(name));
    }
    const text = await reading;
    const signedIn = text === undefined ? null : parse(text);
    if (signedIn !== null) tell(signedIn, seen);
    return signedIn;
  }

  return {
    read,
    async write(credentialId, signedIn) {
      tell(signedIn, seen);
      held.delete(SECRET_PREFIX + credentialId);
      await guarded(secrets.store(SECRET_PREFIX + credentialId, JSON.stringify(signedIn)));
      held.delete(SECRET_PREFIX + credentialId);
    },
    async remove(credentialId) {
      held.delete(SECRET_PREFIX + credentialId);
      await guarded(secrets.delete(SECRET_PREFIX + credentialId));
      held.delete(SECRET_PREFIX + credentialId);
    },
    dispose: () => listening.dispose(),
  };
}

function tell({ client, tokens }: SignedIn, seen: (value: string) => void): void {
  for (const value of [client.client_secret, tokens?.access_token, tokens?.refresh_token]) {
    if (value !== undefined) seen(value);
  }
}

/** Written here and nowhere else; what is damaged is as if it were not there. */
function parse(text: string): SignedIn | null {
  try {
    const value: unknown = JSON.parse(text);
    const isWhole =
      isObject(value) &&
      typeof value["server_url"] === "string" &&
      isObject(value["authorization_server"]) &&
      isObject(value["client"]) &&
      (value["tokens"] === null || isObject(value["tokens"]));
    return isWhole ? (value as unknown as SignedIn) : null;
  } catch {
    return null;
  }
}

async function guarded<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    const message = `VS Code's secret storage cannot be reached: ${messageOf(thrown)}. Unlock the keyring, or see its log.`;
    throw new ManyHandsError("secrets_unavailable", "vault", message, thrown);
  }
}
