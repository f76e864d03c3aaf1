/** What the options of a Docker hand mean; whatever is wrong with them is said in words, with what to write instead. */
import { posix } from "node:path";
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";
import { isObject } from "../../core/json.ts";
import type { Json } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";

export type DockerSource =
  | { readonly kind: "image"; readonly image: string }
  | { readonly kind: "build"; readonly context: string; readonly dockerfile: string }
  | { readonly kind: "container"; readonly container: string };

/** none: no network at all; limited: only the session's gateway address; full: whatever the engine reaches. */
export type NetworkMode = "none" | "limited" | "full";

export interface DockerMount {
  /** On the engine's computer; for a copy, on this one. Absolute. */
  readonly source: string;
  readonly target: string;
  readonly mode: "read-only" | "read-write" | "copy";
}

/** Which engine; at most one of them. None: DOCKER_HOST, the current Docker context, or a socket in a usual place. */
export interface EngineChoice {
  readonly socket?: string;
  readonly host?: string;
  readonly context?: string;
}

export interface DockerSpec {
  readonly name: string;
  readonly source: DockerSource;
  /** null: the image's own, or the home folder there. */
  readonly cwd: string | null;
  readonly user: string | null;
  /** `NAME=value` each. */
  readonly env: readonly string[];
  readonly memoryBytes: number;
  /** null: the default, or fewer where the engine has fewer. */
  readonly cpus: number | null;
  readonly pids: number;
  readonly network: NetworkMode;
  /** Hosts and presets that a limited network reaches through the credential proxy. */
  readonly allow: readonly string[];
  readonly mounts: readonly DockerMount[];
  readonly engine: EngineChoice;
}

const OPTIONS: readonly string[] =
  "image build container cwd user env memory cpus pids network allow mount socket host context".split(" ");
/** They belong to the making of a container, and one that runs already was made by somebody else. */
const MAKING = ["memory", "cpus", "pids", "network", "allow", "mount"];
const MODES: ReadonlySet<string> = new Set(["read-only", "read-write", "copy"]);
/** Docker gives no container less. */
const MEMORY_BYTES_MIN = 6 * 1024 * 1024;
const UNITS: Readonly<Record<string, number>> = { "": 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

type Options = { readonly [key: string]: Json };

/** Rejects what it does not understand: ManyHandsError `hand_unavailable`. */
export function parseDockerSpec(spec: HandSpec): DockerSpec {
  const options: Options = spec.options ?? {};
  const bad = (why: string): ManyHandsError =>
    new ManyHandsError("hand_unavailable", "hand", `The hand "${spec.name}" cannot be made: ${why}`);
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) throw bad(`options.${name} is not known. Known are ${OPTIONS.join(", ")}.`);
  }
  const source = sourceOf(options, bad);
  if (source.kind === "container") {
    const given = MAKING.filter((name) => options[name] !== undefined);
    if (given.length > 0) {
      throw bad(`options.${given.join(", options.")} cannot change a container that runs already: leave it out.`);
    }
  }
  return {
    name: spec.name,
    source,
    cwd: cwdOf(options, bad),
    user: textOf(options, "user", bad),
    env: envOf(options["env"], bad),
    memoryBytes: memoryOf(options["memory"], bad),
    cpus: cpusOf(options["cpus"], bad),
    pids: pidsOf(options["pids"], bad),
    network: networkOf(options["network"], bad),
    allow: allowOf(options, bad),
    mounts: mountsOf(options["mount"], bad),
    engine: engineOf(options, bad),
  };
}

type Bad = (why: string) => ManyHandsError;

function textOf(options: Options, name: string, bad: Bad): string | null {
  const value = options[name];
  if (value === undefined) return null;
  if (typeof value === "string" && value !== "" && !value.includes("\0")) return value;
  throw bad(`options.${name} must be a text that is not empty.`);
}

function sourceOf(options: Options, bad: Bad): DockerSource {
  const given = ["image", "build", "container"].filter((name) => options[name] !== undefined);
  if (given.length !== 1) {
    const found = given.length === 0 ? "none is given" : `${given.join(" and ")} are given`;
    throw bad(`it needs exactly one of options.image, options.build and options.container; ${found}.`);
  }
  const image = textOf(options, "image", bad);
  if (image !== null) return { kind: "image", image };
  if (options["build"] === undefined) return { kind: "container", container: textOf(options, "container", bad) ?? "" };
  const build = options["build"];
  const context = isObject(build) ? build["context"] : undefined;
  const dockerfile = isObject(build) ? (build["dockerfile"] ?? "Dockerfile") : undefined;
  if (typeof context !== "string" || !isAbsolutePath(context)) {
    throw bad("options.build.context must be the absolute path of a folder on this computer.");
  }
  if (typeof dockerfile !== "string" || dockerfile === "" || isAbsolutePath(dockerfile)) {
    throw bad("options.build.dockerfile must be a path inside of the context folder.");
  }
  return { kind: "build", context, dockerfile };
}

