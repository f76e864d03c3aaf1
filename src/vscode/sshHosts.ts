/** The hosts that `~/.ssh/config` names, to be picked from; how one is reached is asked of ssh itself. */
import { glob, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { HandCandidate, HandDiscovery } from "./handDiscovery.ts";

const INCLUDES_MAX = 16;
const FILES_MAX = 200;

export interface SshHost {
  readonly alias: string;
  /** Of its block, where it is given there. */
  readonly hostName: string | null;
  readonly user: string | null;
}

export function sshDiscovery(home: string = homedir()): HandDiscovery {
  return {
    title: "Hosts over SSH",
    discover: async (signal) => {
      const hosts = await readSshHosts(join(home, ".ssh", "config"), home, signal);
      return hosts.map(candidateOf);
    },
  };
}

/** In their order, each once, without patterns; Include is followed. What cannot be read names none. */
export async function readSshHosts(file: string, home: string, signal?: AbortSignal): Promise<readonly SshHost[]> {
  const hosts = new Map<string, SshHost>();
  const seen = { files: 0 };
  const read = async (path: string, depth: number): Promise<void> => {
    if (depth > INCLUDES_MAX || seen.files >= FILES_MAX || signal?.aborted === true) return;
    seen.files += 1;
    const text = await readFile(path, "utf8").catch(() => "");
    for (const part of parseSshConfig(text)) {
      if (part.kind === "host") {
        if (!hosts.has(part.host.alias)) hosts.set(part.host.alias, part.host);
      } else for (const included of await expanded(part.pattern, home)) await read(included, depth + 1);
    }
  };
  await read(file, 0);
  return [...hosts.values()];
}

type Part = { readonly kind: "host"; readonly host: SshHost } | { readonly kind: "include"; readonly pattern: string };

function parseSshConfig(text: string): readonly Part[] {
  const parts: Part[] = [];
  /** Of the block that is being read. */
  let hosts: { alias: string; hostName: string | null; user: string | null }[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [, keyword = "", rest = ""] = /^\s*([A-Za-z]+)(?:\s*=\s*|\s+)(.*)$/.exec(line) ?? [];
    const words = wordsOf(rest);
    const [first = null] = words;
    switch (keyword.toLowerCase()) {
      case "host":
        hosts = words.filter((word) => !/[*?!]/.test(word)).map((alias) => ({ alias, hostName: null, user: null }));
        for (const host of hosts) parts.push({ kind: "host", host });
        break;
      case "match":
        hosts = [];
        break;
      case "hostname":
        for (const host of hosts) host.hostName ??= first;
        break;
      case "user":
        for (const host of hosts) host.user ??= first;
        break;
      case "include":
        for (const pattern of words) parts.push({ kind: "include", pattern });
        break;
      default:
    }
  }
  return parts;
}

/** Separated by blanks, quoted where they hold one; a comment ends the line. */
function wordsOf(text: string): readonly string[] {
  const words: string[] = [];
  for (const [, quoted, plain] of text.matchAll(/"([^"]*)"|(\S+)/g)) {
    if (plain?.startsWith("#") === true) break;
    words.push(quoted ?? plain ?? "");
  }
  return words.filter((word) => word !== "");
}

async function expanded(pattern: string, home: string): Promise<readonly string[]> {
  const path = pattern.startsWith("~/") ? join(home, pattern.slice(2)) : pattern;
  const whole = isAbsolute(path) ? path : join(home, ".ssh", path);
  try {
    const files: string[] = [];
    for await (const file of glob(whole)) files.push(file);
    return files.toSorted();
  } catch {
    return [];
  }
}

function candidateOf({ alias, hostName, user }: SshHost): HandCandidate {
  const address = `${user === null ? "" : `${user}@`}${hostName ?? ""}`;
  return {
    label: alias,
    description: address === alias ? "" : address,
    icon: "remote",
    name: alias,
    spec: { kind: "ssh", options: { host: alias } },
  };
}
