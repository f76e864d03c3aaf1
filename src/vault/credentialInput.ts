/** Checks what a person enters as a credential; every complaint says which member is wrong and never quotes a value. */
import { ManyHandsError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { CredentialInput, CredentialKind, CredentialPlace } from "../core/vault.ts";

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
/** A header's name by RFC 9110, in small letters. */
const HEADER = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/;
/** They say where a request goes or how long it is: none of them can be a credential. */
const NO_CREDENTIALS =
  /^(host|content-.*|transfer-encoding|connection|upgrade|te|trailer|cookie|proxy-.*|x-many-hands)$/;
const WITHOUT_VALUE: ReadonlySet<CredentialKind> = new Set<CredentialKind>(["vscode_account", "mcp_oauth"]);

function bad(message: string): ManyHandsError {
  return new ManyHandsError("credential_invalid", "vault", message);
}

/** The input in its normal form. Throws `credential_invalid`. */
export function checkCredential(input: CredentialInput): CredentialInput {
  if (!NAME.test(input.name)) {
    throw bad(
      "The name of a credential has up to 64 small letters, digits, '.', '_' and '-', and begins with a letter or digit.",
    );
  }
  if (input.places.length === 0) {
    throw bad("Say where the credential may be used: an address such as https://api.example.com.");
  }
  const places = input.places.map(checkPlace);
  const value = WITHOUT_VALUE.has(input.kind) ? {} : { value: checkValue(input.value ?? "") };
  return { ...input, places, ...value, ...headerOf(input), ...usernameOf(input), ...accountOf(input) };
}

/** A value out of what a person pasted: spaces and quotes around it are taken off. Throws `credential_invalid`. */
export function checkValue(text: string): string {
  const value = text.trim().replace(/^(["'])(.*)\1$/s, "$2");
  if (value === "") throw bad("The value is empty.");
  if (value.length > limits.credentialCharsMax) {
    throw bad(`The value is longer than ${limits.credentialCharsMax} characters.`);
  }
  // What a header cannot carry would be an error at each use.
  if (!/^[\x20-\x7e]+$/.test(value)) throw bad("The value has line breaks or characters that no header carries.");
  return value;
}

/** `https://host[:port]` and a path in normal form. Throws `credential_invalid`. */
export function checkPlace({ origin, path_prefix }: CredentialPlace): CredentialPlace {
  const url = parseUrl(origin);
  const isLoopback = url !== undefined && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url === undefined || (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback))) {
    throw bad(
      `"${origin}" is no address that a credential may go to: write https://host (http only for this computer).`,
    );
  }
  if (url.username !== "" || url.password !== "") throw bad("The address must hold no user name and no password.");
  if (url.search !== "" || url.hash !== "") throw bad("The address must hold no query.");
  const given = path_prefix === "" || path_prefix === "/" ? url.pathname : path_prefix;
  const path = given.replace(/\/+$/, "");
  const segments = path.split("/");
  if (path !== "" && !path.startsWith("/")) throw bad("The path begins with a slash.");
  if (
    segments.some((segment, at) => segment === "." || segment === ".." || (at > 0 && segment === "")) ||
    /[%\\]/.test(path)
  ) {
    throw bad("The path must be plain: no empty parts, no dots, nothing encoded.");
  }
  return { origin: url.origin, path_prefix: path === "" ? "/" : path };
}

function headerOf({ kind, header_name }: CredentialInput): Partial<CredentialInput> {
  if (kind !== "header") return {};
  const name = (header_name ?? "").trim().toLowerCase();
  if (!HEADER.test(name) || NO_CREDENTIALS.test(name)) {
    throw bad("Give the name of the header that carries the value, such as x-api-key.");
  }
  return { header_name: name };
}

function usernameOf({ kind, username = "" }: CredentialInput): Partial<CredentialInput> {
  if (kind !== "basic" && kind !== "git") return {};
  // The first colon ends the user name (RFC 7617).
  if (!/^[\x21-\x39\x3b-\x7e]*$/.test(username)) {
    throw bad("The user name has a colon, spaces or characters that cannot be sent.");
  }
  if (kind === "basic" && username === "") throw bad("Basic authentication needs a user name.");
  return { username };
}

function accountOf({ kind, provider = "", scopes = [] }: CredentialInput): Partial<CredentialInput> {
  if (kind !== "vscode_account") return {};
  if (provider === "") throw bad("Name the account's provider: github or microsoft, or one that an extension brings.");
  return { provider, scopes };
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
