/** Private key files: what kind of key one holds, without its passphrase and without using it. */
import { readFile, stat } from "node:fs/promises";
import { hostKeyOf } from "./knownHosts.ts";

export interface KeyFile {
  readonly path: string;
  /** null: only the public half is here; an agent may hold the other. */
  readonly content: Buffer | null;
  /** Of the protocol, such as ssh-ed25519; empty where the file does not say. */
  readonly type: string;
  /** The public half, as the protocol has it; null where it is not known without the passphrase. */
  readonly publicBlob: Buffer | null;
  /** There is a certificate beside it. */
  readonly isCertified: boolean;
}

const KEY_BYTES_MAX = 64 * 1024;
const MAGIC = "openssh-key-v1\0";

/** null: there is no key that can be read. */
export async function readKeyFile(path: string): Promise<KeyFile | null> {
  const found = await contentOf(path);
  const content = found?.includes("PRIVATE KEY") === true ? found : null;
  const beside = async (): Promise<Buffer | null> => publicIn(await contentOf(`${path}.pub`));
  // IdentityFile may name a public half, for a key that the agent holds.
  const own = content === null ? publicIn(found) : publicOf(content);
  const publicBlob = own ?? (await beside());
  if (content === null && publicBlob === null) return null;
  const isCertified = (await contentOf(`${path}-cert.pub`)) !== null;
  return { path, content, type: publicBlob === null ? "" : hostKeyOf(publicBlob).type, publicBlob, isCertified };
}

async function contentOf(path: string): Promise<Buffer | null> {
  try {
    const info = await stat(path);
    return info.isFile() && info.size <= KEY_BYTES_MAX ? await readFile(path) : null;
  } catch {
    return null;
  }
}

/** Hardware keys need a program that speaks with the hardware. */
export function isHardwareType(type: string): boolean {
  return type.startsWith("sk-");
}

/** OpenSSH's own format has the public half in front, in the clear. */
function publicOf(content: Buffer): Buffer | null {
  const found = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]+)-----END/.exec(content.toString("latin1"));
  if (found === null) return null;
  const bytes = Buffer.from(found[1] ?? "", "base64");
  if (!bytes.toString("latin1", 0, MAGIC.length).startsWith(MAGIC)) return null;
  let at = MAGIC.length;
  const next = (): Buffer => {
    const length = bytes.readUInt32BE(at);
    at += 4 + length;
    return bytes.subarray(at - length, at);
  };
  // Cipher, derivation and its options; then how many keys.
  for (let skipped = 0; skipped < 3; skipped += 1) next();
  at += 4;
  return Buffer.from(next());
}

/** A line as in authorized_keys: type, key, comment. */
function publicIn(content: Buffer | null): Buffer | null {
  const [, base64 = ""] = (content ?? Buffer.alloc(0)).toString("latin1").split(/\s+/);
  const blob = Buffer.from(base64, "base64");
  return blob.length > 4 ? blob : null;
}
