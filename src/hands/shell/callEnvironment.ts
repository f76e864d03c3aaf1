/** The hand's own variables, as shell text that a call runs after it has taken over what the call before it left. */
import { quote } from "./supervisorScript.ts";

const PROXIES = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"];

/** What an earlier entrance gave leads nowhere now. A proxy that is not the vault's is left as it is. */
const WITHOUT = `if [ -n "\${MANY_HANDS_PROXY+set}" ]; then
unset MANY_HANDS_PROXY MANY_HANDS_SOCKET GIT_CONFIG_COUNT
${PROXIES.map((name) => `case \${${name}-} in *//mh:*) unset ${name} ;; esac`).join("\n")}
fi`;

/**
 * The hand's variables win over those of the call before, whoever set them: addresses may be others than in the life in which
 * that call ran. So a call that changes one of them changes it for itself alone. Without an entrance, those that the call
 * before had from one are taken away. Throws RangeError for a name or value that no shell takes.
 */
export function callEnvironment(variables: Readonly<Record<string, string>> | null): string {
  const entries = Object.entries(variables ?? {});
  for (const [name] of entries) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new RangeError(`${JSON.stringify(name)} names no variable`);
  }
  if (entries.length > 0) return `export ${entries.map(([name, value]) => `${name}=${quote(value)}`).join(" ")}`;
  return WITHOUT;
}
