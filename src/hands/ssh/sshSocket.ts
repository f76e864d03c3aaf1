/** The stream that an SSH connection runs over: a TCP connection, or a process that brings one to the host. */
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { connect as connectTcp } from "node:net";
import { Duplex } from "node:stream";
import type { Clock } from "../../core/clock.ts";
import { ManyHandsError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import type { SshSettings } from "./sshConfig.ts";
import type { SshTarget } from "./sshTarget.ts";

export interface SocketPorts {
  readonly clock: Clock;
  readonly target: SshTarget;
  readonly settings: SshSettings;
  readonly environment: NodeJS.ProcessEnv;
  /** Ends the try; the socket is closed then. */
  readonly signal: AbortSignal;
}

export interface SshSocket {
  readonly stream: Duplex;
  /** What the process that brings the connection said last, once it has ended; empty where there is none. Never rejects. */
  readonly said: () => Promise<string>;
}

/** The way to the host in words. */
export function wayTo({ proxyJump, proxyCommand, hostname, port }: SshSettings): string {
  if (proxyJump !== null) return `${hostname}:${port} through ${proxyJump}`;
  return proxyCommand === null ? `${hostname}:${port}` : `${hostname}:${port} through a ProxyCommand`;
}

/** Rejects with `hand_unavailable`. */
export async function openSocket(ports: SocketPorts): Promise<SshSocket> {
  const { settings, signal } = ports;
  signal.throwIfAborted();
  if (settings.proxyJump !== null || settings.proxyCommand !== null) return openProxy(ports);
  const stream = connectTcp({
    host: settings.hostname,
    port: settings.port,
    family: settings.addressFamily,
    noDelay: true,
    keepAlive: true,
    autoSelectFamily: true,
    ...(settings.bindAddress === null ? {} : { localAddress: settings.bindAddress }),
  });
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => void stream.destroy(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    stream.once("close", () => signal.removeEventListener("abort", onAbort));
    stream.once("connect", resolve);
    stream.once("error", (thrown) => reject(signal.aborted ? (signal.reason as Error) : unreachable(settings, thrown)));
  });
  return { stream, said: () => Promise.resolve("") };
}

function unreachable(settings: SshSettings, thrown: NodeJS.ErrnoException): ManyHandsError {
  const why =
    {
      ECONNREFUSED: "nothing listens there: look whether sshd runs, and at which port",
      ENOTFOUND: "there is no such host: look at its name, and whether the network that knows it is there",
      EHOSTUNREACH: "there is no way to it from here",
      ENETUNREACH: "there is no way to its network from here",
      ETIMEDOUT: "it does not answer",
    }[thrown.code ?? ""] ?? thrown.message;
  const message = `${wayTo(settings)} cannot be reached: ${why}.`;
  return new ManyHandsError("hand_unavailable", "network", message, thrown);
}

function openProxy({ clock, target, settings, environment, signal }: SocketPorts): SshSocket {
  const options = { env: environment, stdio: "pipe", windowsHide: true } as const;
  const child =
    settings.proxyJump === null
      ? spawn(process.platform === "win32" ? (settings.proxyCommand ?? "") : `exec ${settings.proxyCommand}`, {
          ...options,
          shell: true,
        })
      : spawn("ssh", jumpArguments(settings, target), options);
  let said = "";
  child.stderr.setEncoding("utf8");
  child.stderr.on("data", (text: string) => {
    said = `${said}${text}`.slice(-2_000);
  });
  const stream = new ProcessSocket(child);
  const onAbort = (): void => void stream.destroy();
  signal.addEventListener("abort", onAbort, { once: true });
  stream.once("close", () => signal.removeEventListener("abort", onAbort));
  const ended = new Promise((resolve) => {
    child.once("close", resolve);
    child.once("error", resolve);
  });
  const lastLine = async (): Promise<string> => {
    const patience = new AbortController();
    await Promise.race([ended, clock.sleep(limits.killGraceMs, patience.signal).catch(() => {})]);
    patience.abort();
    return said.trim().split(/\r?\n/).at(-1) ?? "";
  };
  return { stream, said: lastLine };
}

/** `ssh` to the last of the jumps, by way of those before it; it verifies their keys itself. */
export function jumpArguments(settings: SshSettings, { configFile }: SshTarget): string[] {
  const jumps = (settings.proxyJump ?? "").split(",");
  const last = jumps.pop() ?? "";
  const found = /^(?:ssh:\/\/)?(?:(.+)@)?(\[[^\]]+\]|[^:]+)(?::(\d+))?\/?$/.exec(last);
  const [user, host = last, port] = found?.slice(1) ?? [];
  const words = ["-T", "-o", "BatchMode=yes", "-o", "ClearAllForwardings=yes", "-o", "ControlMaster=no"];
  if (configFile !== null) words.unshift("-F", configFile);
  if (jumps.length > 0) words.push("-J", jumps.join(","));
  if (user !== undefined) words.push("-l", user);
  if (port !== undefined) words.push("-p", port);
  words.push("-W", `[${settings.hostname}]:${settings.port}`, "--", host.replace(/^\[(.*)\]$/, "$1"));
  return words;
}

/** The standard streams of a process as one stream; it goes with its process. */
class ProcessSocket extends Duplex {
  readonly #child: ChildProcessWithoutNullStreams;

  constructor(child: ChildProcessWithoutNullStreams) {
    super();
    this.#child = child;
    child.stdout.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) child.stdout.pause();
    });
    child.stdout.on("end", () => this.push(null));
    for (const each of [child.stdin, child.stdout, child.stderr]) each.on("error", () => {});
    child.on("error", (thrown) => this.destroy(thrown));
    child.on("close", () => this.destroy());
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (thrown?: Error | null) => void): void {
    this.#child.stdin.write(chunk, done);
  }

  override _final(done: (thrown?: Error | null) => void): void {
    this.#child.stdin.end(() => done());
  }

  override _destroy(thrown: Error | null, done: (thrown: Error | null) => void): void {
    this.#child.stdin.destroy();
    this.#child.stdout.destroy();
    this.#child.kill("SIGTERM");
    done(thrown);
  }
}
