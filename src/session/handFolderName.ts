/** A hand's name as the name of a folder: names are the person's, folders must be sound on every file system. */
import { createHash } from "node:crypto";

const CHARS_MAX = 80;
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)$/;

/** Different for different names, also where the file system takes upper and lower case for the same. */
export function handFolderName(name: string): string {
  const safe = name.replaceAll(/[^a-z0-9_-]/gu, code);
  if (safe.length > CHARS_MAX) {
    return `${safe.slice(0, CHARS_MAX / 2)}=${createHash("sha256").update(name).digest("hex").slice(0, 32)}`;
  }
  if (safe === "") return "=empty";
  return DEVICE.test(safe) ? code(safe.slice(0, 1)) + safe.slice(1) : safe;
}

function code(char: string): string {
  return `=${(char.codePointAt(0) ?? 0).toString(16)}=`;
}
