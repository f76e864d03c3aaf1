// Starts code-server, the VS Code that comes through the npm registry, on a loopback port of its own, and finds its processes.
import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pinnedNode } from "./pinnedNode.mjs";
import { codeServerEntry } from "./setup.mjs";

const startDeadlineMs = 120_000;
const stopGraceMs = 8_000;
const logBytesMax = 2_000_000;

export interface CodeServerOptions {
  /** Settings, storage and secrets live here; give the same folder again to come back to the same state. */
  readonly userDataDir: string;
  /** A packaged extension that is installed before the start. */
  readonly vsix?: string;
  /** User and machine settings, written before the start over those that are there; none of them is removed. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Loopback port; 0, the default, takes any that is free. */
  readonly port?: number;
  /** With true a new folder starts in Restricted Mode and asks whether it is trusted. */
  readonly workspaceTrust?: boolean;
  /** Lets a page be opened with an extension under development and with tests that run inside the extension host. */
  readonly development?: boolean;
  /** Ends the server when no page was connected for so long; undefined: never. */
  readonly idleSeconds?: number;
}

export interface OpenOptions {
  readonly extensionDevelopmentPath?: string;
  readonly extensionTestsPath?: string;
}

export interface CodeServer {
  /** `http://127.0.0.1:port` */
  readonly origin: string;
  readonly pid: number;
  readonly userDataDir: string;
  /** The address that opens a folder (none: an empty window); the options need `development`. */
  address(folder?: string, options?: OpenOptions): string;
  /** Process ids of the living extension hosts, oldest first: one for each page that is open, and those that are still closing. */
  extensionHostPids(): number[];
  /** What the server has printed. */
  log(): string;
  /** Resolves when the server has ended by itself or was stopped. */
  readonly ended: Promise<void>;
  /** Ends the server and its extension hosts. */
  stop(): Promise<void>;
}

interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function readProcess(pid: string): ProcessRow | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const afterName = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    return afterName[0] === "Z" ? undefined : { pid: Number(pid), parent: Number(afterName[1]), command };
  } catch {
    return undefined;
  }
}

/** All processes of this computer: from /proc on Linux, from `ps` elsewhere. */
function processes(): ProcessRow[] {
  if (process.platform === "linux") {
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    return pids.map(readProcess).filter((row) => row !== undefined);
  }
  const { stdout } = spawnSync("ps", ["-axo", "pid=,ppid=,command="], { encoding: "utf8" });
  const rows = stdout.split("\n").map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line));
  return rows
    .filter((row) => row !== null)
    .map((row) => ({ pid: Number(row[1]), parent: Number(row[2]), command: row[3] ?? "" }));
}

function descendants(of: number): ProcessRow[] {
  const all = processes();
  const found = new Set([of]);
  for (let before = 0; before !== found.size;) {
    before = found.size;
    for (const row of all) if (found.has(row.parent)) found.add(row.pid);
  }
  return all.filter((row) => found.has(row.pid) && row.pid !== of);
}

function folders(options: CodeServerOptions): string[] {
  const config = path.join(options.userDataDir, "code-server.yaml");
  mkdirSync(options.userDataDir, { recursive: true });
  appendFileSync(config, "");
  const extensions = path.join(options.userDataDir, "extensions");
  return ["--user-data-dir", options.userDataDir, "--extensions-dir", extensions, "--config", config];
}

function environment(options: CodeServerOptions): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, ...options.env };
  // Left over from a terminal inside another VS Code, these would redirect this one.
  for (const name of Object.keys(env)) {
    if (name.startsWith("VSCODE_") || name === "PORT" || name === "PASSWORD") delete env[name];
  }
  delete env["NODE_OPTIONS"];
  return env;
}

function writeSettings(options: CodeServerOptions): void {
  const quiet = {
    "telemetry.telemetryLevel": "off",
    "workbench.startupEditor": "none",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
  };
  for (const place of ["User", "Machine"]) {
    const file = path.join(options.userDataDir, place, "settings.json");
    mkdirSync(path.dirname(file), { recursive: true });
    let present: object = {};
    try {
      present = JSON.parse(readFileSync(file, "utf8")) as object;
    } catch {
      // The first start of this folder, or settings with comments in them, which are then left alone.
      if (sizeOf(file) > 0) continue;
    }
    writeFileSync(file, JSON.stringify({ ...quiet, ...present, ...options.settings }, undefined, 2));
  }
}

