/**
 * The vault's vocabulary and its ports: where secret values are kept, what may use a credential where, and the way from
 * a hand to the proxy that adds it. No type here but `AllowedUse` ever holds a value.
 */
import type { SessionId } from "./ids.ts";
import type { Listen } from "./listen.ts";

/** Values under names. Rejects when the store cannot be reached (a locked keyring). */
export interface SecretStore {
  get(name: string): Promise<string | undefined>;
  store(name: string, value: string): Promise<void>;
  /** No error when there is none. */
  delete(name: string): Promise<void>;
  /** The name whose value was stored or deleted, here or in another window. */
  readonly onDidChange: Listen<string>;
  /** The names under which there is a value. */
  keys(): Promise<readonly string[]>;
}

/**
 * How a credential goes out: `Authorization: Bearer`, basic authentication, a header of its own name, a token for git over
 * HTTPS, a token that OAuth gives and renews, or the account of one of VS Code's authentication providers.
 */
export type CredentialKind = "static_bearer" | "basic" | "header" | "git" | "mcp_oauth" | "vscode_account";

/** Where a credential may go at all; a grant can only be narrower. */
export interface CredentialPlace {
  /** `https://api.example.com`; http only for loopback addresses. */
  readonly origin: string;
  /** Begins with `/`, compared by whole segments. */
  readonly path_prefix: string;
}

/** What is shown of a credential. Its value is never given out again. */
export interface CredentialInfo {
  /** `vcrd_…` */
  readonly id: string;
  /** By which it is called in `$MANY_HANDS_PROXY/api/<name>/`: `^[a-z0-9][a-z0-9._-]{0,63}$`. */
  readonly name: string;
  readonly kind: CredentialKind;
  readonly places: readonly CredentialPlace[];
  /** ISO time. */
  readonly created_at: string;
  readonly last_used: { readonly at: string; readonly session_id: SessionId } | null;
}

/** A credential as a person enters it. */
export interface CredentialInput {
  readonly name: string;
  readonly kind: CredentialKind;
  readonly places: readonly CredentialPlace[];
  /** The token, password or key; for `vscode_account` and `mcp_oauth` there is none to enter. */
  readonly value?: string;
  /** `basic`, `git`: the user name; `header`: the name of the header. */
  readonly username?: string;
  readonly header_name?: string;
  /** `vscode_account`: the authentication provider (`github`) and the scopes that are asked for. */
  readonly provider?: string;
  readonly scopes?: readonly string[];
}

/** What somebody is about to do with a credential. */
export interface VaultUse {
  readonly session_id: SessionId;
  /** The hand from whose entrance it comes; null: the harness. */
  readonly hand: string | null;
  /** `mcp`: the harness; a hand that speaks to an MCP server by itself is `http`. */
  readonly kind: "http" | "git" | "mcp";
  readonly origin: string;
  /** Normal form: no `.` or `..`, no encoded slash, no query. */
  readonly path: string;
  /** Capitals. */
  readonly method: string;
  /** For `http`: the name that the hand called; the credential must be that one. */
  readonly credential_name?: string;
  /** For `git`: the repository as in the URL without `.git`, and what is done with it. */
  readonly git?: {
    readonly repository: string;
    readonly service: "fetch" | "push";
    /** Full names; all that a push would change. Absent while only the server's refs are asked for. */
    readonly refs?: readonly string[];
  };
}

/** A use that may go ahead, with what the proxy adds on the way out. Not to be kept longer than one request. */
export interface AllowedUse {
  readonly allowed: true;
  readonly credential_id: string;
  /** Names in small letters; they replace what the hand sent under these names. */
  readonly headers: Readonly<Record<string, string>>;
  /** What stands for a placeholder in the places that the API's definition names. */
  readonly value: string;
  /** Aborted when the grant is revoked, the credential removed or the session ended: what still runs is cut. */
  readonly signal: AbortSignal;
  /** The server said 401: a token that can be renewed is, and the use decided anew; null: there is nothing to renew. */
  readonly renew?: () => Promise<UseDecision | null>;
}

export interface RefusedUse {
  readonly allowed: false;
  readonly reason: "no_credential" | "not_granted" | "session_ended";
  /** For the hand and thus the model: what was refused and what a person can do. No value, no other session's name. */
  readonly message: string;
}

export type UseDecision = AllowedUse | RefusedUse;

