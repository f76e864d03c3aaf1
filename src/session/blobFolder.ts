/** Bytes kept beside a log under their SHA-256: written once, checked when read. */
import { createHash } from "node:crypto";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { ManyHandsError } from "../core/errors.ts";
import type { BlobRef } from "../core/events.ts";
import type { BlobWriter } from "../core/sessionLog.ts";
import { syncFolder, temporaryBeside } from "./durable.ts";
import { isMissing, storageError } from "./storageErrors.ts";

const HASH = /^[0-9a-f]{64}$/;
const READ_BYTES = 256 * 1024;

export class BlobFolder {
  readonly #folder: string;
  /** Blobs whose whole content was found to match in this life of the program. */
  readonly #verified = new Set<string>();

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
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const path = temporaryBeside(join(this.#folder, "new"));
      return this.#writer(path, await open(path, "wx", 0o600));
    } catch (thrown) {
      throw storageError(thrown, this.#folder);
    }
  }

  /** A part, or the whole. The whole blob is checked once before any part of it is given out. */
  async read(ref: BlobRef, range?: { readonly offset: number; readonly bytes: number }): Promise<Uint8Array> {
    const path = this.#path(ref);
    let handle: FileHandle;
    try {
      handle = await open(path, "r");
    } catch (thrown) {
      if (!isMissing(thrown)) throw storageError(thrown, this.#folder);
      throw new ManyHandsError("blob_missing", "session", `The file ${path} of this session is gone.`, thrown);
    }
    try {
      if (!this.#verified.has(ref.sha256)) await this.#verify(handle, ref, path);
      const offset = Math.min(range?.offset ?? 0, ref.bytes);
      const wanted = Buffer.alloc(Math.min(range?.bytes ?? ref.bytes, ref.bytes - offset));
      const { bytesRead } = await handle.read(wanted, 0, wanted.length, offset);
      return wanted.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  async #verify(handle: FileHandle, ref: BlobRef, path: string): Promise<void> {
    const hash = createHash("sha256");
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (let at = 0; ;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    if (hash.digest("hex") !== ref.sha256) {
      throw new ManyHandsError("blob_damaged", "session", `The file ${path} of this session is damaged; it is kept.`);
    }
    this.#verified.add(ref.sha256);
  }

  #path(ref: BlobRef): string {
    if (!HASH.test(ref.sha256)) throw new ManyHandsError("blob_missing", "session", "That is no reference to a blob.");
    return join(this.#folder, ref.sha256);
  }

  #writer(path: string, handle: FileHandle): BlobWriter {
    const hash = createHash("sha256");
    let bytes = 0;
    let open_ = true;
    const close = async (): Promise<void> => {
      if (open_) {
        open_ = false;
        await handle.close();
      }
    };
    return {
      write: async (chunk) => {
        hash.update(chunk);
        bytes += chunk.byteLength;
        try {
          await handle.writeFile(chunk);
        } catch (thrown) {
          throw storageError(thrown, this.#folder);
        }
      },
      finish: async () => {
        const ref: BlobRef = { sha256: hash.digest("hex"), bytes };
        try {
          await handle.datasync();
          await close();
          await this.#keep(path, ref);
          return ref;
        } catch (thrown) {
          await close();
          await rm(path, { force: true });
          throw storageError(thrown, this.#folder);
        }
      },
      discard: async () => {
        await close();
        await rm(path, { force: true });
      },
    };
  }

  async #keep(temporary: string, ref: BlobRef): Promise<void> {
    const path = this.#path(ref);
    const existing = await stat(path).catch(() => null);
    // The same bytes are there already, unless they were damaged since: writing them anew mends that.
    if (existing?.size === ref.bytes && this.#verified.has(ref.sha256)) {
      await rm(temporary, { force: true });
      return;
    }
    await rename(temporary, path);
    await syncFolder(this.#folder);
    this.#verified.add(ref.sha256);
  }
}
