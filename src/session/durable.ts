/** Writing so that it is there after a crash: whole files in one step, and the log's own writes. */
import { randomBytes } from "node:crypto";
import { fdatasync, fdatasyncSync, writeSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** The name of a temporary file beside `path`, on the same file system. */
export function temporaryBeside(path: string): string {
  return `${path}.${randomBytes(6).toString("hex")}.tmp`;
}

/** Makes a rename or a new file in `folder` last. Some file systems cannot: then their own order has to do. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // Windows and some network file systems do not sync folders.
  }
}

/** Replaces `path` with `bytes` in one step. With `durable`, it is on disk when this resolves. */
export async function replaceFile(path: string, bytes: Uint8Array | string, durable: boolean): Promise<void> {
  const temporary = temporaryBeside(path);
  try {
    const handle = await open(temporary, "wx", 0o600);
    try {
      await handle.writeFile(bytes);
      if (durable) await handle.datasync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    if (durable) await syncFolder(dirname(path));
  } catch (thrown) {
    await rm(temporary, { force: true }).catch(() => {});
    throw thrown;
  }
}

/** While flushes take less than this on average, they are done in place: the way through the thread pool takes as long. */
const IN_PLACE_MS_MAX = 0.75;
/** How much one flush counts in the average, and the most that it counts for, in milliseconds. */
const WEIGHT = 1 / 16;
const SAMPLE_MS_MAX = 50;

/** Hands bytes to the system, in one call where it takes them in one. After a failure any part of them may be there. */
export function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let from = 0; from < bytes.length;) from += writeSync(fd, bytes, from);
}

/** Time in flushes after which the event loop gets its turn, in milliseconds. */
const TURN_MS_MAX = 5;

/**
 * Flushes one file. On a quick disk without leaving the event loop, which halves the time of an append; as soon as the
 * disk takes longer, in the thread pool, so that the extension host does not stand still. Now and then in any case: who
 * appends one event after the other would else keep everybody else waiting.
 */
export class Flusher {
  #averageMs = 2 * IN_PLACE_MS_MAX;
  /** Spent in flushes since the event loop had its last turn. */
  #turnMs = 0;

  /** What was written before is durable when it returns nothing, or when the promise resolves. */
  flush(fd: number): void | Promise<void> {
    const start = performance.now();
    if (this.#averageMs > IN_PLACE_MS_MAX || this.#turnMs > TURN_MS_MAX) return this.#flushElsewhere(fd, start);
    fdatasyncSync(fd);
    const ms = this.#learn(start);
    if (this.#turnMs === 0) setImmediate(() => (this.#turnMs = 0));
    this.#turnMs += ms;
  }

  async #flushElsewhere(fd: number, start: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
    });
    this.#learn(start);
  }

  #learn(start: number): number {
    const ms = performance.now() - start;
    this.#averageMs += (Math.min(ms, SAMPLE_MS_MAX) - this.#averageMs) * WEIGHT;
    return ms;
  }
}