export interface UseAuthority {
  /**
   * Whether this may happen. Where no grant covers it, the person is asked and the promise waits for the answer, the
   * deadline (`limits.grantAskMs`) or the signal. Rejects only with ManyHandsError `secrets_unavailable`.
   */
  decide(use: VaultUse, signal: AbortSignal): Promise<UseDecision>;
}

/** What one grant covers. */
export interface GrantScope {
  readonly kind: VaultUse["kind"];
  readonly origin: string;
  readonly path_prefix: string;
  /** Capitals; null: all. */
  readonly methods: readonly string[] | null;
  /** For `git`: `owner/name`, `owner/*`; refs by full name, with `*` for anything but nothing. */
  readonly git?: { readonly repositories: readonly string[]; readonly push_refs: readonly string[] };
}

/** `once`: one request, or for git one command. `always`: every session of this workspace, until it is revoked. */
export type GrantLasts = "once" | "session" | "always";

export interface Grant {
  /** `vgrt_…` */
  readonly id: string;
  readonly credential_id: string;
  /** null: every session of the workspace. */
  readonly session_id: SessionId | null;
  /** The folder of the sessions that it is for. */
  readonly workspace: string;
  readonly scope: GrantScope;
  readonly lasts: GrantLasts;
  /** ISO time. */
  readonly given_at: string;
}

/** A person's answer to a request for a grant. */
export type GrantDecision =
  | { readonly result: "deny" }
  | {
      readonly result: "allow";
      readonly lasts: GrantLasts;
      /** Default: as it was asked for. */
      readonly scope?: GrantScope;
    };

/** The vault as a person sees and rules it. No method gives a value out. */
export interface VaultService {
  listCredentials(): Promise<readonly CredentialInfo[]>;
  /** Rejects with ManyHandsError `credential_invalid`, whose message says which member is wrong, or `secrets_unavailable`. */
  addCredential(input: CredentialInput): Promise<CredentialInfo>;
  /** The value alone; grants stay. Rejects as `addCredential`. */
  replaceValue(id: string, value: string): Promise<void>;
  /** With its grants. */
  removeCredential(id: string): Promise<void>;
  /** One GET to the first of its places, with and without it: what the two answers say, in words. */
  testCredential(id: string): Promise<{ readonly ok: boolean; readonly message: string }>;
  /** Those of this workspace. */
  listGrants(): Promise<readonly Grant[]>;
  giveGrant(grant: Omit<Grant, "id" | "given_at" | "workspace">): Promise<Grant>;
  revokeGrant(id: string): Promise<void>;
  /** Credentials, grants, or when one was last used. */
  readonly onDidChange: Listen<null>;
}

/** Which hosts a hand with a `limited` network reaches through the proxy, without any credential. */
export interface Egress {
  /** Host names, `*.example.com`, with a port if it is not 443 (or 80), or the name of a preset: `npm`, `debian`, … */
  readonly allowed_hosts: readonly string[];
}

/** The address at which a hand sees its entrance. */
export interface EntranceAddress {
  /** `http://127.0.0.1:4711`: no path. */
  readonly url: string;
  /** A socket in the hand's file system that leads to the same, mode 0600, where there is one. */
  readonly socket_path?: string;
}

/** A way to the proxy for one run of git on this computer, for a hand's resource. */
export interface GitAccess {
  /** What git is to find in its environment. */
  readonly environment: Readonly<Record<string, string>>;
  close(): void;
}

/** The credential proxy's side of one hand. */
export interface HandEntrance {
  /** The port that the hand was given last, to be used again so that its addresses stay the same; null: any. */
  readonly port: number | null;
  /** A duplex stream that came in from that hand and no other. */
  accept(connection: NodeJS.ReadWriteStream): void;
  /** What each call of the hand finds in its environment. Remembers the port. */
  environment(address: EntranceAddress): Promise<Readonly<Record<string, string>>>;
}

/** A way back. The `state` says which sign-in comes back: two at once do not meet. */
export interface SignInRedirect {
  /** `before`: the address that this client was registered with, to be had again if it can. */
  open(before: string | null): Promise<OpenSignInRedirect>;
}

export interface OpenSignInRedirect {
  readonly uri: string;
  /** What the browser came back with. Rejects with the signal's reason. */
  wait(state: string, signal: AbortSignal): Promise<URLSearchParams>;
  close(): Promise<void>;
}
