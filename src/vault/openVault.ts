/** Puts the vault together from what is in this room; the proxy and OAuth are loaded when first needed. */
import { ManyHandsError } from "../core/errors.ts";
import type { CredentialInfo } from "../core/vault.ts";
import type { Credential } from "./credentialBook.ts";
import { credentialSecret } from "./credentialSecret.ts";
import type { TokenPorts } from "./credentialSecret.ts";
import { probeCredential } from "./probeCredential.ts";
import type { ApiDefinition } from "./proxy/apiRoute.ts";
import type { CredentialProxyOptions } from "./proxy/credentialProxy.ts";
import type { McpDefinition } from "./proxy/mcpRoute.ts";
import { Vault } from "./vault.ts";
import type { VaultPorts } from "./vault.ts";

export interface OpenVaultPorts
  extends
    Pick<VaultPorts, "secrets" | "redactor" | "clock" | "workspace" | "record" | "isLive" | "report">,
    Pick<TokenPorts, "accountToken">,
    Pick<CredentialProxyOptions, "ca" | "resolve" | "dial"> {
  /** What the settings name; asked at each request. */
  readonly apis: () => readonly ApiDefinition[];
  readonly mcpServers: () => readonly McpDefinition[];
  readonly oauth?: {
    readonly accessToken: (credentialId: string) => Promise<string>;
    readonly refresh: (credentialId: string) => Promise<boolean>;
    /** The tokens of a credential that is removed are given back. */
    readonly forget: (credentialId: string) => Promise<void>;
  };
}

export function openVault(ports: OpenVaultPorts): Vault {
  const { oauth, apis, mcpServers, report } = ports;
  const tokens: TokenPorts = {
    accountToken: ports.accountToken,
    oauthToken: (id) => {
      if (oauth !== undefined) return oauth.accessToken(id);
      throw new ManyHandsError("credential_invalid", "vault", "nobody has signed in there yet.");
    },
    gitHeaders: async (host, username, token) => {
      const { gitAuthorization } = await import("./proxy/git/gitHosts.ts");
      return gitAuthorization(host, { ...(username === undefined ? {} : { username }), token });
    },
  };
  return new Vault({
    ...ports,
    ...tokens,
    renew: async ({ id, kind }: Credential) => kind === "mcp_oauth" && oauth !== undefined && oauth.refresh(id),
    forget: async ({ id, kind }) => {
      if (kind === "mcp_oauth") await oauth?.forget(id);
    },
    environment: async (entrance) => (await import("./entranceEnvironment.ts")).entranceEnvironment(entrance),
    probe: (credential) =>
      probeCredential(credential, (use) => credentialSecret(credential, use, tokens), { ca: ports.ca }),
    loadProxy: async (authority, credentials: () => readonly CredentialInfo[]) => {
      const [{ createCredentialProxy }, { withOwnPlaces }, { createGitRoute }, { findForms }] = await Promise.all([
        import("./proxy/credentialProxy.ts"),
        import("./proxy/apiRoute.ts"),
        import("./proxy/git/gitRoute.ts"),
        import("./valueForms.ts"),
      ]);
      return createCredentialProxy({
        authority,
        findForms,
        apis: () => withOwnPlaces(apis(), credentials()),
        mcpServers,
        git: createGitRoute,
        report,
        ...(ports.ca === undefined ? {} : { ca: ports.ca }),
        ...(ports.resolve === undefined ? {} : { resolve: ports.resolve }),
        ...(ports.dial === undefined ? {} : { dial: ports.dial }),
      });
    },
  });
}
