/** Programs in a running container, through the engine's exec: as a shell stream, or for one short answer. */
import { PassThrough } from "node:stream";
import type { Duplex } from "node:stream";
import type Docker from "dockerode";
import { limits } from "../../core/limits.ts";
import type { ShellStream } from "../shell/shellStream.ts";
import { step } from "./engine.ts";

export interface ExecOptions {
  readonly argv: readonly string[];
  /** Default: the container's own. */
  readonly user?: string | null;
  readonly env?: readonly string[];
  readonly terminal?: { readonly columns: number; readonly rows: number };
  readonly directory?: string;
}

export interface Exec {
  readonly exec: Docker.Exec;
  /** Its streams: multiplexed, or with a terminal as they are. */
  readonly socket: Duplex;
}

/** Rejects as the engine does, or when a step takes too long. */
export async function startExec(container: Docker.Container, options: ExecOptions, signal: AbortSignal): Promise<Exec> {
  const { argv, user, env, terminal, directory } = options;
  const isTerminal = terminal !== undefined;
  const created = {
    Cmd: [...argv],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: isTerminal,
    ...(user === undefined || user === null ? {} : { User: user }),
    ...(env === undefined ? {} : { Env: [...env] }),
    ...(directory === undefined ? {} : { WorkingDir: directory }),
  };
  const exec = await step("a shell in the container", signal, (abortSignal) =>
    container.exec({ ...created, abortSignal }),
  );
  const size = isTerminal ? { ConsoleSize: [terminal.rows, terminal.columns] } : {};
  const socket = await step("the shell's streams", signal, (abortSignal) =>
    exec.start({ ...size, hijack: true, stdin: true, Tty: isTerminal, abortSignal }),
  );
  return { exec, socket };
}

/** The three streams of an exec without a terminal. */
export function shellStreamOf({ socket }: Exec): ShellStream {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  demultiplex(socket, stdout, stderr);
  const ended = new Promise<string>((resolve) => {
    const end = (reason: string): void => {
      stdout.end();
      stderr.end();
      // What was read last is passed on first.
      setImmediate(() => resolve(reason));
    };
    socket.once("error", (thrown: Error) => end(`its stream broke: ${thrown.message}`));
    socket.once("end", () => end("the shell in the container ended"));
    socket.once("close", () => end("its stream was closed"));
  });
  const close = (): void => {
    // The shell reads the end of its input and leaves; what does not is cut off.
    socket.end();
    const timer = setTimeout(() => socket.destroy(), limits.killGraceMs);
    timer.unref();
    void ended.then(() => {
      clearTimeout(timer);
      socket.destroy();
    });
    socket.resume();
  };
  return { stdin: socket, stdout, stderr, ended, close };
}

/** Each frame: the stream's number, three bytes of nothing, four of length, and the bytes. */
function demultiplex(socket: Duplex, stdout: PassThrough, stderr: PassThrough): void {
  const header = Buffer.alloc(8);
  let have = 0;
  let left = 0;
  let target = stdout;
  socket.on("data", (chunk: Buffer) => {
    let full: PassThrough | null = null;
    for (let at = 0; at < chunk.length;) {
      if (left === 0) {
        const copied = chunk.copy(header, have, at, at + header.length - have);
        at += copied;
        have += copied;
        if (have < header.length) break;
        have = 0;
        left = header.readUInt32BE(4);
        target = header[0] === 2 ? stderr : stdout;
        continue;
      }
      const piece = chunk.subarray(at, at + left);
      at += piece.length;
      left -= piece.length;
      if (!target.writableEnded && !target.write(piece)) full = target;
    }
    if (full === null) return;
    socket.pause();
    full.once("drain", () => socket.resume());
  });
}

/** Runs something short as `user` and gives its output. Rejects where it does not end with 0. */
export async function askContainer(
  container: Docker.Container,
  argv: readonly string[],
  user: string | null,
  signal: AbortSignal,
): Promise<string> {
  const started = await startExec(container, { argv, user }, signal);
  const stream = shellStreamOf(started);
  stream.stdin.end();
  const pieces: Buffer[] = [];
  const said: Buffer[] = [];
  stream.stdout.on("data", (chunk: Buffer) => pieces.push(chunk));
  stream.stderr.on("data", (chunk: Buffer) => said.push(chunk));
  await step(argv.join(" "), signal, () => stream.ended);
  const { ExitCode } = await step("its exit status", signal, (abortSignal) => started.exec.inspect({ abortSignal }));
  const output = Buffer.concat(pieces).toString("utf8");
  if (ExitCode === 0) return output;
  throw new Error(`${argv.join(" ")} ended with ${ExitCode}: ${Buffer.concat(said).toString("utf8")}${output}`);
}
