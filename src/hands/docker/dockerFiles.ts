/** The files of a container for people: over the shell, but large ones through the engine's archives. */
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { join, posix } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { extract, pack } from "tar-stream";
import type { Header } from "tar-stream";
import { ManyHandsError } from "../../core/errors.ts";
import type { HandFiles } from "../../core/hand.ts";
import { limits } from "../../core/limits.ts";
import type { Link } from "../shell/link.ts";
import { fileError, filesOverShell } from "../shell/shellFiles.ts";
import { engineError, statusOf, step, wordsOf } from "./engine.ts";
import type { Engine } from "./engine.ts";

export interface DockerFilesPorts {
  readonly link: Link;
  readonly engine: Engine;
  readonly id: string;
  /** Where a file is kept until its size is known, which an archive begins with. It need not exist. */
  readonly storagePath: string;
}

type Take = (chunk: Uint8Array) => Promise<void>;

export function dockerFiles(ports: DockerFilesPorts): HandFiles {
  const { link, engine, id } = ports;
  const shell = filesOverShell(link);
  const container = engine.docker.getContainer(id);
  return {
    ...shell,
    read: async (path, take, offset = 0) => {
      const { bytes, kind } = await shell.stat(path);
      const isBulk = kind === "file" && offset === 0 && bytes >= limits.handBulkBytes;
      if (isBulk && (await readArchive(ports, container, path, take))) return;
      await shell.read(path, take, offset);
    },
    write: (path, content) => write(ports, container, shell, path, content),
  };
}

/**
 * False, and nothing was taken, where the engine does not see the file that the shell sees: on a tmpfs, for example.
 * The engine may read everything, so the shell is asked whether its user may.
 */
async function readArchive(
  { link, engine }: DockerFilesPorts,
  container: Docker.Container,
  path: string,
  take: Take,
): Promise<boolean> {
  if ((await link.request("may", path)).text !== "ok") return false;
  const target = (await link.request("link", path)).data.toString("utf8").replace(/\n$/, "");
  const facts = (await link.request("stat", target)).text.split(" ");
  let taken = 0;
  try {
    return await withArchive(container, target, link.signal, async (header, body, moved) => {
      const isSame = header.type === "file" && header.size === Number(facts[1]);
      if (!isSame || Math.floor((header.mtime?.getTime() ?? 0) / 1_000) !== Number(facts[2])) return false;
      for await (const chunk of body) {
        taken += (chunk as Buffer).length;
        await take(chunk as Buffer);
        moved();
      }
      return true;
    });
  } catch (thrown) {
    link.signal.throwIfAborted();
    if (taken === 0 && statusOf(thrown) !== null) return false;
    throw engineError(engine, `${path} could not be read to its end`, thrown);
  }
}

/** The first entry of the archive of a path. */
async function withArchive<T>(
  container: Docker.Container,
  path: string,
  signal: AbortSignal,
  use: (header: Partial<Header> & Pick<Header, "name">, body: AsyncIterable<unknown>, moved: () => void) => Promise<T>,
): Promise<T> {
  const stream = await step("an archive from the container", signal, (abortSignal) =>
    container.getArchive({ path, abortSignal }),
  );
  const archive = stream as Readable;
  const entries = extract();
  const watch = stallWatch(signal, (reason) => archive.destroy(reason));
  archive.on("error", (thrown) => entries.destroy(thrown));
  // An answer that was cut off closes without an error, and without its end.
  archive.on("close", () => archive.readableEnded || entries.destroy(new Error("the engine's answer was cut off")));
  archive.pipe(entries);
  try {
    for await (const entry of entries) return await use(entry.header, entry, watch.moved);
    throw new Error("the engine's archive is empty");
  } finally {
    watch.over();
    archive.destroy();
  }
}

