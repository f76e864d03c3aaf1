/** The files of a container for people: over the shell, but large ones through the engine's archives. */
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { join, posix } from "node:path";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import type Docker from "dockerode";
import { extract, pack } from "tar-stream";
import type { Header } from "tar-stream";
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

/** What is known of an entry. */
type EntryHeader = Partial<Header> & Pick<Header, "name">;
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
      // The next piece is fetched while one is taken.
      let taking = Promise.resolve();
      for await (const piece of pieces(body)) {
        await taking;
        taken += piece.length;
        taking = take(piece);
        taking.catch(() => {});
        moved();
      }
      await taking;
      return true;
    });
  } catch (thrown) {
    link.signal.throwIfAborted();
    if (taken === 0 && statusOf(thrown) !== null) return false;
    throw engineError(engine, `${path} could not be read to its end`, thrown);
  }
}

/** What comes in small chunks, in fewer. */
async function* pieces(chunks: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    held.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes < limits.handPieceBytes) continue;
    yield Buffer.concat(held, bytes);
    held = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(held, bytes);
}

/** The first entry of the archive of a path. */
async function withArchive<T>(
  container: Docker.Container,
  path: string,
  signal: AbortSignal,
  use: (header: EntryHeader, body: AsyncIterable<unknown>, moved: () => void) => Promise<T>,
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

/** Content whose size is known, to be read as often as it is needed. */
interface Kept {
  readonly size: number;
  stream(): Readable;
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
    if (next.done === true) return shell.write(path, Readable.from(first));
    first.push(Buffer.from(next.value));
    bytes += next.value.length;
  }
  const random = randomBytes(6).toString("hex");
  const spool = join(ports.storagePath, `upload-${random}`);
  const beside = posix.join(posix.dirname(path), `.many-hands-${random}`);
  // Made while the rest of the content comes.
  const making = makeBeside(ports, container, path, beside);
  making.catch(() => {});
  try {
    const kept = await keep(ports.storagePath, spool, first, source);
    const header = await making;
    if (header !== null && (await putBeside(ports, container, path, beside, header, kept))) return;
    await shell.write(path, kept.stream());
  } finally {
    await rm(spool, { force: true });
    await making.catch(() => {});
    // Nothing, where it was put into place.
    await ports.link.request("del", beside).catch(() => {});
  }
}

/** In memory as long as it is not too much, in a file of this computer then. */
async function keep(
  folder: string,
  spool: string,
  first: Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): Promise<Kept> {
  let size = first.reduce((sum, chunk) => sum + chunk.length, 0);
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
    first.push(Buffer.from(next.value));
    size += next.value.length;
    if (size <= limits.handBulkMemoryBytes) continue;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await open(spool, "wx", 0o600);
    try {
      for (const chunk of first.splice(0)) await file.writeFile(chunk);
      for (next = await rest.next(); next.done !== true; next = await rest.next()) {
        await file.writeFile(next.value);
        size += next.value.length;
      }
    } finally {
      await file.close();
    }
    return { size, stream: () => createReadStream(spool, { highWaterMark: limits.handPieceBytes }) };
  }
  return { size, stream: () => Readable.from(first) };
}

/**
 * An empty file beside the one to be written, made by the shell, so that rights, owner and mode are those of its user.
 * null where the engine does not see what the shell sees.
 */
async function makeBeside(
  { link, engine }: DockerFilesPorts,
  container: Docker.Container,
  path: string,
  beside: string,
): Promise<EntryHeader | null> {
  const { text } = await link.request("new", beside);
  if (text !== "ok") throw fileError(path, text.replace(/^fail ?/, ""));
  try {
    return await withArchive(container, beside, link.signal, async (header) => header);
  } catch (thrown) {
    link.signal.throwIfAborted();
    if (statusOf(thrown) !== null) return null;
    throw engineError(engine, `${path} could not be written`, thrown);
  }
}

/** False, and nothing was changed, where the engine's archives do not reach. */
async function putBeside(
  { link, engine }: DockerFilesPorts,
  container: Docker.Container,
  path: string,
  beside: string,
  made: EntryHeader,
  kept: Kept,
): Promise<boolean> {
  const header = { ...made, type: "file" as const, name: posix.basename(beside), size: kept.size, mtime: new Date() };
  try {
    await putFile(container, link.signal, kept, posix.dirname(beside), header);
  } catch (thrown) {
    link.signal.throwIfAborted();
    if (/no space left|quota/i.test(wordsOf(thrown))) throw fileError(path, "No space left on device");
    if (statusOf(thrown) !== null) return false;
    throw engineError(engine, `${path} could not be written`, thrown);
  }
  if (!(await link.request("peek", beside)).text.startsWith(`file ${kept.size} `)) return false;
  const { text } = await link.request("place", beside, path);
  if (text !== "ok") throw fileError(path, text.replace(/^fail ?/, ""));
  return true;
}

async function putFile(
  container: Docker.Container,
  signal: AbortSignal,
  kept: Kept,
  folder: string,
  header: EntryHeader,
): Promise<void> {
  const archive = pack();
  const content = kept.stream();
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
