/** The model's key: kept in the secret store, bound to one address, and added to requests on their way out to it. */
import { ManyHandsError } from "../core/errors.ts";
import { parseModelEndpoint } from "../core/modelEndpoint.ts";
import type { ModelEndpoint } from "../core/modelEndpoint.ts";
import type { SecretStore } from "../core/vault.ts";
import type { Redactor } from "./redactor.ts";
import { guarded } from "./secretRecords.ts";

/** Under it and an origin (`manyHands.model.key:https://api.anthropic.com`) the key for that origin is stored. */
const SECRET_PREFIX = "manyHands.model.key:";
const keyCharsMax = 4_096;

export type ParsedKey =
  | { readonly ok: true; readonly key: string }
  /** `message` is for the person; it never quotes the input. */
  | { readonly ok: false; readonly message: string };

/** A key out of what a person pasted: spaces, quotes and a leading `Bearer` or `NAME=` are taken off. */
export function parseModelKey(text: string): ParsedKey {
  const key = text
    .trim()
    .replace(/^(export\s+)?[A-Z_]+\s*=\s*/, "")
    .replace(/^Bearer\s+/i, "")
    .replace(/^(["'])(.*)\1$/s, "$2")
    .trim();
  if (key === "") return { ok: false, message: "The key is empty." };
  if (key.length > keyCharsMax) return { ok: false, message: `The key is longer than ${keyCharsMax} characters.` };
  if (!/^[\x21-\x7e]+$/.test(key)) {
    return { ok: false, message: "The key holds spaces or characters that no key has. Copy it anew." };
  }
  return { ok: true, key };
}

/** A key that the environment holds: to be offered for import, never used as it is. */
export function keyInEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): { readonly variable: string; readonly key: string } | undefined {
  const variable = "ANTHROPIC_API_KEY";
  const parsed = parseModelKey(environment[variable] ?? "");
  return parsed.ok ? { variable, key: parsed.key } : undefined;
}

/** Keys by the address they are for. `baseUrl` is what the setting says; a key that was set for one origin is sent to no other. */
export interface ModelKeys {
  /** Rejects with ManyHandsError `key_invalid` or `secrets_unavailable`. */
  set(baseUrl: string, text: string): Promise<void>;
  clear(baseUrl: string): Promise<void>;
  isSet(baseUrl: string): Promise<boolean>;
  /** True where a request without a key is bound to fail: Anthropic's own API, and none is set. */
  isMissing(baseUrl: string): Promise<boolean>;
  /**
   * A `fetch` for that address alone: requests elsewhere are refused, redirects are handed back unfollowed.
   * The key goes out as `Authorization: Bearer`, as SDK 1.x and Anthropic's API have it since version 2026-10-21. Other
   * addresses are sent `x-api-key` as well, which is what gateways and local servers of older make read. Without a key,
   * only Anthropic's own API is not asked: others may need none, and say so if they do.
   *
   * Rejects with ManyHandsError `key_missing`, `secrets_unavailable` or `not_trusted`, else as `send` does.
   * `send` is by default the global fetch, looked up at each call: VS Code puts its own in place.
   */
  fetchFor(baseUrl: string, send?: typeof globalThis.fetch): typeof globalThis.fetch;
  dispose(): void;
}

export interface ModelKeysOptions {
  readonly secrets: SecretStore;
  /** Is told each key that passes through here. */
  readonly redactor: Redactor;
}

/** What the SDK sends beside the key. Anything else stays here: the environment can make the SDK add headers of its own. */
const PASSED_HEADERS = /^(accept|content-type|user-agent|anthropic-(version|beta)|x-stainless-[a-z-]+)$/;

export function createModelKeys({ secrets, redactor }: ModelKeysOptions): ModelKeys {
  // Asking the store is a message to another process; a change there, also by another window, is told.
  const held = new Map<string, Promise<string | undefined>>();
  const listening = secrets.onDidChange((name) => void held.delete(name));

  async function read(endpoint: ModelEndpoint): Promise<string | undefined> {
    const name = SECRET_PREFIX + endpoint.origin;
    let reading = held.get(name);
    if (reading === undefined) {
      reading = guarded(secrets.get(name));
      held.set(name, reading);
    }
    try {
      const key = await reading;
      if (key !== undefined) redactor.add(key);
      return key;
    } catch (thrown) {
      held.delete(name);
      throw thrown;
    }
  }

  async function change(baseUrl: string, key: string | undefined): Promise<void> {
    const name = SECRET_PREFIX + endpointOf(baseUrl).origin;
    await guarded(key === undefined ? secrets.delete(name) : secrets.store(name, key));
    held.delete(name);
  }

  return {
    async set(baseUrl, text) {
      const parsed = parseModelKey(text);
      if (!parsed.ok) throw new ManyHandsError("key_invalid", "vault", parsed.message);
      redactor.add(parsed.key);
      await change(baseUrl, parsed.key);
    },
    clear: (baseUrl) => change(baseUrl, undefined),
    isSet: async (baseUrl) => (await read(endpointOf(baseUrl))) !== undefined,
    isMissing: async (baseUrl) => {
      const endpoint = endpointOf(baseUrl);
      return endpoint.isDefault && (await read(endpoint)) === undefined;
    },
    fetchFor(baseUrl, send) {
      const endpoint = endpointOf(baseUrl);
      return async (input, init) => {
        const url = addressOf(input, endpoint);
        const headers = withKey(init?.headers, await read(endpoint), endpoint);
        const plain: RequestInit = { ...init, headers, redirect: "manual", credentials: "omit" };
        return (send ?? globalThis.fetch)(url, plain);
      };
    },
    dispose: () => listening.dispose(),
  };
}

function addressOf(input: string | URL | Request, endpoint: ModelEndpoint): URL {
  const url = new URL(input instanceof Request ? input.url : input);
  if (url.origin === endpoint.origin) return url;
  throw new ManyHandsError("not_trusted", "vault", `The model's key is not for ${url.origin}.`);
}

function withKey(given: HeadersInit | undefined, key: string | undefined, endpoint: ModelEndpoint): Headers {
  if (key === undefined && endpoint.isDefault) {
    throw new ManyHandsError("key_missing", "vault", 'No key is set: set it with "Many Hands: Set API Key".');
  }
  const headers = new Headers();
  for (const [name, value] of new Headers(given)) if (PASSED_HEADERS.test(name)) headers.set(name, value);
  if (key !== undefined) {
    headers.set("authorization", `Bearer ${key}`);
    if (!endpoint.isDefault) headers.set("x-api-key", key);
  }
  return headers;
}

function endpointOf(baseUrl: string): ModelEndpoint {
  const parsed = parseModelEndpoint(baseUrl);
  if (!parsed.ok) throw new ManyHandsError("not_trusted", "vault", parsed.message);
  return parsed.endpoint;
}