function cwdOf(options: Options, bad: Bad): string | null {
  const cwd = textOf(options, "cwd", bad);
  if (cwd === null || /^(\/|~$|~\/)/.test(cwd)) return cwd;
  throw bad(`options.cwd is ${JSON.stringify(cwd)}: give an absolute path in the container, or one below ~.`);
}

function envOf(env: Json | undefined, bad: Bad): readonly string[] {
  if (env === undefined) return [];
  if (!isObject(env)) throw bad('options.env must be an object of texts, such as {"LANG": "C.UTF-8"}.');
  return Object.entries(env).map(([name, value]) => {
    if (typeof value !== "string" || value.includes("\0")) throw bad(`options.env.${name} must be a text.`);
    if (name === "" || /[=\0]/.test(name)) throw bad(`options.env has the name ${JSON.stringify(name)}.`);
    return `${name}=${value}`;
  });
}

function memoryOf(memory: Json | undefined, bad: Bad): number {
  if (memory === undefined) return limits.dockerMemoryBytes;
  const text = typeof memory === "number" ? String(memory) : memory;
  const parts = typeof text === "string" ? /^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$/i.exec(text.trim()) : null;
  const bytes = Math.floor(Number(parts?.[1]) * (UNITS[(parts?.[2] ?? "").toLowerCase()] ?? Number.NaN));
  if (bytes >= MEMORY_BYTES_MIN && Number.isSafeInteger(bytes)) return bytes;
  throw bad(`options.memory is ${JSON.stringify(memory)}: give bytes, or a text such as "2g"; at least 6m.`);
}

function cpusOf(cpus: Json | undefined, bad: Bad): number | null {
  if (cpus === undefined) return null;
  if (typeof cpus === "number" && cpus >= 0.01) return cpus;
  throw bad(`options.cpus is ${JSON.stringify(cpus)}: give a number from 0.01 on.`);
}

function pidsOf(pids: Json | undefined, bad: Bad): number {
  if (pids === undefined) return limits.dockerPids;
  if (typeof pids === "number" && Number.isSafeInteger(pids) && pids >= 16) return pids;
  throw bad(`options.pids is ${JSON.stringify(pids)}: give a whole number from 16 on.`);
}

function networkOf(network: Json | undefined, bad: Bad): NetworkMode {
  if (network === undefined) return "limited";
  if (network === "none" || network === "limited" || network === "full") return network;
  throw bad(`options.network is ${JSON.stringify(network)}: give "none", "limited" or "full".`);
}

/** Presets look like hosts: which of them there are is for the proxy to say. */
const HOST =
  /^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*(:\d{1,5})?$/;

function allowOf(options: Options, bad: Bad): readonly string[] {
  const { allow } = options;
  if (allow === undefined) return [];
  if (networkOf(options["network"], bad) !== "limited") {
    throw bad(`options.allow is for the network "limited"; this one is ${JSON.stringify(options["network"])}.`);
  }
  if (!Array.isArray(allow)) throw bad('options.allow must be a list of hosts, such as ["npm", "*.example.com"].');
  return allow.map((host: Json, at) => {
    if (typeof host === "string" && HOST.test(host)) return host;
    const hint = "give a host, *.example.com, host:port, or the name of a preset";
    throw bad(`options.allow[${at}] is ${JSON.stringify(host)}: ${hint}.`);
  });
}

function mountsOf(mounts: Json | undefined, bad: Bad): readonly DockerMount[] {
  if (mounts === undefined) return [];
  if (!Array.isArray(mounts)) throw bad("options.mount must be a list of {source, target, mode}.");
  return mounts.map((mount: Json, at) => {
    const { source, target, mode = "read-only", ...rest } = isObject(mount) ? mount : {};
    const where = `options.mount[${at}]`;
    const odd = Object.keys(rest)[0];
    if (odd !== undefined) throw bad(`${where}.${odd} is not known. Known are source, target and mode.`);
    if (typeof source !== "string" || !isAbsolutePath(source)) throw bad(`${where}.source must be an absolute path.`);
    if (typeof target !== "string" || !posix.isAbsolute(target) || posix.normalize(target) === "/") {
      throw bad(`${where}.target must be an absolute path in the container, and not /.`);
    }
    if (typeof mode !== "string" || !MODES.has(mode)) {
      throw bad(`${where}.mode is ${JSON.stringify(mode)}: give "read-only", "read-write" or "copy".`);
    }
    return { source, target: posix.normalize(target).replace(/\/$/, ""), mode: mode as DockerMount["mode"] };
  });
}

function engineOf(options: Options, bad: Bad): EngineChoice {
  const given = ["socket", "host", "context"].filter((name) => options[name] !== undefined);
  if (given.length > 1) throw bad(`options.${given.join(" and options.")} both name an engine: give one.`);
  return Object.fromEntries(given.map((name) => [name, textOf(options, name, bad)])) as EngineChoice;
}

/** Of this computer or of another system's: C:\… too. */
function isAbsolutePath(path: string): boolean {
  return posix.isAbsolute(path) || /^([A-Za-z]:[\\/]|\\\\)/.test(path);
}
