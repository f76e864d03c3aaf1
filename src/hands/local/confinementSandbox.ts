/** The life of a sandbox on this computer: it outlives who started it, is found again, gives shells, and is ended. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, existsSync, fstatSync, openSync, writeSync } from "node:fs";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ManyHandsError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import type { ShellStream } from "../shell/shellStream.ts";
import { quote } from "../shell/supervisorScript.ts";
import { INSIDE } from "./confinementMounts.ts";
import { sandboxServer } from "./confinementServer.ts";

/** Leaves at once, so that the sandbox is no descendant of a program whose tree may be killed. */
const START = `
cd "$MH_FOLDER" || exit 1
unset MH_FOLDER OLDPWD
# What the program that starts it left open is not the sandbox's; other shells cannot name more than one digit.
if [ -n "\${BASH_VERSION:-}" ]; then
  for each in /proc/self/fd/*; do
    each=\${each##*/}
    [ "$each" -le 7 ] || eval "exec $each>&-"
  done
fi 2>/dev/null
"$@" </dev/null >&3 2>&4 3>&- 4>&- 5<arguments 6<filter 7>info &`;

/** Of the pipe's other end there is nobody. */
const NOBODY = new Set(["ENXIO", "ENOENT", "EPIPE"]);
/** Between two looks whether the sandbox that was asked still lives, in milliseconds. */
const ANSWER_MS = 100;
/** How long a sandbox in which nothing runs may take to end, in milliseconds. */
const RENEW_MS = 500;
const WORDS_MAX = 2_000;
const TRIES_MAX = 3;

export interface SandboxPorts {
  /** A folder of its own on this computer. */
  readonly folder: string;
  readonly bubblewrap: string;
  /** The rules as text: another text is another sandbox. */
  readonly rules: string;
  /** All of bubblewrap's arguments but the program; made when a sandbox is started. */
  readonly arguments: () => readonly string[];
  /** null: none for this machine. */
  readonly filter: Buffer | null;
  readonly shell: string;
  readonly environment: Readonly<Record<string, string>>;
}

export class Sandbox {
  readonly #ports: SandboxPorts;
  #starting: Promise<void> | null = null;
  #opened = 0;
  /** In the sandbox, that leads to the entrance; null: there is no entrance. */
  port: number | null = null;

  constructor(ports: SandboxPorts) {
    this.#ports = ports;
  }

