/** The `fetch` of sign-ins: only where credentials may travel, never into a private network on a stranger's word, and bounded. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { ManyHandsError } from "../../core/errors.ts";
import { messageOf } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import { isPublicAddress } from "../publicAddress.ts";

export interface GuardPorts {
  readonly fetch: typeof globalThis.fetch;
  /** Default: the system's resolver. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
}

export interface Guard {
  readonly fetch: typeof globalThis.fetch;
  /** Rejects with `not_trusted` for an address that must not be asked, or opened in a browser. */
  check(url: URL | string, what: string): Promise<URL>;
}

/**
 * For the sign-in to one server. What it names must be https, or http on this computer; and must not be at a private address
 * unless the server itself is at one. A name that changes its address after the check gains nothing: whoever answers then
 * must have the certificate for that name.
 */
export function createGuard(server: URL, ports: GuardPorts): Guard {
  const resolve = ports.lookup ?? systemLookup;
  let home: Promise<boolean> | null = null;
  const isHome = (): Promise<boolean> => (home ??= isPrivate(server, resolve));

  async function check(given: URL | string, what: string): Promise<URL> {
    const url = URL.parse(String(given));
    if (url === null) throw refused(`${what} is no address.`);
    const isSafe = url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url));
    if (!isSafe) throw refused(`${what} (${url.origin}) is not reached by https: what is said there could be read.`);
    if (url.username !== "" || url.password !== "") throw refused(`${what} (${url.origin}) holds a user or password.`);
    if ((await isPrivate(url, resolve)) && !(await isHome())) {
      throw refused(`${what} (${url.host}) is in a private network, and ${server.host} is not: it may not name it.`);
    }
    return url;
  }

  const guarded: typeof globalThis.fetch = async (input, init) => {
    const url = await check(input instanceof Request ? input.url : input, "An address of the sign-in");
    const signals = [AbortSignal.timeout(limits.oauthStepMs), ...(init?.signal ? [init.signal] : [])];
    let response: Response;
    try {
      const plain = { redirect: "manual", credentials: "omit", ...init } as const;
      response = await ports.fetch(url, { ...plain, signal: AbortSignal.any(signals) });
    } catch (thrown) {
      if (init?.signal?.aborted) throw thrown;
      const why = thrown instanceof Error && thrown.cause !== undefined ? messageOf(thrown.cause) : messageOf(thrown);
      throw new ManyHandsError("sign_in_failed", "network", `${url.host} cannot be reached: ${why}.`, thrown);
    }
    return bounded(response, url);
  };
  return { fetch: guarded, check };
}

/** The same answer, read whole: what is longer than any answer of a sign-in is none. */
async function bounded(response: Response, url: URL): Promise<Response> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    chunks.push(chunk);
    if (bytes > limits.oauthBytesMax) {
      throw new ManyHandsError("sign_in_failed", "network", `${url.host} answered with more than a sign-in needs.`);
    }
    // An event stream of the server itself has no end: its head is all that is wanted.
    if ((response.headers.get("content-type") ?? "").startsWith("text/event-stream")) break;
  }
  const { status, statusText, headers } = response;
  const hasBody = bytes > 0 && status !== 204 && status !== 304;
  return new Response(hasBody ? Buffer.concat(chunks) : null, { status, statusText, headers });
}

async function isPrivate(url: URL, resolve: (host: string) => Promise<readonly string[]>): Promise<boolean> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const addresses = isIP(host) === 0 ? await resolve(host).catch(() => []) : [host];
  return addresses.some((address) => !isPublicAddress(address));
}

function isLoopback({ hostname }: URL): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

async function systemLookup(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function refused(message: string): ManyHandsError {
  return new ManyHandsError("not_trusted", "vault", message);
}
