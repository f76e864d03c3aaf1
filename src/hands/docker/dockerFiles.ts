/** The files of a container for people: over the shell, but large ones down a stream of their own, to a `cat` there. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { posix } from "node:path";
import { Readable } from "node:stream";
import type { HandFiles } from "../../core/hand.ts";
import { limits } from "../../core/limits.ts";
import type { Link } from "../shell/link.ts";
import { fileError, filesOverShell } from "../shell/shellFiles.ts";
import type { ShellStream } from "../shell/shellStream.ts";
import { engineError, step } from "./engine.ts";
import type { Engine } from "./engine.ts";
import { shellStreamOf, startExec } from "./execStream.ts";
import type { Exec } from "./execStream.ts";

export interface DockerFilesPorts {
  readonly link: Link;
  readonly engine: Engine;
  readonly id: string;
  /** null: the container's own. */
  readonly user: string | null;
}

type Take = (chunk: Uint8Array) => Promise<void>;

/**
 * Not by the engine's archives: these want to know a file's size before its first byte, see no tmpfs, and pass over the
 * rights of the hand's user.
 */
export function dockerFiles(ports: DockerFilesPorts): HandFiles {
  const shell = filesOverShell(ports.link);
  return {
    ...shell,
    read: async (path, take, offset = 0) => {
      const { bytes, kind } = await shell.stat(path);
      const isBulk = kind === "file" && bytes - offset >= limits.handBulkBytes;
      if (!isBulk || (await ports.link.request("may", path)).text !== "ok") return shell.read(path, take, offset);
      await readBulk(ports, path, take, offset);
    },
    write: (path, content) => write(ports, shell, path, content),
  };
}

/** A program in the container, with its streams; whoever stops moving for long is ended. */
async function withProgram<T>(
  { link, engine, id, user }: DockerFilesPorts,
  argv: readonly string[],
  use: (stream: ShellStream, moved: () => void) => Promise<T>,
): Promise<{ readonly value: T; readonly status: number | null }> {
  const container = engine.docker.getContainer(id);
  const started: Exec = await startExec(container, { argv, user }, link.signal);
  const stream = shellStreamOf(started);
  const stop = (): void => void started.socket.destroy();
  const stalled = setTimeout(stop, limits.handBulkStallMs);
  link.signal.addEventListener("abort", stop, { once: true });
  try {
    const value = await use(stream, () => void stalled.refresh());
    await stream.ended;
    const { ExitCode } = await step("its exit status", link.signal, (abortSignal) =>
      started.exec.inspect({ abortSignal }),
    );
    return { value, status: ExitCode };
  } finally {
    clearTimeout(stalled);
    link.signal.removeEventListener("abort", stop);
    stop();
  }
}

async function readBulk(ports: DockerFilesPorts, path: string, take: Take, offset: number): Promise<void> {
  const argv = offset === 0 ? ["cat", "--", path] : ["tail", "-c", `+${offset + 1}`, "--", path];
  try {
    const { status } = await withProgram(ports, argv, async (stream, moved) => {
      stream.stderr.resume();
      stream.stdin.end();
      // The next piece is fetched while one is taken.
      let taking = Promise.resolve();
      for await (const piece of pieces(stream.stdout)) {
        await taking;
        moved();
        taking = take(piece);
        taking.catch(() => {});
      }
      await taking;
    });
    if (status !== 0) throw new Error(`cat there ended with ${status}`);
  } catch (thrown) {
    ports.link.signal.throwIfAborted();
    throw engineError(ports.engine, `${path} could not be read to its end`, thrown);
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

async function write(
  ports: DockerFilesPorts,
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
    first.push(next.value);
    bytes += next.value.length;
  }
  const rest = { [Symbol.asyncIterator]: () => source };
  await writeBulk(ports, path, first, rest);
}

/** Beside the file first: it is moved into place when every byte is there. */
async function writeBulk(
  ports: DockerFilesPorts,
  path: string,
  first: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { link } = ports;
  const beside = posix.join(posix.dirname(path), `.many-hands-${randomBytes(6).toString("hex")}`);
  const act = async (name: string, ...words: readonly string[]): Promise<void> => {
    const { text } = await link.request(name, ...words);
    if (text !== "ok") throw fileError(path, text.replace(/^fail ?/, ""));
  };
  try {
    await act("new", beside);
    const bytes = await send(ports, path, beside, first, rest);
    if (!(await link.request("peek", beside)).text.startsWith(`file ${bytes} `)) throw fileError(path, "No space left");
    await act("place", beside, path);
  } finally {
    // Nothing, where it was put into place.
    await link.request("del", beside).catch(() => {});
  }
}

async function send(
  ports: DockerFilesPorts,
  path: string,
  to: string,
  head: readonly Uint8Array[],
  tail: AsyncIterable<Uint8Array>,
): Promise<number> {
  try {
    const { value } = await withProgram(ports, ["sh", "-c", 'exec cat >"$0"', to], async (stream, moved) => {
      stream.stdout.resume();
      stream.stderr.resume();
      let sent = 0;
      const put = async (chunk: Uint8Array): Promise<void> => {
        sent += chunk.length;
        moved();
        if (!stream.stdin.write(chunk)) await Promise.race([once(stream.stdin, "drain"), stream.ended]);
      };
      for (const chunk of head) await put(chunk);
      for await (const chunk of tail) await put(chunk);
      stream.stdin.end();
      return sent;
    });
    return value;
  } catch (thrown) {
    ports.link.signal.throwIfAborted();
    throw engineError(ports.engine, `${path} could not be written`, thrown);
  }
}
