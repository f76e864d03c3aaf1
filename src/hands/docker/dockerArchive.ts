/** A file into a running container, or out of it, by the engine's archives: fewer hands touch its bytes than those of an exec. */
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { messageOf } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import { BulkFailed } from "./bulkChannel.ts";
import type { Owner } from "./dockerCopy.ts";
import { step } from "./engine.ts";
import { TarFile } from "./tarFile.ts";

/** The content is not as long as was said. */
export class OtherLength extends Error {}

export interface ArchivedFile {
  /** Absolute. What is there is replaced. */
  readonly path: string;
  /** As many as `content` gives. */
  readonly bytes: number;
  readonly owner: Owner;
  readonly content: AsyncIterable<Uint8Array>;
}

/**
 * Rejects with OtherLength, with BulkFailed where nothing moves any more, with what `content` throws, and as the engine does.
 * `pause`: Podman would hold the container while it copies.
 */
export async function sendArchive(
  container: Docker.Container,
  { path, bytes, owner, content }: ArchivedFile,
  signal: AbortSignal,
): Promise<void> {
  const cut = path.lastIndexOf("/");
  const archive = pack();
  const over = new AbortController();
  const abort = (reason: unknown): void => {
    over.abort(reason);
    archive.destroy(reason as Error);
  };
  const outer = (): void => abort(signal.reason);
  signal.addEventListener("abort", outer, { once: true });
  const stall = setTimeout(() => abort(new BulkFailed("nothing moved any more")), limits.handBulkStallMs);
  async function* counted(): AsyncGenerator<Uint8Array> {
    let sent = 0;
    for await (const chunk of content) {
      sent += chunk.length;
      if (sent > bytes) break;
      stall.refresh();
      yield chunk;
    }
    stall.refresh();
    if (sent !== bytes) throw new OtherLength(`${sent} bytes instead of ${bytes}`);
  }
  try {
    signal.throwIfAborted();
    const options = { path: path.slice(0, cut) || "/", pause: "false", abortSignal: over.signal };
    const sent = container.putArchive(archive as unknown as NodeJS.ReadableStream, options);
    const entry = archive.entry({ name: path.slice(cut + 1), type: "file", mode: 0o600, size: bytes, ...owner });
    const packed = pipeline(counted, entry).then(
      () => archive.finalize(),
      (thrown: unknown) => {
        // The engine's request ends with it.
        abort(thrown);
        throw thrown;
      },
    );
    // What went wrong at its source is the reason; the engine only sees that no more comes.
    const [first, second] = await Promise.allSettled([packed, sent]);
    if (over.signal.aborted) throw over.signal.reason;
    for (const each of [second, first]) if (each.status === "rejected") throw each.reason;
  } finally {
    clearTimeout(stall);
    archive.destroy();
    signal.removeEventListener("abort", outer);
  }
}

/** Passes on a file's bytes. `path`: no link. Rejects with BulkFailed, with what `take` throws, and as the engine does. */
export async function receiveArchive(
  container: Docker.Container,
  path: string,
  take: (chunk: Uint8Array) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const got = await step(`reading ${path}`, signal, (abortSignal) => container.getArchive({ path, abortSignal }));
  const sent = got as Readable;
  let refused: unknown = null;
  const stall = setTimeout(() => abort(new BulkFailed("nothing moved any more")), limits.handBulkStallMs);
  const file = new TarFile(async (piece) => {
    stall.refresh();
    try {
      await take(piece);
    } catch (thrown) {
      refused = thrown;
      throw thrown;
    }
  });
  const abort = (reason: unknown): void => void sent.destroy(reason as Error);
  const outer = (): void => abort(signal.reason);
  signal.addEventListener("abort", outer, { once: true });
  try {
    await pipeline(sent, file);
    if (!file.isWhole) throw new BulkFailed("it is no whole file any more");
  } catch (thrown) {
    signal.throwIfAborted();
    throw thrown === refused ? thrown : new BulkFailed(messageOf(thrown));
  } finally {
    clearTimeout(stall);
    sent.destroy();
    signal.removeEventListener("abort", outer);
  }
}
