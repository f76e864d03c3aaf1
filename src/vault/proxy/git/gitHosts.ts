/** How each git server wants to be shown a token over HTTPS. */
import { ManyHandsError } from "../../../core/errors.ts";

export interface GitToken {
  /** Where the person said one: Bitbucket's app passwords, GitLab's deploy tokens, servers of one's own. */
  readonly username?: string;
  readonly token: string;
}

/** By host: the user name that goes with a token. The first that fits. */
const USER_NAMES: readonly (readonly [host: RegExp, username: string])[] = [
  [/(?:^|\.)github\./, "x-access-token"],
  [/(?:^|\.)ghe\.com$/, "x-access-token"],
  [/(?:^|\.)gitlab\./, "oauth2"],
  [/(?:^|\.)bitbucket\.org$/, "x-token-auth"],
  // Any name will do.
  [/(?:^|\.)(?:dev\.azure|visualstudio)\.com$/, "token"],
  [/(?:^|\.)gitea\./, "token"],
  [/(?:^|\.)codeberg\.org$/, "token"],
];
/** Servers that know a token by itself take any name that is not empty. */
const ANY_NAME = "git";

/** `host` with or without a port. */
export function gitUserName(host: string): string {
  const name = host.toLowerCase().replace(/:\d+$/, "");
  return USER_NAMES.find(([pattern]) => pattern.test(name))?.[1] ?? ANY_NAME;
}

/**
 * What a request to this host carries: basic authentication. Throws ManyHandsError `key_invalid` where a name or a token
 * holds what cannot be sent; the message quotes neither.
 */
export function gitAuthorization(host: string, { username, token }: GitToken): Record<string, string> {
  const name = username === undefined || username === "" ? gitUserName(host) : username;
  if (/[\p{Cc}:]/u.test(name)) {
    throw new ManyHandsError("key_invalid", "vault", `The user name for ${host} holds a colon or a control character.`);
  }
  if (token === "" || !/^[\x21-\x7e]+$/.test(token)) {
    throw new ManyHandsError("key_invalid", "vault", `The token for ${host} is empty or holds spaces. Copy it anew.`);
  }
  return { authorization: `Basic ${Buffer.from(`${name}:${token}`).toString("base64")}` };
}
