/** The address of a model: what the setting `manyHands.model.baseUrl` says, parsed once for whoever needs it. */

export const DEFAULT_BASE_URL = "https://api.anthropic.com";

export interface ModelEndpoint {
  /** Without a trailing slash and without `/v1`: the client appends `/v1/messages`. */
  readonly baseUrl: string;
  /** Scheme, host and port: what a key is bound to, and all of the address that an error text may name. */
  readonly origin: string;
  /** True for Anthropic's own API. */
  readonly isDefault: boolean;
}

export type ParsedEndpoint =
  | { readonly ok: true; readonly endpoint: ModelEndpoint }
  /** `message` says what to do, for the person. */
  | { readonly ok: false; readonly message: string };

/**
 * Parses a base URL. Empty is Anthropic's own API. Endings that people paste from other tools' documentation (`/v1`,
 * `/v1/messages`, slashes) are taken off, as the client appends them itself.
 */
export function parseModelEndpoint(text: string): ParsedEndpoint {
  const trimmed = text.trim();
  const shown = trimmed === "" ? DEFAULT_BASE_URL : trimmed;
  let url: URL;
  try {
    url = new URL(shown);
  } catch {
    return refuse("is no address. Write it with its scheme, such as http://localhost:8080");
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return refuse("must begin with http:// or https://");
  if (url.username !== "" || url.password !== "") {
    return refuse('must not hold a name or password: set the key with "Many Hands: Set API Key"');
  }
  if (url.search !== "" || url.hash !== "") return refuse('must end with its path: take off what follows "?" or "#"');
  const path = url.pathname.replace(/\/+$/, "").replace(/\/v1(\/messages)?$/, "");
  const baseUrl = `${url.origin}${path.replace(/\/+$/, "")}`;
  return { ok: true, endpoint: { baseUrl, origin: url.origin, isDefault: url.origin === DEFAULT_BASE_URL } };
}

function refuse(why: string): ParsedEndpoint {
  return { ok: false, message: `The setting manyHands.model.baseUrl ${why}.` };
}
