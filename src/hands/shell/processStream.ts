/** A program on this computer whose three streams are a shell somewhere. */
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { ManyHandsError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import type { ShellStream } from "./shellStream.ts";

export interface ProcessOptions {
  readonly argv: readonly string[];
  readonly cwd?: string;
  readonly environment: NodeJS.ProcessEnv;
}

/** Rejects with `hand_unavailable` where the program cannot be started. */
export async function openProcess({ argv, cwd, environment }: ProcessOptions): Promise<ShellStream> {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { cwd, env: environment, stdio: "pipe", windowsHide: true });
  try {
    await once(child, "spawn");
  } catch (thrown) {
    const why = (thrown as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such program" : String(thrown);
    throw new ManyHandsError("hand_unavailable", "hand", `${program} could not be started: ${why}.`, thrown);
  }
  return streamOf(child, program);
}

function streamOf(child: ChildProcessWithoutNullStreams, program: string): ShellStream {
  const ended = new Promise<string>((resolve) => {
    child.on("error", (thrown) => resolve(thrown.message));
    child.on("close", (code, signal) =>
      resolve(`${program} ended ${signal === null ? `with status ${code}` : `by ${signal}`}`),
    );
  });
  const close = (): void => {
    child.stdin.end();
    // A program that does not end with its input would stay for ever.
    const timer = setTimeout(() => child.kill("SIGTERM"), limits.killGraceMs);
    void ended.then(() => clearTimeout(timer));
  };
  return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, ended, close };
}
