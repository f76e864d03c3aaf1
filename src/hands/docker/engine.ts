/** A Docker engine that answers; what it is asked has a deadline, and its errors become words. */
import type Docker from "dockerode";
import { ManyHandsError } from "../../core/errors.ts";
import { messageOf } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import type { EngineChoice } from "./dockerSpec.ts";
import { engineAddresses } from "./engineAddress.ts";
import type { EngineAddress } from "./engineAddress.ts";

export interface Engine {
  readonly docker: Docker;
  /** For people. */
  readonly label: string;
  /** Whether its socket is on this computer; the engine may be in a virtual machine for all that. */
  readonly isNear: boolean;
}

export interface EngineInfo {
  readonly NCPU?: number;
  readonly OperatingSystem?: string;
}

/** By which containers of Docker Desktop reach this computer's own loopback. */
export const DESKTOP_HOST = "host.docker.internal";

export async function engineInfo(engine: Engine, signal: AbortSignal): Promise<EngineInfo> {
  return (await step("what the engine has", signal, () => engine.docker.info())) as EngineInfo;
}

/** An engine in a virtual machine of this computer's. */
export function isDesktop({ OperatingSystem = "" }: EngineInfo): boolean {
  return OperatingSystem.startsWith("Docker Desktop");
}

/** Rejects with `hand_unavailable`; the message says where an engine was looked for and what to do. */
export async function connectEngine(
  choice: EngineChoice,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Engine> {
  const addresses = await engineAddresses(choice, environment);
  const failures: string[] = [];
  let cause: unknown;
  for (const address of addresses) {
    const engine = { docker: await clientOf(address), label: address.label, isNear: address.at.kind === "socket" };
    try {
      await step("the first answer of the engine", signal, () => engine.docker.ping());
      return engine;
    } catch (thrown) {
      signal.throwIfAborted();
      cause ??= thrown;
      failures.push(`${address.label}: ${whyNot(thrown)}`);
    }
  }
  const what =
    addresses.length === 1
      ? "The Docker engine does not answer"
      : "No Docker engine was found: none of the usual sockets answers";
  const advice =
    "Start Docker or Podman's socket, or name an engine by options.socket, options.host or options.context.";
  throw new ManyHandsError("hand_unavailable", "network", `${what} (${failures.join("; ")}). ${advice}`, cause);
}

function whyNot(thrown: unknown): string {
  switch (codeOf(thrown)) {
    case "ENOENT":
      return "there is none";
    case "ECONNREFUSED":
      return "nobody answers there";
    case "EACCES":
    case "EPERM":
      return "this user may not use it (being in the group docker would allow it)";
    default:
      return messageOf(thrown);
  }
}

async function clientOf({ at }: EngineAddress): Promise<Docker> {
  const { default: Docker } = await import("dockerode");
  // What is not given would be taken from DOCKER_HOST, which may name another engine.
  const none = { host: undefined, port: undefined, ca: undefined, cert: undefined, key: undefined };
  const options = { ...none, protocol: "http", username: undefined, sshOptions: {} };
  if (at.kind === "socket") return new Docker({ ...options, socketPath: at.path } as Docker.DockerOptions);
  if (at.kind === "ssh") {
    const { dialStdioAgent } = await import("./dialStdio.ts");
    const ssh = { ...options, host: "docker", agent: dialStdioAgent(at) };
    return new Docker({ ...ssh, socketPath: undefined } as unknown as Docker.DockerOptions);
  }
  const { host, port, tls } = at;
  const tcp = { ...options, socketPath: undefined, host, port, protocol: tls === null ? "http" : "https" };
  if (tls === null) return new Docker(tcp as unknown as Docker.DockerOptions);
  const { Agent } = await import("node:https");
  const { isVerified, ...keys } = tls;
  const agent = isVerified ? undefined : new Agent({ rejectUnauthorized: false });
  return new Docker({ ...tcp, ...keys, agent } as unknown as Docker.DockerOptions);
}

/**
 * One step with the engine. Rejects when it takes longer than `ms`, when `outer` is aborted (with its reason), and with what
 * `act` rejects with.
 */
export async function step<T>(
  what: string,
  outer: AbortSignal,
  act: (signal: AbortSignal) => Promise<T>,
  ms: number = limits.handStepMs,
): Promise<T> {
  outer.throwIfAborted();
  const own = new AbortController();
  const abort = (): void => own.abort(outer.reason);
  outer.addEventListener("abort", abort, { once: true });
  const timer = setTimeout(() => {
    const message = `The Docker engine took longer than ${Math.round(ms / 1_000)} s for one step: ${what}.`;
    own.abort(new ManyHandsError("hand_unavailable", "network", message));
  }, ms);
  const over = new Promise<never>((_resolve, reject) => {
    own.signal.addEventListener("abort", () => reject(own.signal.reason as Error), { once: true });
  });
  try {
    return await Promise.race([act(own.signal), over]);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener("abort", abort);
  }
}

/** The engine's status for a request that it refused; null where it did not answer at all. */
export function statusOf(thrown: unknown): number | null {
  const status = (thrown as { readonly statusCode?: unknown } | null)?.statusCode;
  return typeof status === "number" ? status : null;
}

function codeOf(thrown: unknown): string | undefined {
  return (thrown as NodeJS.ErrnoException | null)?.code;
}

/** What the engine said, without the dress that the client puts around it. */
export function wordsOf(thrown: unknown): string {
  return messageOf(thrown)
    .replace(/^\(HTTP code \d+\) [^-]*- /, "")
    .trim()
    .replace(/\.$/, "");
}

/** As an error of the port: from the engine, or of the way to it. */
export function engineError(engine: Engine, what: string, thrown: unknown): ManyHandsError {
  if (thrown instanceof ManyHandsError) return thrown;
  if (statusOf(thrown) !== null) {
    return new ManyHandsError("hand_unavailable", "hand", `${what}: ${wordsOf(thrown)}.`, thrown);
  }
  const message = `${what}: the Docker engine ${engine.label} does not answer (${whyNot(thrown)}). Is it running?`;
  return new ManyHandsError("hand_unavailable", "network", message, thrown);
}
