/** What a credential puts into a request: the headers, and the value that stands for a placeholder. */
import { ManyHandsError } from "../core/errors.ts";
import type { VaultUse } from "../core/vault.ts";
import type { Credential } from "./credentialBook.ts";
import type { CredentialSecret } from "./useAuthority.ts";

export interface TokenPorts {
  /** The token of an account of VS Code's own; undefined: nobody is signed in, and nobody was asked. */
  readonly accountToken: (provider: string, scopes: readonly string[]) => Promise<string | undefined>;
  /** The token that OAuth gave for this credential, renewed where its time is over. */
  readonly oauthToken: (credentialId: string) => Promise<string>;
  /** The header of git's basic authentication: hosts differ in the user name that goes with a token. */
  readonly gitHeaders: (
    host: string,
    username: string | undefined,
    token: string,
  ) => Promise<Readonly<Record<string, string>>>;
}

/** Rejects with a message for people where there is no token. */
export async function credentialSecret(
  credential: Credential,
  use: Pick<VaultUse, "kind" | "origin">,
  ports: TokenPorts,
): Promise<CredentialSecret> {
  const value = await valueOf(credential, ports);
  return { value, headers: await headersOf(credential, value, use, ports) };
}

async function valueOf(
  { id, kind, provider = "", scopes = [], value = "" }: Credential,
  ports: TokenPorts,
): Promise<string> {
  if (kind === "mcp_oauth") return ports.oauthToken(id);
  if (kind !== "vscode_account") return value;
  const token = await ports.accountToken(provider, scopes);
  if (token !== undefined) return token;
  throw new ManyHandsError("credential_invalid", "vault", `nobody is signed in to ${provider} in VS Code.`);
}

async function headersOf(
  { kind, username, header_name = "" }: Credential,
  value: string,
  use: Pick<VaultUse, "kind" | "origin">,
  ports: TokenPorts,
): Promise<Readonly<Record<string, string>>> {
  if (use.kind === "git" && kind !== "basic") return ports.gitHeaders(new URL(use.origin).host, username, value);
  if (kind === "basic") {
    return { authorization: `Basic ${Buffer.from(`${username ?? ""}:${value}`).toString("base64")}` };
  }
  if (kind === "header") return { [header_name]: value };
  return { authorization: `Bearer ${value}` };
}
