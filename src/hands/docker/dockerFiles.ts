/** The files of a container for people: over the shell, but large ones down a stream of their own. */
import { randomBytes } from "node:crypto";
import { posix } from "node:path";
import { Readable } from "node:stream";
import type { HandFiles } from "../../core/hand.ts";
import { limits } from "../../core/limits.ts";
import type { Link } from "../shell/link.ts";
import { fileError, filesOverShell } from "../shell/shellFiles.ts";
import { BulkChannel, BulkFailed, BULK_PROGRAM } from "./bulkChannel.ts";
import { engineError } from "./engine.ts";
import type { Engine } from "./engine.ts";
import { shellStreamOf, startExec } from "./execStream.ts";

export interface DockerFilesPorts {
  readonly link: Link;
  readonly engine: Engine;
  readonly id: string;
  /** null: the container's own. */
  readonly user: string | null;
}

/**
 * Not by the engine's archives: these want to know a file's size before its first byte, see no tmpfs, and pass over the
 * rights of the hand's user.
 */
export function dockerFiles({ link, engine, id, user }: DockerFilesPorts): HandFiles {
  const shell = filesOverShell(link);
  const container = engine.docker.getContainer(id);
  const bulk = new BulkChannel(async () => {
    const exec = await startExec(container, { argv: ["/bin/sh", "-c", BULK_PROGRAM], user }, link.signal);
    const stream = shellStreamOf(exec);
    stream.stderr.resume();
    stream.stdin.on("error", () => {});
    return stream;
  });
  link.signal.addEventListener("abort", () => bulk.close(), { once: true });
  const explained = (path: string, what: string, thrown: unknown): unknown => {
    link.signal.throwIfAborted();
    return thrown instanceof BulkFailed ? engineError(engine, `${path} could not be ${what}`, thrown) : thrown;
  };
  return {
    ...shell,
    read: async (path, take, offset = 0) => {
      const { bytes, kind } = await shell.stat(path);
      const isBulk = kind === "file" && bytes - offset >= limits.handBulkBytes && BulkChannel.takes(path);
      if (!isBulk || (await link.request("may", path)).text !== "ok") return shell.read(path, take, offset);
      try {
        await bulk.read(path, offset, take);
      } catch (thrown) {
        throw explained(path, "read to its end", thrown);
      }
    },
    write: async (path, content) => {
      const { isLarge, whole } = await looked(content);
      if (!isLarge || !BulkChannel.takes(path)) return shell.write(path, whole);
      await writeBulk(link, path, async (beside) => {
        try {
          return await bulk.append(beside, whole);
        } catch (thrown) {
          throw explained(path, "written", thrown);
        }
      });
    },
  };
}

/** The beginning is read, to see whether there is much. */
async function looked(
  content: AsyncIterable<Uint8Array>,
): Promise<{ readonly isLarge: boolean; readonly whole: AsyncIterable<Uint8Array> }> {
  const source = content[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  for (let bytes = 0; bytes < limits.handBulkBytes;) {
    const next = await source.next();
    if (next.done === true) return { isLarge: false, whole: Readable.from(first) };
    first.push(next.value);
    bytes += next.value.length;
  }
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield* first;
    yield* { [Symbol.asyncIterator]: () => source };
  }
  return { isLarge: true, whole: whole() };
}

/** Beside the file first: it is moved into place when every byte is there. */
async function writeBulk(link: Link, path: string, append: (beside: string) => Promise<number>): Promise<void> {
  const beside = posix.join(posix.dirname(path), `.many-hands-${randomBytes(6).toString("hex")}`);
  const act = async (name: string, ...words: readonly string[]): Promise<void> => {
    const { text } = await link.request(name, ...words);
    if (text !== "ok") throw fileError(path, text.replace(/^fail ?/, ""));
  };
  let isPlaced = false;
  try {
    await act("new", beside);
    const bytes = await append(beside);
    if (!(await link.request("peek", beside)).text.startsWith(`file ${bytes} `)) throw fileError(path, "No space left");
    await act("place", beside, path);
    isPlaced = true;
  } finally {
    if (!isPlaced) await link.request("del", beside).catch(() => {});
  }
}
