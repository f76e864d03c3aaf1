/** The known_hosts format: which lines speak of a host, and what they say of a key. Pure; files are read elsewhere. */
import { createHash, createHmac, randomBytes } from "node:crypto";

/** A key as a host shows it: the blob of the protocol, whose first string is its type. */
export interface HostKey {
  readonly type: string;
  readonly blob: Buffer;
}

/** A line that speaks of the host that was looked up. */
export interface KnownLine {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly marker: "" | "revoked" | "cert-authority";
  readonly type: string;
  readonly blob: Buffer;
}

export type Verdict =
  | { readonly kind: "known" }
  | { readonly kind: "unknown" }
  | { readonly kind: "changed"; readonly lines: readonly KnownLine[] }
  | { readonly kind: "revoked"; readonly line: KnownLine };

export interface KnownHostsFile {
  readonly path: string;
  readonly text: string;
}

/** The lines for a host, which is named as known_hosts does: `name`, `[name]:port`, or an alias; lower case. */
export function linesFor(host: string, files: readonly KnownHostsFile[]): readonly KnownLine[] {
  return files.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, at) => {
      const found = parseLine(line, host);
      return found === null ? [] : [{ ...found, file: path, line: at + 1 }];
    }),
  );
}

/** Of a plain key. One that is signed by an authority is none of those here. */
export function verdictOf(key: HostKey, lines: readonly KnownLine[]): Verdict {
  const same = lines.filter(({ blob }) => blob.equals(key.blob));
  const revoked = same.find(({ marker }) => marker === "revoked");
  if (revoked !== undefined) return { kind: "revoked", line: revoked };
  if (same.some(({ marker }) => marker === "")) return { kind: "known" };
  const others = lines.filter(({ marker }) => marker === "");
  // A key of another type than those that are known is a change too: those were offered first.
  return others.length === 0 ? { kind: "unknown" } : { kind: "changed", lines: others };
}

export function hostKeyOf(blob: Buffer): HostKey {
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0;
  return { type: blob.subarray(4, 4 + length).toString("latin1"), blob };
}

/** As OpenSSH prints it. */
export function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replaceAll("=", "")}`;
}

/** A new line, with its newline. */
export function lineFor(host: string, key: HostKey, isHashed: boolean): string {
  const salt = randomBytes(20);
  const name = isHashed ? `|1|${salt.toString("base64")}|${hashOf(salt, host)}` : host;
  return `${name} ${key.type} ${key.blob.toString("base64")}\n`;
}

/**
 * The algorithms of `wanted` by which a host shows a key of these types first: so that a host with several keys shows one
 * that is known.
 */
export function preferKnown(wanted: readonly string[], lines: readonly KnownLine[]): readonly string[] {
  const types = new Set(lines.filter(({ marker }) => marker === "").map(({ type }) => type));
  const isKnown = (algorithm: string): boolean => types.has(algorithm.startsWith("rsa-sha2-") ? "ssh-rsa" : algorithm);
  return [...wanted.filter(isKnown), ...wanted.filter((algorithm) => !isKnown(algorithm))];
}

function parseLine(text: string, host: string): Omit<KnownLine, "file" | "line"> | null {
  const words = text.trim().split(/[ \t]+/);
  if (words[0] === undefined || words[0] === "" || words[0].startsWith("#")) return null;
  const marker = words[0].startsWith("@") ? words.shift() : "";
  if (marker !== "" && marker !== "@revoked" && marker !== "@cert-authority") return null;
  const [names = "", type = "", base64 = ""] = words;
  if (base64 === "" || !matches(names, host)) return null;
  const blob = Buffer.from(base64, "base64");
  // A line that is cut short, or whose type is not that of its key, says nothing.
  if (hostKeyOf(blob).type !== type) return null;
  return { marker: marker === "@revoked" ? "revoked" : marker === "" ? "" : "cert-authority", type, blob };
}

function matches(names: string, host: string): boolean {
  if (names.startsWith("|")) {
    const [, kind, salt = "", hash] = names.split("|");
    return kind === "1" && hash === hashOf(Buffer.from(salt, "base64"), host);
  }
  let isMatch = false;
  for (const name of names.toLowerCase().split(",")) {
    const isNegated = name.startsWith("!");
    if (!pattern(isNegated ? name.slice(1) : name).test(host)) continue;
    if (isNegated) return false;
    isMatch = true;
  }
  return isMatch;
}

/** `*` and `?` are wild, all else is itself, brackets too. */
function pattern(name: string): RegExp {
  const escaped = name.replaceAll(/[\\^$.|+()[\]{}]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`, "s");
}

function hashOf(salt: Buffer, host: string): string {
  return createHmac("sha1", salt).update(host).digest("base64");
}
