/** Asks a credential's server for something small, with it and without: whether it makes a difference, in words. */
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { limits } from "../core/limits.ts";
import { messageOf } from "../core/json.ts";
import type { VaultUse } from "../core/vault.ts";
import type { Credential } from "./credentialBook.ts";
import type { CredentialSecret } from "./useAuthority.ts";

export interface Probed {
  readonly ok: boolean;
  readonly message: string;
}

type SecretOf = (use: Pick<VaultUse, "kind" | "origin">) => Promise<CredentialSecret>;

/** Never rejects, follows no redirect, and reads no answer but its status. */
export async function probeCredential(
  { kind, places }: Credential,
  secretOf: SecretOf,
  { ca }: { readonly ca: string | undefined },
): Promise<Probed> {
  const [place] = places;
  if (place === undefined) return { ok: false, message: "It has no place where it may be used." };
  const { origin, path_prefix } = place;
  try {
    const { headers } = await secretOf({ kind: kind === "git" ? "git" : "http", origin });
    const url = new URL(path_prefix, origin);
    const [without, status] = [await statusOf(url, {}, ca), await statusOf(url, headers, ca)];
    const where = `${origin}${path_prefix === "/" ? "" : path_prefix}`;
    const isRefused = status === 401 || status === 403;
    if (isRefused) return { ok: false, message: `${where} refuses it: the answer is ${status}.` };
    if (without === status) {
      const message = `${where} answers ${status} with and without it: it is reached, and does not say whether it is right.`;
      return { ok: true, message };
    }
    return { ok: true, message: `${where} takes it: ${status} with it, ${without} without.` };
  } catch (thrown) {
    return { ok: false, message: `${origin} cannot be asked: ${messageOf(thrown)}` };
  }
}

function statusOf(url: URL, headers: Readonly<Record<string, string>>, ca: string | undefined): Promise<number> {
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = send(url, {
      headers,
      ...(ca === undefined ? {} : { ca }),
      signal: AbortSignal.timeout(limits.proxyConnectMs),
      agent: false,
    });
    sent.on("response", (response) => {
      response.destroy();
      resolve(response.statusCode ?? 0);
    });
    sent.on("error", reject);
    sent.end();
  });
}
