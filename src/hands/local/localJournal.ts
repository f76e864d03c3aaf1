/** The journal of a hand on this computer, read and written as the files that they are. */
import { copyFile, open, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { absolute } from "../shell/journalFiles.ts";
import type { FileFacts, JournalFiles, Take } from "../shell/journalFiles.ts";

const READ_BYTES = 256 * 1024;

export function localJournal(journal: string, startDirectory: string): JournalFiles {
  const fileOf = (name: string): string => join(journal, name);
  return {
    drain: async (id, offset, take) => {
      const status = await readStatus(fileOf(`${id}.s`));
      return { bytes: await drain(fileOf(`${id}.o`), offset, take), status };
    },
    inspect: (path) => inspect(absolute(path, startDirectory)),
    snapshot: async (id, path) => {
      await rm(fileOf(`${id}.p`), { force: true });
      await copyFile(path, fileOf(`${id}.p`));
      return readFile(fileOf(`${id}.p`));
    },
    stage: (id, content) => writeFile(fileOf(`${id}.n`), content, { mode: 0o600 }),
    took: async (id) => {
      const [began, ended] = await Promise.all([stat(fileOf(`${id}.c`)), stat(fileOf(`${id}.s`))]);
      return Math.max(0, Math.round(ended.mtimeMs - began.mtimeMs));
    },
  };
}

async function inspect(given: string): Promise<FileFacts> {
  const path = await realpath(given).catch(() => given);
  const info = await stat(path).catch(() => null);
  if (info === null) return { path, kind: "none", bytes: 0 };
  return { path, kind: info.isFile() ? "file" : info.isDirectory() ? "directory" : "other", bytes: info.size };
}

async function readStatus(path: string): Promise<number | null> {
  const text = await readFile(path, "utf8").catch(() => "");
  // Without its end mark the line is still being written.
  const found = /^(\d+) \.\n/.exec(text);
  return found === null ? null : Number(found[1]);
}

/** Passes on what a file has from `offset` on, and says how much that was. */
async function drain(path: string, offset: number, take: Take): Promise<number> {
  const file = await open(path, "r").catch(() => null);
  if (file === null) return 0;
  let bytes = 0;
  try {
    for (;;) {
      const buffer = Buffer.allocUnsafe(READ_BYTES);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset + bytes);
      if (bytesRead === 0) return bytes;
      bytes += bytesRead;
      await take(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
