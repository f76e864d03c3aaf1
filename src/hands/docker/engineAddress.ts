/** Where a Docker engine is: as the hand's options say, DOCKER_HOST, the current Docker context, or the usual sockets. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { ManyHandsError } from "../../core/errors.ts";
import { isObject, messageOf } from "../../core/json.ts";
import type { EngineChoice } from "./dockerSpec.ts";

interface EngineTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** False: any certificate of the engine is taken, as its context asks for. */
  readonly isVerified: boolean;
}

/** One place where an engine may be. */
export interface EngineAddress {
  /** For people: a path or an address, and where it is from. */
  readonly label: string;
  readonly at:
    | { readonly kind: "socket"; readonly path: string }
    | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly tls: EngineTls | null }
    | { readonly kind: "ssh"; readonly destination: string; readonly port: number | null };
}

type Environment = NodeJS.ProcessEnv;

/**
 * One address where something names the engine: it is that one or none. Otherwise the usual sockets, in order.
 * Rejects with `hand_unavailable` where what names it cannot be understood.
 */
export async function engineAddresses(
  choice: EngineChoice,
  environment: Environment,
): Promise<readonly EngineAddress[]> {
  if (choice.socket !== undefined) {
    return [{ label: `${choice.socket} (options.socket)`, at: { kind: "socket", path: choice.socket } }];
  }
  if (choice.host !== undefined) return [await parseHost(choice.host, "options.host", environment)];
  if (choice.context !== undefined) return contextAddress(choice.context, "options.context", environment);
  const host = environment["DOCKER_HOST"];
  if (host !== undefined && host !== "") return [await parseHost(host, "DOCKER_HOST", environment)];
  const context = environment["DOCKER_CONTEXT"];
  if (context !== undefined && context !== "") return contextAddress(context, "DOCKER_CONTEXT", environment);
  const current = await currentContext(environment);
  return current === null ? usualSockets(environment) : contextAddress(current, "the current context", environment);
}

function usualSockets(environment: Environment): readonly EngineAddress[] {
  const home = homedir();
  const runtime = environment["XDG_RUNTIME_DIR"] ?? `/run/user/${process.getuid?.() ?? 0}`;
  const paths =
    process.platform === "win32"
      ? ["//./pipe/docker_engine", "//./pipe/podman-machine-default"]
      : [
          "/var/run/docker.sock",
          join(home, ".docker", "run", "docker.sock"),
          join(runtime, "docker.sock"),
          join(runtime, "podman", "podman.sock"),
          "/run/podman/podman.sock",
          join(home, ".local", "share", "containers", "podman", "machine", "podman.sock"),
        ];
  return [...new Set(paths)].map((path) => ({ label: path, at: { kind: "socket", path } }));
}

function configFolder(environment: Environment): string {
  return environment["DOCKER_CONFIG"] ?? join(homedir(), ".docker");
}

async function currentContext(environment: Environment): Promise<string | null> {
  try {
    const config: unknown = JSON.parse(await readFile(join(configFolder(environment), "config.json"), "utf8"));
    const name = isObject(config) ? config["currentContext"] : undefined;
    return typeof name === "string" && name !== "" && name !== "default" ? name : null;
  } catch {
    // Docker's own client does without it too.
    return null;
  }
}

/** A context's folder is named after the digest of its name. */
async function contextAddress(name: string, from: string, environment: Environment): Promise<readonly EngineAddress[]> {
  if (name === "default") return usualSockets(environment);
  const folder = createHash("sha256").update(name).digest("hex");
  const contexts = join(configFolder(environment), "contexts");
  const label = `the Docker context "${name}" (${from})`;
  let endpoint: unknown;
  try {
    const meta: unknown = JSON.parse(await readFile(join(contexts, "meta", folder, "meta.json"), "utf8"));
    const endpoints = isObject(meta) ? meta["Endpoints"] : undefined;
    endpoint = isObject(endpoints) ? endpoints["docker"] : undefined;
  } catch (thrown) {
    throw noEngine(`${label} is not there; "docker context ls" lists those that are`, thrown);
  }
  const host = isObject(endpoint) ? endpoint["Host"] : undefined;
  if (typeof host !== "string") throw noEngine(`${label} names no engine`);
  const isVerified = !(isObject(endpoint) && endpoint["SkipTLSVerify"] === true);
  const tls = await readTls(join(contexts, "tls", folder, "docker"), isVerified);
  return [{ ...addressOf(host, label, tls), label: `${host}, ${label}` }];
}

async function parseHost(host: string, from: string, environment: Environment): Promise<EngineAddress> {
  const isSecured = (environment["DOCKER_TLS_VERIFY"] ?? "") !== "" || host.endsWith(":2376");
  const folder = environment["DOCKER_CERT_PATH"] ?? configFolder(environment);
  const tls = isSecured && !/^(unix|npipe|ssh):/.test(host) ? await readTls(folder, true) : null;
  if (isSecured && tls === null && !/^(unix|npipe|ssh):/.test(host)) {
    return addressOf(host, `${host} (${from})`, { isVerified: true });
  }
  return addressOf(host, `${host} (${from})`, tls);
}

async function readTls(folder: string, isVerified: boolean): Promise<EngineTls | null> {
  const read = (name: string): Promise<Buffer | null> => readFile(join(folder, name)).catch(() => null);
  const [ca, cert, key] = await Promise.all([read("ca.pem"), read("cert.pem"), read("key.pem")]);
  if (ca === null && cert === null) return null;
  return {
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
    isVerified,
  };
}

function addressOf(given: string, label: string, tls: EngineTls | null): EngineAddress {
  const path = /^(?:unix|npipe):\/\/(.*)$/.exec(given)?.[1];
  if (path !== undefined) return { label, at: { kind: "socket", path: path === "" ? "/var/run/docker.sock" : path } };
  let url: URL;
  try {
    url = new URL(given.includes("://") ? given : `tcp://${given}`);
  } catch (thrown) {
    throw noEngine(`${label} is no address of an engine (${messageOf(thrown)})`, thrown);
  }
  const { hostname, port, username, protocol } = url;
  if (hostname === "") throw noEngine(`${label} names no host`);
  if (protocol === "ssh:") {
    const destination = username === "" ? hostname : `${decodeURIComponent(username)}@${hostname}`;
    return { label, at: { kind: "ssh", destination, port: port === "" ? null : Number(port) } };
  }
  if (!["tcp:", "http:", "https:"].includes(protocol)) {
    throw noEngine(
      `${label} begins with ${protocol}; known are unix://, npipe://, tcp://, http://, https:// and ssh://`,
    );
  }
  const secured = protocol === "https:" ? (tls ?? { isVerified: true }) : tls;
  const standard = secured === null ? 2375 : 2376;
  return { label, at: { kind: "tcp", host: hostname, port: port === "" ? standard : Number(port), tls: secured } };
}

function noEngine(why: string, cause?: unknown): ManyHandsError {
  return new ManyHandsError("hand_unavailable", "hand", `No Docker engine: ${why}.`, cause);
}
