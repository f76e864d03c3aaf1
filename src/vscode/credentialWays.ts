/** The ways to a credential, in people's words: what each still has to be asked, and the name that it may get. */
import type { CredentialInput, CredentialKind } from "../core/vault.ts";

/** What is asked beside the name: an address, the user's or header's name, the value; or VS Code's or a server's sign-in. */
export interface CredentialWay {
  readonly section: string;
  /** A codicon's name. */
  readonly icon: string;
  readonly label: string;
  readonly description: string;
  readonly kind: CredentialKind;
  /** Where it may go; absent: it is asked for. */
  readonly addresses?: readonly string[];
  readonly address_example?: string;
  readonly name?: string;
  /** What to paste, and where it is made. */
  readonly value_hint?: string;
  readonly asks_username?: "needed" | "optional";
  readonly provider?: string;
  readonly scopes?: readonly string[];
}

const GIT = "Git hosting";
const ACCOUNT = "The account that VS Code is signed in with";
const API = "An HTTP API";
const MCP = "An MCP server";

const gitHost = (label: string, host: string, name: string, value_hint: string): CredentialWay => {
  const description = `a token for ${host}`;
  const addresses = [`https://${host}`];
  return { section: GIT, icon: "source-control", label, description, kind: "git", addresses, name, value_hint };
};

const MCP_EXAMPLE = "https://mcp.example.com/mcp";

export const credentialWays: readonly CredentialWay[] = [
  gitHost(
    "GitHub",
    "github.com",
    "github",
    "A fine-grained token for the repositories that agents work on: GitHub, Settings, Developer settings.",
  ),
  gitHost(
    "GitLab",
    "gitlab.com",
    "gitlab",
    "A project or personal access token with read_repository, and write_repository to push.",
  ),
  {
    ...gitHost(
      "Bitbucket",
      "bitbucket.org",
      "bitbucket",
      "An access token of the repository or workspace, or an API token.",
    ),
    asks_username: "optional",
  },
  gitHost("Azure DevOps", "dev.azure.com", "azure-devops", "A personal access token with the scope Code."),
  {
    section: GIT,
    icon: "source-control",
    label: "Gitea or Forgejo…",
    description: "a token for a host of your own",
    kind: "git",
    address_example: "https://gitea.example.com",
    value_hint: "An access token with the scope repository: Settings, Applications.",
  },
  {
    section: GIT,
    icon: "source-control",
    label: "Another Git host…",
    description: "GitHub Enterprise, GitLab of your own, anything over HTTPS",
    kind: "git",
    address_example: "https://git.example.com",
    asks_username: "optional",
    value_hint: "The token or password.",
  },
  {
    section: ACCOUNT,
    icon: "github",
    label: "GitHub account",
    description: "git and the API, as far as VS Code's own sign-in reaches",
    kind: "vscode_account",
    addresses: ["https://github.com", "https://api.github.com"],
    name: "github-account",
    provider: "github",
    scopes: ["repo"],
  },
  {
    section: ACCOUNT,
    icon: "azure",
    label: "Microsoft account",
    description: "for Azure DevOps",
    kind: "vscode_account",
    addresses: ["https://dev.azure.com"],
    name: "microsoft-account",
    provider: "microsoft",
    // Azure DevOps, by the id that all of its tenants share.
    scopes: ["499b84ac-1321-427f-aa17-267ca6975798/.default"],
  },
  {
    section: API,
    icon: "key",
    label: "Bearer token…",
    description: "sent as Authorization: Bearer",
    kind: "static_bearer",
  },
  { section: API, icon: "tag", label: "Key in a header…", description: "such as x-api-key", kind: "header" },
  {
    section: API,
    icon: "lock",
    label: "User and password…",
    description: "basic authentication",
    kind: "basic",
    asks_username: "needed",
    value_hint: "The password.",
  },
  {
    section: MCP,
    icon: "plug",
    label: "Sign in to an MCP server…",
    description: "OAuth, in the browser",
    kind: "mcp_oauth",
    address_example: MCP_EXAMPLE,
  },
  {
    section: MCP,
    icon: "key",
    label: "Token for an MCP server…",
    description: "sent as Authorization: Bearer",
    kind: "static_bearer",
    address_example: MCP_EXAMPLE,
  },
];

/** What is known so far; a member that is absent is still to be asked. */
export interface CredentialDraft {
  readonly way?: CredentialWay;
  readonly addresses?: readonly string[];
  readonly username?: string;
  readonly header_name?: string;
  readonly name?: string;
  readonly value?: string;
}

export type CredentialQuestion = "way" | "address" | "username" | "header_name" | "name" | "value";

/** The next one; null: the draft is whole. */
export function questionOf(draft: CredentialDraft): CredentialQuestion | null {
  const { way } = draft;
  if (way === undefined) return "way";
  if (addressesOf(draft).length === 0) return "address";
  if (way.asks_username !== undefined && draft.username === undefined) return "username";
  if (way.kind === "header" && draft.header_name === undefined) return "header_name";
  if (draft.name === undefined) return "name";
  const hasValue = way.kind !== "vscode_account" && way.kind !== "mcp_oauth";
  return hasValue && draft.value === undefined ? "value" : null;
}

export function addressesOf({ way, addresses }: CredentialDraft): readonly string[] {
  return addresses ?? way?.addresses ?? [];
}

/** What the vault is given. What is still open is filled in with something right, so that one answer can be checked alone. */
export function inputOf(draft: CredentialDraft): CredentialInput {
  const { way, username, header_name = "x-api-key", name = "name", value = "value" } = draft;
  const { kind = "static_bearer", provider, scopes } = way ?? {};
  const addresses = addressesOf(draft);
  const places = addresses.length === 0 ? ["https://example.com"] : addresses;
  const needsUsername = kind === "basic" || kind === "git";
  return {
    name,
    kind,
    places: places.map((origin) => ({ origin, path_prefix: "" })),
    ...(kind === "vscode_account" || kind === "mcp_oauth" ? {} : { value }),
    ...(needsUsername ? { username: username ?? (kind === "basic" ? "user" : "") } : {}),
    ...(kind === "header" ? { header_name } : {}),
    ...(kind === "vscode_account" ? { provider: provider ?? "", scopes: scopes ?? [] } : {}),
  };
}

/** An address as people write it: `api.example.com` is one over HTTPS. */
export function fullAddress(text: string): string {
  return /^[a-z][a-z0-9+.-]*:/i.test(text) && !/^[^/]+:\d+(\/|$)/.test(text) ? text : `https://${text}`;
}

/** A valid name that is not taken: the way's own, or what tells the host from others. */
export function suggestName(draft: CredentialDraft, taken: readonly string[]): string {
  const host = URL.parse(addressesOf(draft)[0] ?? "")?.hostname ?? "";
  const isPlain = /^[a-z]/.test(host) && host.includes(".");
  const telling = isPlain
    ? host
        .split(".")
        .slice(0, -1)
        .filter((part) => !/^(www|api|mcp|git)$/.test(part))
        .join("-")
    : host.replaceAll(/[^a-z0-9.]/g, "");
  const wanted = (draft.way?.name ?? telling).replaceAll(/^[^a-z0-9]+/g, "").slice(0, 58);
  const name = wanted === "" ? "credential" : wanted;
  for (let count = 1; ; count += 1) {
    const candidate = count === 1 ? name : `${name}-${count}`;
    if (!taken.includes(candidate)) return candidate;
  }
}
