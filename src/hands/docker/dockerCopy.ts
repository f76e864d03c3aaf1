/** Copies a file or folder of this computer into a container, and makes folders there, with the owner that works in it. */
import { createReadStream } from "node:fs";
import { lstat, opendir, readlink, stat } from "node:fs/promises";
import { join, posix } from "node:path";
import { pipeline } from "node:stream/promises";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import type { Header, Pack } from "tar-stream";
import { ManyHandsError } from "../../core/errors.ts";
import { messageOf } from "../../core/json.ts";
import type { DockerMount } from "./dockerSpec.ts";
import { step, wordsOf } from "./engine.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A folder that is not there yet. What is there stays as it is. */
export async function makeFolder(
  container: Docker.Container,
  path: string,
  owner: Owner,
  signal: AbortSignal,
): Promise<void> {
  const archive = pack();
  archive.entry({ name: `${path.replace(/^\/+/, "")}/`, type: "directory", mode: 0o755, ...owner });
  archive.finalize();
  await step(`making the folder ${path}`, signal, (abortSignal) =>
    container.putArchive(archive as unknown as NodeJS.ReadableStream, { path: "/", abortSignal }),
  );
}

/** Rejects with `hand_unavailable`. Sockets and devices are left out. */
export async function copyInto(
  container: Docker.Container,
  { source, target }: DockerMount,
  owner: Owner,
  signal: AbortSignal,
): Promise<void> {
  const archive = pack();
  const abort = (): void => archive.destroy(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  try {
    // What the name leads to is copied; links inside of it stay links.
    const isFolder = (await stat(source)).isDirectory();
    const sent = container.putArchive(archive as unknown as NodeJS.ReadableStream, { path: "/" });
    const name = target.replace(/^\/+/, "");
    const packed = (isFolder ? packFolder(archive, source, name, owner) : packFile(archive, source, name, owner)).then(
      () => archive.finalize(),
      (thrown: unknown) => {
        // The engine's request ends with it.
        archive.destroy(thrown as Error);
        throw thrown;
      },
    );
    await Promise.all([packed, sent]);
  } catch (thrown) {
    signal.throwIfAborted();
    const isMissing = (thrown as NodeJS.ErrnoException).code === "ENOENT";
    const why = isMissing
      ? `there is no ${messageOf(thrown).split("'")[1] ?? source} on this computer`
      : wordsOf(thrown);
    const message = `${source} could not be copied to ${target} in the container: ${why}.`;
    throw new ManyHandsError("hand_unavailable", "hand", message, thrown);
  } finally {
    archive.destroy();
    signal.removeEventListener("abort", abort);
  }
}

async function packFolder(archive: Pack, folder: string, name: string, owner: Owner): Promise<void> {
  const { mode, mtime } = await stat(folder);
  archive.entry({ name: `${name}/`, type: "directory", mode: mode & 0o7777, mtime, ...owner });
  for await (const { name: child } of await opendir(folder)) {
    const [from, to] = [join(folder, child), posix.join(name, child)];
    const facts = await lstat(from);
    if (facts.isDirectory()) await packFolder(archive, from, to, owner);
    else if (facts.isFile()) await packFile(archive, from, to, owner);
    else if (facts.isSymbolicLink()) {
      const linkname = await readlink(from);
      archive.entry({ name: to, type: "symlink", linkname, mtime: facts.mtime, ...owner });
    }
  }
}

async function packFile(archive: Pack, file: string, name: string, owner: Owner): Promise<void> {
  const { mode, mtime, size } = await stat(file);
  const header: Partial<Header> & Pick<Header, "name"> = {
    name,
    type: "file",
    mode: mode & 0o7777,
    mtime,
    size,
    ...owner,
  };
  if (size === 0) return void archive.entry(header);
  // As many bytes as were announced: it may grow meanwhile. One that shrinks is an error.
  await pipeline(createReadStream(file, { end: size - 1 }), archive.entry(header));
}
