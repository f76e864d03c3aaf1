/** Private key files: what kind of key one holds, without its passphrase and without using it. */
import { access, readFile, stat } from "node:fs/promises";
import { hostKeyOf } from "./knownHosts.ts";

export interface KeyFile {
  readonly path: string;
  readonly content: Buffer;
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
  try {
    const info = await stat(path);
    if (!info.isFile() || info.size > KEY_BYTES_MAX) return null;
    const content = await readFile(path);
    const publicBlob = publicOf(content) ?? (await publicBeside(path));
    const isCertified = await access(`${path}-cert.pub`).then(
      () => true,
      () => false,
    );
    return { path, content, type: publicBlob === null ? "" : hostKeyOf(publicBlob).type, publicBlob, isCertified };
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

async function publicBeside(path: string): Promise<Buffer | null> {
  const [, base64 = ""] = (await readFile(`${path}.pub`, "utf8").catch(() => "")).split(/\s+/);
  const blob = Buffer.from(base64, "base64");
  return blob.length > 4 ? blob : null;
}
