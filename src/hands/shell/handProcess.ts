/** A program at a far end, with its own three streams: a fresh shell there that becomes it. */
import { randomBytes } from "node:crypto";
import { PassThrough } from "node:stream";
import type { Clock } from "../../core/clock.ts";
import { ManyHandsError } from "../../core/errors.ts";
import type { HandCommand, HandProcess } from "../../core/hand.ts";
import { limits } from "../../core/limits.ts";
import type { FarEnd, ShellStream } from "./shellStream.ts";
import { quote } from "./supervisorScript.ts";

export interface HandProcessPorts {
  readonly farEnd: Pick<FarEnd, "open">;
  readonly clock: Clock;
  readonly startDirectory: string;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** What a shell says before it becomes the program: greetings, and what is wrong with the directory. */
const NOISE_CHARS_MAX = 600;

/** Rejects with `hand_unavailable`; the message holds no value of the environment. */
export async function openHandProcess(
  ports: HandProcessPorts,
  command: HandCommand,
  signal: AbortSignal,
): Promise<HandProcess> {
  const nonce = randomBytes(9).toString("hex");
  const script = scriptFor(command, ports.startDirectory, nonce);
  const stream = await ports.farEnd.open(signal);
  for (const each of [stream.stdin, stream.stdout, stream.stderr]) each.on("error", () => {});
  const opening = untilReady(stream, nonce, ports.clock, signal);
  stream.stdin.write(script);
  try {
    const { pid, stdout, stderr } = await opening;
    const close = closing(stream, pid, ports);
    return { stdin: stream.stdin, stdout, stderr, ended: stream.ended, close };
  } catch (thrown) {
    stream.close();
    throw thrown;
  }
}

/**
 * All of it is read before the program is there: it is one line, and nothing more is sent until the answer has come. Values
 * of the environment go this way and not as arguments, which every user of that system could read.
 */
function scriptFor({ argv, env = {}, cwd }: HandCommand, startDirectory: string, nonce: string): string {
  const wrong = Object.keys(env).find((name) => !NAME.test(name));
  if (wrong !== undefined) throw refused(`"${wrong}" is no name for a variable of the environment.`);
  if (argv.length === 0 || argv[0] === "") throw refused("There is no program to be started.");
  try {
    const to = [startDirectory, ...(cwd === undefined || cwd === "" ? [] : [cwd])];
    const moves = to.map((directory) => `cd -- ${quote(directory)} &&`).join(" ");
    const exports = Object.entries(env).map(([name, value]) => `export ${name}=${quote(value)} &&`);
    return `${moves} ${exports.join(" ")} printf '%s %s\\n' ${nonce} $$ && exec ${argv.map(quote).join(" ")} || exit 127\n`;
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    throw refused("An argument or a value has a NUL character, which no shell takes.");
  }
}

interface Ready {
  readonly pid: number;
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
}

async function untilReady(stream: ShellStream, nonce: string, clock: Clock, signal: AbortSignal): Promise<Ready> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  let noise = "";
  stream.stderr.on("data", (chunk: Buffer) => (noise = `${noise}${chunk.toString()}`.slice(0, NOISE_CHARS_MAX)));
  stream.stderr.pipe(stderr);
  const over = new AbortController();
  const ready = new Promise<number>((resolve) => {
    let head = Buffer.alloc(0);
    const look = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const found = new RegExp(`(?:^|\\n)${nonce} (\\d+)\\n`).exec(head.toString("latin1"));
      if (found === null) return;
      stream.stdout.off("data", look);
      stdout.write(head.subarray(found.index + found[0].length));
      stream.stdout.pipe(stdout);
      resolve(Number(found[1]));
    };
    stream.stdout.on("data", look);
  });
  const ended = stream.ended.then((reason): never => {
    const said = noise.trim() === "" ? "" : ` It said: ${noise.trim()}`;
    throw refused(`The program could not be started there: ${reason}.${said}`);
  });
  const late = clock.sleep(limits.handStepMs, AbortSignal.any([over.signal, signal])).then((): never => {
    throw refused("The shell there did not answer in time.");
  });
  for (const each of [ended, late]) each.catch(() => {});
  try {
    return { pid: await Promise.race([ready, ended, late]), stdout, stderr };
  } finally {
    over.abort();
  }
}

/** The end of its input ends a program that listens to it; one that does not is ended by a second shell there. */
function closing(stream: ShellStream, pid: number, { farEnd, clock }: HandProcessPorts): () => void {
  let isOver = false;
  let isAsked = false;
  void stream.ended.then(() => (isOver = true));
  const end = async (): Promise<void> => {
    stream.stdin.end();
    await clock.sleep(limits.killGraceMs);
    if (!isOver) {
      const killer = await farEnd.open(AbortSignal.timeout(limits.handStepMs));
      killer.stdin.end(`kill -TERM ${pid} 2>/dev/null; sleep 1; kill -KILL ${pid} 2>/dev/null; exit\n`);
      await Promise.race([killer.ended, clock.sleep(limits.killGraceMs)]);
      killer.close();
    }
    stream.close();
  };
  return () => {
    if (isAsked) return;
    isAsked = true;
    end().catch(() => stream.close());
  };
}

function refused(message: string): ManyHandsError {
  return new ManyHandsError("hand_unavailable", "hand", message);
}
