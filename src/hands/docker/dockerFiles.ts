/** The files of a container for people: over the shell, but large ones down a stream of their own. */
import { randomBytes } from "node:crypto";
import { posix } from "node:path";
import { Readable } from "node:stream";
import type { HandFiles } from "../../core/hand.ts";
import { limits } from "../../core/limits.ts";
import type { Link } from "../shell/link.ts";
import { fileError, filesOverShell } from "../shell/shellFiles.ts";
import { BulkChannel, BulkFailed, BULK_PROGRAM } from "./bulkChannel.ts";
import { OtherLength, receiveArchive, sendArchive } from "./dockerArchive.ts";
import type { Owner } from "./dockerCopy.ts";
import { engineError, statusOf } from "./engine.ts";
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
 * Large files go by the engine's archives where these do right: they want to know a size before the first byte, and see
 * no tmpfs. They pass over the rights of the hand's user; so the shell, as that user, makes the file that they fill, and
 * moves it into place. Otherwise they go down an exec of their own.
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
    if (thrown instanceof OtherLength) return fileError(path, `its content had ${thrown.message}`);
    if (statusOf(thrown) !== null && /no space left/i.test(String(thrown))) return fileError(path, "No space left");
    return thrown instanceof BulkFailed || statusOf(thrown) !== null
      ? engineError(engine, `${path} could not be ${what}`, thrown)
      : thrown;
  };
  return {
    ...shell,
    read: async (path, take, offset = 0) => {
      const { bytes, kind } = await shell.stat(path);
      const isBulk = kind === "file" && bytes - offset >= limits.handBulkBytes && BulkChannel.takes(path);
      if (!isBulk || (await link.request("may", path)).text !== "ok") return shell.read(path, take, offset);
      try {
        const real = offset > 0 ? "" : (await link.request("link", path)).data.toString("utf8").trimEnd();
        const isSeen = BulkChannel.takes(real) && (await archiveOwner(link, real)) !== null;
        if (isSeen) await receiveArchive(container, real, take, link.signal);
        else await bulk.read(path, offset, take);
      } catch (thrown) {
        throw explained(path, "read to its end", thrown);
      }
    },
    write: async (path, content, bytes) => {
      const { isLarge, whole } = await looked(content);
      if (!isLarge || !BulkChannel.takes(path)) return shell.write(path, whole);
      await writeBulk(link, path, async (beside, owned) => {
        try {
          const owner = bytes === undefined ? null : await owned;
          if (bytes === undefined || owner === null) return await bulk.append(beside, whole);
          await sendArchive(container, { path: beside, bytes, owner, content: whole }, link.signal);
          return bytes;
        } catch (thrown) {
          throw explained(path, "written", thrown);
        }
      });
    },
  };
}

/** Who owns a file, where the engine sees the same one: in the container's own file system, not in one that is mounted there. */
async function archiveOwner(link: Link, path: string): Promise<Owner | null> {
  const { text } = await link.request("where", path);
  const [uid = "", gid = "", own = "", folder, root] = text.split(" ");
  return own !== "" && own === root && folder === root ? { uid: Number(uid), gid: Number(gid) } : null;
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
async function writeBulk(
  link: Link,
  path: string,
  append: (beside: string, owner: Promise<Owner | null>) => Promise<number>,
): Promise<void> {
  const beside = posix.join(posix.dirname(path), `.many-hands-${randomBytes(6).toString("hex")}`);
  const act = async (name: string, ...words: readonly string[]): Promise<void> => {
    const { text } = await link.request(name, ...words);
    if (text !== "ok") throw fileError(path, text.replace(/^fail ?/, ""));
  };
  let isThere = false;
  try {
    const made = act("new", beside);
    const owner = archiveOwner(link, beside);
    owner.catch(() => {});
    await made;
    const bytes = await append(beside, owner);
    if (!(await link.request("peek", beside)).text.startsWith(`file ${bytes} `)) throw fileError(path, "No space left");
    await act("place", beside, path);
    isThere = true;
  } finally {
    if (!isThere) await link.request("del", beside).catch(() => {});
  }
}
