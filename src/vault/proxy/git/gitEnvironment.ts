/** Git's configuration inside a hand, as environment: usual addresses lead to the proxy, and nothing of the machine is asked for a password. */
import { limits } from "../../../core/limits.ts";

export interface GitEnvironmentOptions {
  /** The proxy as the hand sees it: `http://127.0.0.1:4711`. */
  readonly url: string;
  /** The entrance's token. */
  readonly token: string;
  /**
   * Hosts that have a git credential: `github.com`, `git.example.com:8443`; with a user name (`org@dev.azure.com`) where
   * the addresses that people copy have one.
   */
  readonly hosts: readonly string[];
  /** What the hand's environment holds already; its own `GIT_CONFIG_COUNT` pairs are kept. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * As environment and not in a file: nothing of it stays in a repository or a home folder, and no argument list shows the
 * token. Git hands it on to submodules, and git-lfs reads it as well.
 */
export function gitEnvironment({ url, token, hosts, environment = {} }: GitEnvironmentOptions): Record<string, string> {
  const proxy = url.replace(/\/+$/, "");
  const pairs: (readonly [key: string, value: string])[] = [
    // Later values win over every file's. An empty one forgets those before it.
    [`http.${proxy}/.extraHeader`, ""],
    [`http.${proxy}/.extraHeader`, `X-Many-Hands: ${token}`],
    [`http.${proxy}/.proxy`, ""],
    // The proxy lets no redirect out; a server that sends one within itself is followed.
    [`http.${proxy}/.followRedirects`, "initial"],
    // Those of every file, for every address.
    ["credential.helper", ""],
    ["core.askPass", ""],
    // No word that this server has locks and that this address, which lives as long as the session, be written down.
    [`lfs.${proxy}/.locksverify`, "false"],
    // By default git-lfs gives up after 30 s without a byte, in which nobody has answered a question.
    [`lfs.${proxy}/.activitytimeout`, String(Math.ceil(limits.grantAskMs / 1_000) + 30)],
    ...hosts.flatMap((host) => rewritten(proxy, host)),
  ];
  const taken = ownPairs(environment);
  const variables: Record<string, string> = { GIT_TERMINAL_PROMPT: "0", GIT_ASKPASS: "", SSH_ASKPASS: "" };
  variables["GIT_CONFIG_COUNT"] = String(taken + pairs.length);
  for (const [index, [key, value]] of pairs.entries()) {
    variables[`GIT_CONFIG_KEY_${taken + index}`] = key;
    variables[`GIT_CONFIG_VALUE_${taken + index}`] = value;
  }
  return variables;
}

/** Every way in which people write an address of this host, but for those that hold a password. */
function rewritten(proxy: string, host: string): (readonly [string, string])[] {
  const bare = host.slice(host.lastIndexOf("@") + 1);
  const name = bare.replace(/:\d+$/, "");
  const key = `url.${proxy}/git/${bare}/.insteadOf`;
  const addresses = [`https://${host}/`, `ssh://git@${name}/`, `git@${name}:`];
  return addresses.map((address) => [key, address] as const);
}

function ownPairs(environment: Readonly<Record<string, string | undefined>>): number {
  const text = environment["GIT_CONFIG_COUNT"] ?? "";
  return /^\d{1,4}$/.test(text) ? Number(text) : 0;
}
