/** Bytes kept beside a log under their SHA-256: written once, checked when read. */
import { createHash } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ManyHandsError } from "../core/errors.ts";
import type { BlobRef } from "../core/events.ts";
import type { BlobWriter } from "../core/sessionLog.ts";
import { syncFolder, temporaryBeside } from "./durable.ts";
import { readFully } from "./readLines.ts";
import { blobMissing, isMissing, readError, storageError, systemCode } from "./storageErrors.ts";

const HASH = /^[0-9a-f]{64}$/;
const READ_BYTES = 256 * 1024;
/** Unfinished blobs that nobody wrote to for this long were left by a crash, in milliseconds. */
const ABANDONED_MS = 3_600_000;
/** Blobs of which it is remembered that they were checked. */
const VERIFIED_MAX = 10_000;

export class BlobFolder {
  readonly #folder: string;
  /** Blobs whose whole content was found to match, with the size and time of the file that was read. */
  readonly #verified = new Map<string, string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async put(bytes: Uint8Array): Promise<BlobRef> {
    const writer = await this.create();
    try {
      await writer.write(bytes);
      return await writer.finish();
    } catch (thrown) {
      await writer.discard();
      throw thrown;
    }
  }

  async create(): Promise<BlobWriter> {
    try {
      await this.#make();
      const path = temporaryBeside(join(this.#folder, "new"));
      return blobWriter(await open(path, "wx", 0o600), path, this.#folder);
    } catch (thrown) {
      throw storageError(thrown, this.#folder);
    }
  }

  /** A part, or the whole. The whole blob is checked before any part of it is given out. */
  async read(ref: BlobRef, range?: { readonly offset: number; readonly bytes: number }): Promise<Uint8Array> {
    if (!HASH.test(ref.sha256)) throw blobMissing(`The blob "${ref.sha256}"`);
    const path = join(this.#folder, ref.sha256);
    let file: FileHandle;
    try {
      file = await open(path, "r");
    } catch (thrown) {
      if (!isMissing(thrown)) throw readError(thrown, path);
      throw blobMissing(`The file ${path}`, thrown);
    }
    try {
      return range === undefined ? await readWhole(file, ref, path) : await this.#readPart(file, ref, path, range);
    } catch (thrown) {
      throw readError(thrown, path);
    } finally {
      await file.close();
    }
  }

  /** Removes what crashes left half written. Never rejects: it only costs room. */
  async removeAbandoned(): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names) {
      if (!name.endsWith(".tmp")) continue;
      const path = join(this.#folder, name);
      const found = await stat(path).catch(() => null);
      if (found !== null && Date.now() - found.mtimeMs > ABANDONED_MS) await rm(path, { force: true }).catch(() => {});
    }
  }

  async #make(): Promise<void> {
    try {
      await mkdir(this.#folder, { mode: 0o700 });
      await syncFolder(dirname(this.#folder));
    } catch (thrown) {
      if (systemCode(thrown) !== "EEXIST") throw thrown;
    }
  }

  async #readPart(
    file: FileHandle,
    ref: BlobRef,
    path: string,
    range: { readonly offset: number; readonly bytes: number },
  ): Promise<Uint8Array> {
    const { size, mtimeMs } = await file.stat();
    const mark = `${size} ${mtimeMs}`;
    if (this.#verified.get(ref.sha256) !== mark) {
      await verify(file, ref, path);
      if (this.#verified.size >= VERIFIED_MAX) this.#verified.clear();
      this.#verified.set(ref.sha256, mark);
    }
    const offset = Math.min(Math.max(0, range.offset), size);
    const part = new Uint8Array(Math.min(Math.max(0, range.bytes), size - offset));
    return part.subarray(0, await readFully(file, part, offset));
  }
}

async function readWhole(file: FileHandle, ref: BlobRef, path: string): Promise<Uint8Array> {
  const { size } = await file.stat();
  if (size !== ref.bytes) throw damaged(path);
  const bytes = new Uint8Array(size);
  const read = await readFully(file, bytes, 0);
  if (read !== size || createHash("sha256").update(bytes).digest("hex") !== ref.sha256) throw damaged(path);
  return bytes;
}

async function verify(file: FileHandle, ref: BlobRef, path: string): Promise<void> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(READ_BYTES);
  for (let at = 0; ;) {
    const read = await readFully(file, buffer, at);
    if (read === 0) break;
    hash.update(buffer.subarray(0, read));
    at += read;
  }
  if (hash.digest("hex") !== ref.sha256) throw damaged(path);
}

function damaged(path: string): ManyHandsError {
  return new ManyHandsError("blob_damaged", "session", `The file ${path} of this session is damaged; it is kept.`);
}

function blobWriter(file: FileHandle, path: string, folder: string): BlobWriter {
  const hash = createHash("sha256");
  let bytes = 0;
  let isOpen = true;
  /** Writes come one after the other, whether the caller waits for them or not. */
  let written: Promise<void> = Promise.resolve();
  const drop = async (): Promise<void> => {
    if (isOpen) {
      isOpen = false;
      await file.close().catch(() => {});
    }
    await rm(path, { force: true }).catch(() => {});
  };
  return {
    write: (chunk) => {
      const copy = Uint8Array.from(chunk);
      written = written.then(async () => {
        await file.writeFile(copy);
        hash.update(copy);
        bytes += copy.byteLength;
      });
      const mine = written;
      return mine.catch((thrown: unknown) => {
        throw storageError(thrown, folder);
      });
    },
    finish: async () => {
      try {
        await written;
        await file.datasync();
        isOpen = false;
        await file.close();
        const ref: BlobRef = { sha256: hash.digest("hex"), bytes };
        await keep(path, join(folder, ref.sha256), ref);
        await syncFolder(folder);
        return ref;
      } catch (thrown) {
        await drop();
        throw storageError(thrown, folder);
      }
    },
    discard: async () => {
      await written.catch(() => {});
      await drop();
    },
  };
}

/** The same bytes may be there already: putting these in their place also mends a blob that was damaged. */
async function keep(temporary: string, path: string, ref: BlobRef): Promise<void> {
  try {
    await rename(temporary, path);
  } catch (thrown) {
    // Windows does not replace a file that is being read.
    const existing = await stat(path).catch(() => null);
    if (existing?.size !== ref.bytes) throw thrown;
    await rm(temporary, { force: true });
  }
}
