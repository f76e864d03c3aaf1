/** Decides whether a host is the one that it says it is: by known_hosts, and by asking about an unknown one once. */
import { appendFile, mkdir, readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { ManyHandsError } from "../../core/errors.ts";
import { messageOf } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import { FarEndGone } from "../shell/shellStream.ts";
import type { SshAsk } from "./ask.ts";
import { fingerprintOf, hostKeyOf, lineFor, linesFor, preferKnown, verdictOf } from "./knownHosts.ts";
import type { HostKey, KnownHostsFile, KnownLine, Verdict } from "./knownHosts.ts";
import type { SshSettings } from "./sshConfig.ts";

/** What ssh2 verifies host keys by, best first. */
const ALGORITHMS: readonly string[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
];

/** What the files say of a host. `byName`: of its name without the port, as they do not know it with its port. */
export interface Known {
  readonly lines: readonly KnownLine[];
  readonly byName: boolean;
}

export class HostTrust {
  readonly #ask: SshAsk;
  readonly #report: (what: string, thrown?: unknown) => void;
  /** Keys that a person took for a host, for as long as the program runs: there may be no file to keep them. */
  readonly #taken = new Set<string>();
  /** One question about one key, however many connections wait for its answer. */
  readonly #asking = new Map<string, Promise<boolean>>();

  constructor(ask: SshAsk, report: (what: string, thrown?: unknown) => void) {
    this.#ask = ask;
    this.#report = report;
  }

  /** Rejects with `hand_unavailable` where a file cannot be read: it may hold what speaks against the host. */
  async known(settings: SshSettings): Promise<Known> {
    const files = await readAll([...settings.userKnownHosts, ...settings.globalKnownHosts]);
    const lines = linesFor(settings.knownAs, files);
    const byName = lines.length === 0 && settings.knownAs.startsWith("[");
    return byName ? { lines: linesFor(settings.hostname.toLowerCase(), files), byName } : { lines, byName };
  }

  /** In the order in which they are to be offered. */
  algorithms(settings: SshSettings, { lines }: Known): readonly string[] {
    const configured = settings.hostKeyAlgorithms.filter((name) => ALGORITHMS.includes(name));
    return preferKnown(configured.length > 0 ? configured : ALGORITHMS, lines);
  }

  /** Resolves when the key is the host's. Rejects with FarEndGone: trying again would not change the answer. */
  async verify(settings: SshSettings, { lines, byName }: Known, blob: Buffer): Promise<void> {
    const key = hostKeyOf(blob);
    const verdict = verdictOf(key, lines);
    if (verdict.kind === "known") return;
    // What is known of the name alone, as OpenSSH sees it, can speak for a key at another port; it says nothing against one.
    const isUnknown = verdict.kind === "unknown" || (verdict.kind === "changed" && byName);
    if (!isUnknown) throw new FarEndGone(refusal(settings, key, verdict));
    const name = `${settings.knownAs} ${blob.toString("base64")}`;
    if (this.#taken.has(name)) return;
    const asking = this.#asking.get(name) ?? this.#decide(settings, key);
    this.#asking.set(name, asking);
    try {
      if (!(await asking)) throw new FarEndGone(refusal(settings, key, { kind: "unknown" }));
      this.#taken.add(name);
    } finally {
      this.#asking.delete(name);
    }
  }

  async #decide(settings: SshSettings, key: HostKey): Promise<boolean> {
    if (settings.unknownHost === "refuse") return false;
    const question = { host: settings.knownAs, keyType: key.type, fingerprint: fingerprintOf(key.blob) };
    if (settings.unknownHost === "ask" && !(await this.#ask.hostKey(question))) return false;
    await this.#remember(settings, key);
    return true;
  }

  async #remember(settings: SshSettings, key: HostKey): Promise<void> {
    const file = settings.userKnownHosts[0];
    if (file === undefined || file === "/dev/null") return;
    try {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      const text = await readFile(file).catch(() => Buffer.alloc(0));
      const begin = text.length > 0 && text.at(-1) !== 10 ? "\n" : "";
      await appendFile(file, begin + lineFor(settings.knownAs, key, settings.hashKnownHosts), { mode: 0o600 });
    } catch (thrown) {
      this.#report(`the host key of ${settings.knownAs} could not be written to ${file}`, thrown);
    }
  }
}

function refusal(settings: SshSettings, key: HostKey, verdict: Exclude<Verdict, { kind: "known" }>): string {
  const host = settings.knownAs;
  const shown = `${key.type} ${fingerprintOf(key.blob)}`;
  if (verdict.kind === "unknown") {
    const file = settings.userKnownHosts[0] ?? "known_hosts";
    const why = settings.unknownHost === "refuse" ? "StrictHostKeyChecking forbids to ask" : "it was not accepted";
    return `The host ${host} is not known: it showed the key ${shown}, which is in no known_hosts file, and ${why}. Compare the fingerprint with one from the host's owner; then connect again and accept it, or add it to ${file}.`;
  }
  if (verdict.kind === "revoked") {
    const { file, line } = verdict.line;
    return `The host ${host} showed the key ${shown}, which is revoked (${file}, line ${line}). It must not be trusted: the host needs another key, and its owner should know.`;
  }
  const places = verdict.lines.map(({ file, line, type }) => `${file}, line ${line} (${type})`).join("; ");
  const file = verdict.lines[0]?.file ?? "";
  return `The host key of ${host} has changed: it showed ${shown}, but another one is known (${places}). Somebody may be in between. If its owner says that it has a new key, remove the old one by: ssh-keygen -R '${host}' -f '${file}'; then connect again.`;
}

async function readAll(paths: readonly string[]): Promise<readonly KnownHostsFile[]> {
  return Promise.all(paths.map(async (path) => ({ path, text: await readKnown(path) })));
}

async function readKnown(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > limits.knownHostsBytesMax) throw new Error(`it has ${size} bytes, too many`);
    return await readFile(path, "utf8");
  } catch (thrown) {
    if (["ENOENT", "ENOTDIR"].includes((thrown as NodeJS.ErrnoException).code ?? "")) return "";
    const message = `${path} cannot be read, so no host can be verified: ${messageOf(thrown)}.`;
    throw new ManyHandsError("hand_unavailable", "hand", message, thrown);
  }
}