function sizeOf(file: string): number {
  try {
    return readFileSync(file).length;
  } catch {
    return 0;
  }
}

/** Installs a VSIX into the extensions folder of these options; an installed one of the same version is replaced. */
function installVsix(options: CodeServerOptions, vsix: string): void {
  const args = [codeServerEntry, ...folders(options), "--install-extension", vsix, "--force"];
  const done = spawnSync(pinnedNode(), args, { encoding: "utf8", env: environment(options) });
  if (done.status !== 0) throw new Error(`installing ${vsix} ended with ${done.status}:\n${done.stdout}${done.stderr}`);
}

function serverArguments(options: CodeServerOptions): string[] {
  return [
    codeServerEntry,
    ...folders(options),
    "--bind-addr",
    `127.0.0.1:${options.port ?? 0}`,
    "--auth",
    "none",
    "--disable-telemetry",
    "--disable-update-check",
    "--disable-getting-started-override",
    "--ignore-last-opened",
    ...(options.workspaceTrust === true ? [] : ["--disable-workspace-trust"]),
    ...(options.development === true ? ["--vscode-option", "enable-smoke-test-driver"] : []),
    ...(options.idleSeconds === undefined ? [] : ["--idle-timeout-seconds", String(options.idleSeconds)]),
  ];
}

function addressOf(origin: string, folder: string | undefined, open: OpenOptions = {}): string {
  const authority = `vscode-remote://${new URL(origin).host}`;
  const payload = [["skipWelcome", "true"]];
  if (open.extensionDevelopmentPath !== undefined) {
    payload.push(["extensionDevelopmentPath", `${authority}${encodeURI(open.extensionDevelopmentPath)}`]);
  }
  if (open.extensionTestsPath !== undefined) {
    payload.push(["extensionTestsPath", `${authority}${encodeURI(open.extensionTestsPath)}`]);
  }
  const where = folder === undefined ? "ew=true" : `folder=${encodeURIComponent(folder)}`;
  return `${origin}/?${where}&payload=${encodeURIComponent(JSON.stringify(payload))}`;
}

/** Starts a server and resolves when it listens. Throws, with what it printed, where it ends or takes too long before that. */
export async function startCodeServer(options: CodeServerOptions): Promise<CodeServer> {
  writeSettings(options);
  if (options.vsix !== undefined) installVsix(options, options.vsix);
  const child = spawn(pinnedNode(), serverArguments(options), {
    env: environment(options),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error("code-server could not be started");
  let log = "";
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const origin = await new Promise<string>((resolve, reject) => {
    const fail = (reason: string) => reject(new Error(`code-server ${reason}:\n${log}`));
    const deadline = setTimeout(fail, startDeadlineMs, "did not listen in time");
    const read = (bytes: Buffer) => {
      log = (log + bytes.toString()).slice(-logBytesMax);
      const listening = /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(log);
      if (listening?.[1] === undefined) return;
      clearTimeout(deadline);
      resolve(listening[1]);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("error", reject);
    child.once("exit", (code) => fail(`ended with ${code} before it listened`));
  });
  return {
    origin,
    pid,
    userDataDir: options.userDataDir,
    address: (folder, open) => addressOf(origin, folder, open),
    extensionHostPids: () => extensionHosts(pid),
    log: () => log,
    ended,
    stop: () => stopGroup(pid, ended),
  };
}

function extensionHosts(serverPid: number): number[] {
  const rows = descendants(serverPid).filter((row) => row.command.includes("--type=extensionHost"));
  return rows.map((row) => row.pid).toSorted((a, b) => a - b);
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended in the meantime.
    }
  }
}

/** Asks the server's process group to end, and ends by force what is left after a grace period. */
async function stopGroup(pid: number, ended: Promise<void>): Promise<void> {
  // Only what belongs to code-server itself: a command that a hand has started goes on, as it would after a real end.
  const own = path.dirname(path.dirname(path.dirname(codeServerEntry)));
  const family = descendants(pid).filter((row) => row.command.includes(own));
  signalAll([-pid], "SIGTERM");
  const grace = new Promise<void>((resolve) => setTimeout(resolve, stopGraceMs).unref());
  await Promise.race([ended, grace]);
  signalAll([-pid, ...family.map((row) => row.pid)], "SIGKILL");
  await ended;
}
