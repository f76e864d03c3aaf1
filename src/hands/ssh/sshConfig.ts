/** What ssh itself makes of a host: its effective configuration, as `ssh -G` prints it. */
import { execFile } from "node:child_process";
import type { ExecFileException } from "node:child_process";
import { homedir, hostname as ownHostname, userInfo } from "node:os";
import { ManyHandsError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import { sshArguments } from "./sshTarget.ts";
import type { SshTarget } from "./sshTarget.ts";

export interface SshSettings {
  readonly user: string;
  readonly hostname: string;
  readonly port: number;
  /** What known_hosts calls the host: its alias, its name, or `[name]:port`. */
  readonly knownAs: string;
  /** Absolute, in the order in which they are tried. */
  readonly identityFiles: readonly string[];
  readonly identitiesOnly: boolean;
  /** The socket of an agent; null: none. */
  readonly agent: string | null;
  readonly proxyJump: string | null;
  readonly proxyCommand: string | null;
  readonly userKnownHosts: readonly string[];
  readonly globalKnownHosts: readonly string[];
  readonly hashKnownHosts: boolean;
  /** An unknown host: ask the person, refuse it, or take it. */
  readonly unknownHost: "ask" | "refuse" | "accept";
  readonly hostKeyAlgorithms: readonly string[];
  readonly connectTimeoutMs: number | null;
  readonly keepAliveMs: number | null;
  readonly publicKeys: boolean;
  readonly passwords: boolean;
  readonly keyboardInteractive: boolean;
  readonly addressFamily: 0 | 4 | 6;
  readonly bindAddress: string | null;
  readonly gssapi: boolean;
  /** What only the system's ssh can do, in words; null: nothing of it is asked for. */
  readonly beyond: string | null;
}

type Lines = ReadonlyMap<string, readonly string[]>;

export interface ReadSettingsPorts {
  readonly target: SshTarget;
  readonly environment: NodeJS.ProcessEnv;
  readonly stepMs: number;
  readonly signal: AbortSignal;
}

/** Rejects with `hand_unavailable`. */
export async function readSettings({ target, environment, stepMs, signal }: ReadSettingsPorts): Promise<SshSettings> {
  signal.throwIfAborted();
  const options = {
    env: environment,
    timeout: stepMs,
    killSignal: "SIGKILL" as const,
    maxBuffer: limits.sshConfigBytesMax,
    windowsHide: true,
    signal,
  };
  const text = await new Promise<string>((resolve, reject) => {
    execFile("ssh", ["-G", ...sshArguments(target)], options, (thrown, stdout, stderr) => {
      if (thrown === null) return resolve(stdout);
      reject(signal.aborted ? (signal.reason as Error) : refusal(target, stepMs, thrown, stderr));
    });
  });
  return parseSettings(text, environment);
}

function refusal(target: SshTarget, stepMs: number, thrown: ExecFileException, stderr: string): ManyHandsError {
  const said = stderr.trim().split("\n").at(-1) ?? "";
  const wasKilled = thrown.killed === true;
  const why =
    thrown.code === "ENOENT"
      ? "there is no ssh program on this computer: install the OpenSSH client"
      : wasKilled
        ? `ssh -G gave no answer within ${stepMs} ms: look for a Match exec that hangs`
        : said || thrown.message;
  const message = `The configuration for the host ${target.host} cannot be read: ${why}.`;
  return new ManyHandsError("hand_unavailable", "hand", message, thrown);
}

export function parseSettings(text: string, environment: NodeJS.ProcessEnv): SshSettings {
  const lines = linesOf(text);
  const one = (key: string): string | null => lines.get(key)?.[0] ?? null;
  const isSet = (key: string): boolean => /^(yes|true)$/.test(one(key) ?? "");
  const isNotOff = (key: string): boolean => !/^(no|false)$/.test(one(key) ?? "");
  const named = (key: string): string | null => (/^(none)?$/i.test(one(key) ?? "") ? null : one(key));
  const hostname = one("hostname") ?? "";
  const port = Number(one("port") ?? 22);
  const user = one("user") ?? userInfo().username;
  const alias = named("hostkeyalias");
  const tokens: Tokens = { h: hostname, n: one("host") ?? hostname, p: String(port), r: user, ...ownTokens() };
  const paths = (key: string): string[] =>
    (lines.get(key) ?? []).flatMap((value) => (value === "none" ? [] : [expandPath(value, tokens, environment)]));
  const files = (key: string): string[] =>
    (named(key) ?? "").split(" ").flatMap((file) => (file === "" ? [] : [expandPath(file, tokens, environment)]));
  const rawCommand = named("proxycommand");
  const proxyCommand = rawCommand === null ? null : expandTokens(rawCommand, tokens);
  return {
    user,
    hostname,
    port,
    knownAs: (alias ?? (port === 22 ? hostname : `[${hostname}]:${port}`)).toLowerCase(),
    identityFiles: paths("identityfile"),
    identitiesOnly: isSet("identitiesonly"),
    agent: agentOf(one("identityagent"), tokens, environment),
    proxyJump: named("proxyjump"),
    proxyCommand: proxyCommand ?? rawCommand,
    userKnownHosts: files("userknownhostsfile"),
    globalKnownHosts: files("globalknownhostsfile"),
    hashKnownHosts: isSet("hashknownhosts"),
    unknownHost: unknownHostOf(one("stricthostkeychecking")),
    hostKeyAlgorithms: (one("hostkeyalgorithms") ?? "").split(",").filter(Boolean),
    connectTimeoutMs: millisecondsOf(one("connecttimeout")),
    keepAliveMs: millisecondsOf(one("serveraliveinterval")),
    publicKeys: isNotOff("pubkeyauthentication"),
    passwords: isNotOff("passwordauthentication"),
    keyboardInteractive: isNotOff("kbdinteractiveauthentication"),
    addressFamily: one("addressfamily") === "inet" ? 4 : one("addressfamily") === "inet6" ? 6 : 0,
    bindAddress: named("bindaddress"),
    gssapi: isSet("gssapiauthentication"),
    beyond: beyondOf(named, isSet, rawCommand !== null && proxyCommand === null),
  };
}

function linesOf(text: string): Lines {
  const lines = new Map<string, string[]>();
  for (const line of text.split(/\r?\n/)) {
    const space = line.indexOf(" ");
    if (space === -1) continue;
    const key = line.slice(0, space).toLowerCase();
    const values = lines.get(key) ?? [];
    lines.set(key, values);
    values.push(line.slice(space + 1).trim());
  }
  return lines;
}

function beyondOf(
  named: (key: string) => string | null,
  isSet: (key: string) => boolean,
  hasOddTokens: boolean,
): string | null {
  if (named("certificatefile") !== null) return "a certificate (CertificateFile)";
  if (named("pkcs11provider") !== null) return "keys of a PKCS#11 provider";
  if (named("revokedhostkeys") !== null) return "a list of revoked host keys (RevokedHostKeys)";
  if (named("knownhostscommand") !== null) return "host keys from a command (KnownHostsCommand)";
  if (named("bindinterface") !== null) return "an interface of its own (BindInterface)";
  if (isSet("proxyusefdpass")) return "a socket passed on by the proxy (ProxyUseFdpass)";
  return hasOddTokens ? "a ProxyCommand with rare tokens" : null;
}

function unknownHostOf(value: string | null): SshSettings["unknownHost"] {
  if (value === "yes" || value === "true") return "refuse";
  return value === "accept-new" || value === "no" || value === "false" || value === "off" ? "accept" : "ask";
}

/** `ssh -G` prints seconds; 0 and `none` are no limit. */
function millisecondsOf(value: string | null): number | null {
  const seconds = Number(value);
  return value !== null && Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : null;
}

type Tokens = Readonly<Record<string, string>>;

function ownTokens(): Tokens {
  const { username, homedir: home, uid } = userInfo();
  const name = ownHostname();
  return { d: home || homedir(), u: username, i: String(uid), l: name, L: name.split(".")[0] ?? name };
}

/** null: there is a token that is not known here. */
function expandTokens(text: string, tokens: Tokens): string | null {
  let isKnown = true;
  const expanded = text.replaceAll(/%(.)/g, (_, token: string) => {
    if (token === "%") return "%";
    const value = tokens[token];
    if (value === undefined) isKnown = false;
    return value ?? "";
  });
  return isKnown ? expanded : null;
}

function expandPath(path: string, tokens: Tokens, environment: NodeJS.ProcessEnv): string {
  const home = tokens["d"] ?? homedir();
  const bare = path.replace(/^"(.*)"$/, "$1");
  const below = bare === "~" || bare.startsWith("~/") ? home + bare.slice(1) : bare;
  const known = below.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => environment[name] ?? "");
  return expandTokens(known, tokens) ?? known;
}

function agentOf(value: string | null, tokens: Tokens, environment: NodeJS.ProcessEnv): string | null {
  if (value === "none") return null;
  if (value === null || value === "SSH_AUTH_SOCK") {
    const socket = environment["SSH_AUTH_SOCK"] ?? "";
    if (socket !== "") return socket;
    return process.platform === "win32" ? String.raw`\\.\pipe\openssh-ssh-agent` : null;
  }
  if (value.startsWith("$") && !value.startsWith("${")) return environment[value.slice(1)] || null;
  return expandPath(value, tokens, environment);
}
