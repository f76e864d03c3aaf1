/** How credentials and grants read in a list: pure functions, which never have a value to show. */
import { lastsText, scopeText } from "../core/grantText.ts";
import { sharedRefs, shortRef } from "../core/refPattern.ts";
import type { CredentialInfo, CredentialKind, CredentialPlace, Grant, GrantScope } from "../core/vault.ts";

/** The model's key, as far as a person is shown it. */
export interface ModelKeyInfo {
  /** The origin that it is sent to. */
  readonly address: string;
  readonly isSet: boolean;
}

export interface VaultText {
  readonly label: string;
  readonly description: string;
  /** A codicon's name. */
  readonly icon: string;
  /** A theme colour for it, or null for the ordinary one. */
  readonly color: string | null;
  /** The lines of the tooltip below the label. */
  readonly lines: readonly string[];
}

const KINDS: Readonly<Record<CredentialKind, { readonly words: string; readonly icon: string }>> = {
  static_bearer: { words: "token", icon: "key" },
  basic: { words: "user and password", icon: "lock" },
  header: { words: "header", icon: "tag" },
  git: { words: "git token", icon: "source-control" },
  mcp_oauth: { words: "MCP, signed in", icon: "plug" },
  vscode_account: { words: "VS Code's account", icon: "account" },
};

/** Without `https://`, and without a path that says nothing. */
export function placeText({ origin, path_prefix }: CredentialPlace): string {
  return origin.replace(/^https:\/\//, "") + (path_prefix === "/" ? "" : path_prefix);
}

/** `sessionTitle`: of the session of its last use; null where that session is no more. `now`: milliseconds since the epoch. */
export function describeCredential(
  info: CredentialInfo,
  grants: readonly Grant[],
  sessionTitle: string | null,
  now: number,
): VaultText {
  const { words, icon } = KINDS[info.kind];
  const count = grants.length === 0 ? "" : grants.length === 1 ? "1 grant" : `${grants.length} grants`;
  const api = info.kind === "git" ? "" : `In a hand: $MANY_HANDS_PROXY/api/${info.name}/`;
  return {
    label: info.name,
    description: joined(words, info.places.map(placeText).join(", "), count),
    icon,
    color: null,
    lines: [
      `Kind: ${words}. Its value is not shown again.`,
      `May be used at ${info.places.map(placeText).join(", ")} and nowhere else.`,
      lastUseText(info, sessionTitle, now),
      grants.length === 0 ? "Nothing is granted: a session asks when it first needs it." : "",
      api,
    ].filter((line) => line !== ""),
  };
}

function lastUseText({ last_used }: CredentialInfo, sessionTitle: string | null, now: number): string {
  if (last_used === null) return "Never used.";
  const by = sessionTitle === null ? "a session that is gone" : `“${titleText(sessionTitle)}”`;
  return `Last used ${agoText(Date.parse(last_used.at), now)} by ${by}.`;
}

/** `sessionTitle`: null where its session is no more; of no account for a grant that every session has. */
export function describeGrant(grant: Grant, sessionTitle: string | null): VaultText {
  const { scope, lasts, session_id, given_at } = grant;
  const who = session_id === null ? "every session" : titleText(sessionTitle ?? "a session that is gone");
  const shared = sharedRefs(scope.git?.push_refs ?? []);
  const holds = lasts === "once" ? "for one use that is still to come" : lastsText(lasts);
  return {
    label: shortScope(scope),
    description: joined(who, lasts === "session" ? "until it ends" : lasts),
    icon: shared.length > 0 ? "warning" : session_id === null ? "globe" : "pass",
    color: shared.length > 0 ? "editorWarning.foreground" : null,
    lines: [
      `To ${scopeText(scope)}.`,
      `Granted to ${session_id === null ? "every session of this workspace" : `“${who}”`}, ${holds}.`,
      `Since ${given_at.slice(0, 16).replace("T", " ")} UTC.`,
      shared.length > 0 ? `May push ${shared.map(shortRef).join(", ")}: others build on that.` : "",
    ].filter((line) => line !== ""),
  };
}

/** For a narrow row below its credential, which says the host already. */
function shortScope({ kind, path_prefix, methods, git }: GrantScope): string {
  if (git !== undefined) {
    const refs = git.push_refs.map(shortRef).join(", ");
    return `${git.repositories.join(", ")}: ${refs === "" ? "read" : `push ${refs}`}`;
  }
  if (kind === "mcp") return "all MCP tools";
  const isReading = methods?.every((method) => READING.has(method)) === true;
  return `${isReading ? "read" : (methods?.join(", ") ?? "anything at")} ${path_prefix}`;
}

const READING: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

export function describeModelKey({ address, isSet }: ModelKeyInfo): VaultText {
  const host = address.replace(/^https:\/\//, "");
  return {
    label: "Model",
    description: joined("model key", isSet ? "" : "not set", host),
    icon: "hubot",
    color: isSet ? null : "disabledForeground",
    lines: isSet
      ? [`The key for ${host}. It is sent there only, by the brain: no hand can use it.`]
      : [`No key is set for ${host}.`],
  };
}

/** What goes with a credential, for the question before it is removed. */
export function removalText(grants: readonly Grant[], titleOf: (grant: Grant) => string | null): string {
  const gone = "Its value is removed from VS Code's secret storage for good; what still runs with it is cut.";
  if (grants.length === 0) return `${gone}\n\nNothing is granted in this workspace.`;
  const shown = grants.slice(0, GRANTS_SHOWN).map((grant) => {
    return `• ${scopeText(grant.scope)} (${describeGrant(grant, titleOf(grant)).description})`;
  });
  const more = grants.length > GRANTS_SHOWN ? [`• ${grants.length - GRANTS_SHOWN} more`] : [];
  const count = grants.length === 1 ? "This grant goes with it:" : `These ${grants.length} grants go with it:`;
  return [gone, "", count, ...shown, ...more].join("\n");
}

const GRANTS_SHOWN = 10;

function titleText(title: string): string {
  return title === "" ? "New session" : title;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function agoText(then: number, now: number): string {
  const passed = Math.max(0, now - then);
  const counted = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? "" : "s"} ago`;
  if (passed < MINUTE) return "just now";
  if (passed < HOUR) return counted(Math.floor(passed / MINUTE), "minute");
  if (passed < DAY) return counted(Math.floor(passed / HOUR), "hour");
  if (passed < 30 * DAY) return counted(Math.floor(passed / DAY), "day");
  return `on ${new Date(then).toISOString().slice(0, 10)}`;
}

function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(" · ");
}