async function write(
  ports: DockerFilesPorts,
  container: Docker.Container,
  shell: HandFiles,
  path: string,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const source = content[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < limits.handBulkBytes) {
    const next = await source.next();
    if (next.done === true) return shell.write(path, only(first));
    first.push(Uint8Array.from(next.value));
    bytes += next.value.length;
  }
  await mkdir(ports.storagePath, { recursive: true, mode: 0o700 });
  const spool = join(ports.storagePath, `upload-${randomBytes(6).toString("hex")}`);
  try {
    const size = await keep(spool, first, source);
    if (!(await writeArchive(ports, container, path, spool, size))) await shell.write(path, createReadStream(spool));
  } finally {
    await rm(spool, { force: true });
  }
}

async function* only(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function keep(spool: string, first: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): Promise<number> {
  const file = await open(spool, "wx", 0o600);
  try {
    let size = 0;
    for (const chunk of first) size += (await file.write(chunk)).bytesWritten;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
      await file.writeFile(next.value);
      size += next.value.length;
    }
    return size;
  } finally {
    await file.close();
  }
}

/**
 * Beside the file first, which the shell makes and puts into place, so that rights, owner and mode are those of its user.
 * False, and nothing was changed, where the engine does not see what the shell sees.
 */
async function writeArchive(
  { link, engine }: DockerFilesPorts,
  container: Docker.Container,
  path: string,
  spool: string,
  size: number,
): Promise<boolean> {
  const beside = posix.join(posix.dirname(path), `.many-hands-${randomBytes(6).toString("hex")}`);
  const ask = async (name: string, ...words: readonly string[]): Promise<void> => {
    const { text } = await link.request(name, ...words);
    if (text !== "ok") throw fileError(path, text.replace(/^fail ?/, ""));
  };
  let isPlaced = false;
  try {
    await ask("new", beside);
    const { uid, gid, mode } = await withArchive(container, beside, link.signal, async (header) => header);
    await putFile(container, link.signal, spool, posix.dirname(beside), {
      name: posix.basename(beside),
      size,
      mtime: new Date(),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      ...(mode === undefined ? {} : { mode }),
    });
    if (!(await link.request("peek", beside)).text.startsWith(`file ${size} `)) return false;
    await ask("place", beside, path);
    isPlaced = true;
    return true;
  } catch (thrown) {
    link.signal.throwIfAborted();
    if (thrown instanceof ManyHandsError) throw thrown;
    if (/no space left|quota/i.test(wordsOf(thrown))) throw fileError(path, "No space left on device");
    if (statusOf(thrown) !== null) return false;
    throw engineError(engine, `${path} could not be written`, thrown);
  } finally {
    if (!isPlaced) await link.request("del", beside).catch(() => {});
  }
}

async function putFile(
  container: Docker.Container,
  signal: AbortSignal,
  spool: string,
  folder: string,
  header: Partial<Header> & Pick<Header, "name">,
): Promise<void> {
  const archive = pack();
  const content = createReadStream(spool, { highWaterMark: limits.handPieceBytes });
  const watch = stallWatch(signal, (reason) => archive.destroy(reason));
  content.on("data", watch.moved);
  try {
    const sent = container.putArchive(archive as unknown as NodeJS.ReadableStream, { path: folder });
    const packed = pipeline(content, archive.entry(header)).then(() => archive.finalize());
    await Promise.all([sent, packed]);
  } finally {
    watch.over();
    content.destroy();
  }
}

/** Ends a transfer in which nothing moves any more, or that nobody waits for. */
function stallWatch(
  signal: AbortSignal,
  end: (reason: Error) => void,
): { readonly moved: () => void; readonly over: () => void } {
  const seconds = limits.handBulkStallMs / 1_000;
  const stall = (): void => end(new Error(`nothing moved for ${seconds} s`));
  const timer = setTimeout(stall, limits.handBulkStallMs);
  const abort = (): void => end(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  return {
    moved: () => void timer.refresh(),
    over: () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    },
  };
}
