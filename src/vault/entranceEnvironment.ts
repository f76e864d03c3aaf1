/** What each call of a hand finds in its environment: where the proxy is, and that git and other programs go through it. */
import type { Egress, EntranceAddress } from "../core/vault.ts";
import { gitEnvironment } from "./proxy/git/gitEnvironment.ts";

export interface EntranceEnvironmentOptions {
  readonly address: EntranceAddress;
  readonly token: string;
  /** null: the hand's network is not limited, so that its programs go their own ways. */
  readonly egress: Egress | null;
  /** Hosts that have a git credential. */
  readonly gitHosts: readonly string[];
}

/** Those that a hand without a way out clones from: the refusal there says what to do, where else there would be none. */
const USUAL_GIT_HOSTS = ["github.com", "gitlab.com", "bitbucket.org", "dev.azure.com", "codeberg.org"];

export function entranceEnvironment({
  address: { url, socket_path },
  token,
  egress,
  gitHosts,
}: EntranceEnvironmentOptions): Readonly<Record<string, string>> {
  const hosts = egress === null ? gitHosts : [...new Set([...gitHosts, ...USUAL_GIT_HOSTS])];
  return {
    MANY_HANDS_PROXY: `${url}/${token}`,
    ...(socket_path === undefined ? {} : { MANY_HANDS_SOCKET: socket_path }),
    ...gitEnvironment({ url, token, hosts }),
    ...(egress === null ? {} : limitedEnvironment(url, token)),
  };
}

/** Both spellings: curl reads `http_proxy` in small letters alone, other programs the capitals. */
function limitedEnvironment(url: string, token: string): Readonly<Record<string, string>> {
  const { host, hostname } = new URL(url);
  const proxy = `http://mh:${token}@${host}`;
  // The proxy's own address is not reached through itself.
  const direct = ["localhost", "127.0.0.1", "::1", hostname]
    .filter((name, at, all) => all.indexOf(name) === at)
    .join(",");
  return {
    HTTPS_PROXY: proxy,
    HTTP_PROXY: proxy,
    NO_PROXY: direct,
    https_proxy: proxy,
    http_proxy: proxy,
    no_proxy: direct,
  };
}