  get door(): string {
    return doorOf(this.#ports.folder);
  }

  /**
   * Makes room for a new one where the rules have changed since it was started. False: commands still run in it, and go on
   * under the rules of then.
   */
  async renew(): Promise<boolean> {
    const rules = await readFile(join(this.#ports.folder, "rules"), "utf8").catch(() => null);
    if (rules === null || rules === this.#ports.rules) return true;
    for (const deadline = Date.now() + RENEW_MS; Date.now() < deadline; await sleep(20)) {
      if (!this.#say("look")) return true;
    }
    return false;
  }

  /** A shell in it; it is started if it does not run. Rejects with `hand_unavailable`. */
  async shell(signal: AbortSignal): Promise<ShellStream> {
    for (;;) {
      signal.throwIfAborted();
      if (!this.#say("")) await this.#start();
      const stream = await this.#open(signal);
      // Else it ended just before it was asked.
      if (stream !== null) return stream;
    }
  }

  /** With all that runs in it. */
  async end(): Promise<void> {
    const first = await readFirst(this.#ports.folder);
    this.#say("end");
    for (const deadline = Date.now() + limits.killGraceMs; Date.now() < deadline; await sleep(10)) {
      if (first === null ? !this.#say("") : !(await lives(first))) return;
      // What runs in it may have taken the place of the one who was asked.
      if (first !== null) kill(first.pid);
    }
  }

  /** False: there is nobody who hears it. */
  #say(line: string): boolean {
    try {
      const pipe = openPipe(join(this.door, "door"), constants.O_WRONLY);
      try {
        if (line !== "") writeSync(pipe, `${line}\n`);
      } finally {
        closeSync(pipe);
      }
      return true;
    } catch (thrown) {
      if (NOBODY.has((thrown as NodeJS.ErrnoException).code ?? "")) return false;
      throw thrown;
    }
  }

  async #start(): Promise<void> {
    this.#starting ??= this.#startOne().finally(() => (this.#starting = null));
    return this.#starting;
  }

  async #startOne(): Promise<void> {
    const { folder, filter } = this.#ports;
    // One whose door does not answer any more cannot be opened again, and must not go on beside the new one.
    await this.end();
    await mkdir(this.door, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.door)) if (!name.startsWith("entrance")) await rm(join(this.door, name));
    await makePipes([join(this.door, "door")]);
    await writeFile(join(folder, "filter"), filter ?? "", { mode: 0o600 });
    await writeFile(join(this.door, "serve"), sandboxServer, { mode: 0o600 });
    await writeFile(join(folder, "rules"), this.#ports.rules, { mode: 0o600 });
    let answer: string | null = "";
    for (let tries = 0; tries < TRIES_MAX && answer !== null; tries += 1) answer = await this.#startOnce();
    if (answer !== null) throw unavailable(answer);
    await writeFirst(folder);
  }

  /** What bubblewrap complains of: maybe of a file that was there when the arguments were made, and has gone; null: it runs. */
  async #startOnce(): Promise<string | null> {
    const { folder, bubblewrap, shell, environment, filter } = this.#ports;
    const words = this.#ports.arguments();
    await writeFile(join(folder, "arguments"), words.map((word) => `${word}\0`).join(""), { mode: 0o600 });
    const program = [bubblewrap, "--args", "5", ...(filter === null ? [] : ["--seccomp", "6"]), "--info-fd", "7"];
    const starter = existsSync("/bin/bash") ? "/bin/bash" : "/bin/sh";
    const server = ["/bin/sh", `${INSIDE}/serve`, shell];
    const child = spawn(starter, ["-c", START, "sh", ...program, "--", ...server], {
      env: { PATH: environment["PATH"] ?? "/usr/bin:/bin", MH_FOLDER: folder },
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
      detached: true,
    });
    const [said, complained] = child.stdio.slice(3) as unknown as [Socket, Socket];
    return answerOf(said, complained);
  }

  /** null: there is nobody who opens it. */
  async #open(signal: AbortSignal): Promise<ShellStream | null> {
    this.#opened += 1;
    const name = `${process.pid}-${Date.now()}-${this.#opened}`;
    const at = (kind: string): string => join(this.door, `${name}.${kind}`);
    const pipes = ["i", "o", "e"].map(at);
    const lines = Object.entries(this.#ports.environment).map(([key, value]) => `export ${key}=${quote(value)}\n`);
    try {
      await Promise.all([makePipes(pipes), writeFile(at("v"), lines.join(""), { mode: 0o600 })]);
      const stream = streamOf(at);
      try {
        if (this.#say(`open ${name} ${this.port ?? "-"}`) && (await this.#answers(stream, signal))) return stream;
      } catch (thrown) {
        stream.close();
        throw thrown;
      }
      stream.close();
      return null;
    } finally {
      await Promise.all([...pipes, at("v")].map((path) => rm(path, { force: true })));
    }
  }

  async #answers({ stderr }: ShellStream, signal: AbortSignal): Promise<boolean> {
    for (const deadline = Date.now() + limits.handStepMs; Date.now() < deadline;) {
      const waits = new AbortController();
      const either = AbortSignal.any([signal, waits.signal]);
      const answer = once(stderr, "readable", { signal: either }).then(
        () => true,
        () => false,
      );
      const late = sleep(ANSWER_MS, false, { signal: either }).catch(() => false);
      const isOpen = await Promise.race([answer, late]);
      waits.abort();
      if (isOpen) return true;
      signal.throwIfAborted();
      if (!this.#say("")) return false;
    }
    throw unavailable("it did not answer in time");
  }
}

export function doorOf(folder: string): string {
  return join(folder, "door");
}

function unavailable(why: string): ManyHandsError {
  return new ManyHandsError("hand_unavailable", "hand", `The local hand's sandbox could not be opened: ${why}.`);
}

async function makePipes(paths: readonly string[]): Promise<void> {
  const child = spawn("mkfifo", ["-m", "600", "--", ...paths], { stdio: "ignore", env: { PATH: "/usr/bin:/bin" } });
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw unavailable("no pipe could be made there");
}

/** Never through a link, and never something else: commands in the sandbox must not choose what is opened here. */
function openPipe(path: string, mode: number): number {
  const file = openSync(path, mode | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  if (fstatSync(file).isFIFO()) return file;
  closeSync(file);
  throw unavailable(`${path} is no pipe`);
}

function streamOf(at: (kind: string) => string): ShellStream {
  // Who reads does not wait for who writes; for writing, Linux lets one in at once that reads too.
  const stdin = new Socket({ fd: openPipe(at("i"), constants.O_RDWR), readable: false, writable: true });
  const stdout = new Socket({ fd: openPipe(at("o"), constants.O_RDONLY), readable: true, writable: false });
  const stderr = new Socket({ fd: openPipe(at("e"), constants.O_RDONLY), readable: true, writable: false });
  const ended = new Promise<string>((resolve) => {
    for (const stream of [stdin, stdout, stderr]) stream.on("error", () => resolve("its stream broke"));
    stdout.on("close", () => resolve("the shell ended"));
  });
  const close = (): void => {
    stdin.destroySoon();
    stdout.destroy();
    stderr.destroy();
  };
  return { stdin, stdout, stderr, ended, close };
}

/** What bubblewrap says where it fails; null: the sandbox is ready. */
async function answerOf(said: Socket, complained: Socket): Promise<string | null> {
  let complaint = "";
  complained.setEncoding("utf8").on("data", (text: string) => (complaint = (complaint + text).slice(0, WORDS_MAX)));
  const isReady = await new Promise<boolean>((resolve) => {
    said.once("data", () => resolve(true));
    said.once("close", () => resolve(false));
    setTimeout(() => resolve(false), limits.handStepMs).unref();
  });
  said.destroy();
  if (!isReady) await Promise.race([once(complained, "close"), sleep(ANSWER_MS)]);
  complained.destroy();
  return isReady ? null : complaint.trim() || "bubblewrap said nothing";
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}

/** The first process of a sandbox, as this computer sees it: with it all others end. */
interface First {
  readonly pid: number;
  readonly start: string;
  readonly boot: string;
}

async function writeFirst(folder: string): Promise<void> {
  const info = JSON.parse(await readFile(join(folder, "info"), "utf8")) as { readonly "child-pid": number };
  const pid = info["child-pid"];
  const first: First = { pid, start: await startTime(pid), boot: await bootId() };
  await writeFile(join(folder, "first"), JSON.stringify(first), { mode: 0o600 });
}

async function readFirst(folder: string): Promise<First | null> {
  const text = await readFile(join(folder, "first"), "utf8").catch(() => null);
  return text === null ? null : (JSON.parse(text) as First);
}

async function lives({ pid, start, boot }: First): Promise<boolean> {
  return boot === (await bootId()) && start !== "" && start === (await startTime(pid));
}

/** In ticks since the start of the computer; empty where there is no such process. */
async function startTime(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const [state = "Z", ...rest] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return state === "Z" || state === "X" ? "" : (rest[18] ?? "");
}

async function bootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "")).trim();
}
