// Makes a fresh clone ready: dependencies, the pinned Node 24, a VS Code host, a browser, an sshd and bubblewrap. Needs Node 20 and npm only.
// Makes a fresh clone ready: dependencies, the pinned Node 24, a VS Code host, a browser, an sshd and git-lfs. Needs Node 20 and npm only.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { hasBubblewrap, installBubblewrap } from "./bubblewrap.mjs";
import { findChromium, installChromium } from "./chromium.mjs";
import { hasDockerEngine, installDockerEngine } from "./dockerEngine.mjs";
import { hasGitServer, installGitServer } from "./gitServer.mjs";
import { pinnedNode, root } from "./pinnedNode.mjs";
import { hasSshd, installSshd } from "./sshd.mjs";

export const codeServerVersion = "4.139.1";
export const cacheFolder = path.join(root, ".vscode-test");
const codeServerFolder = path.join(cacheFolder, `code-server-${codeServerVersion}`);
const stampFile = path.join(root, "node_modules", ".many-hands-setup.json");
const lockFile = path.join(root, "package-lock.json");
const missingVariable = "MANY_HANDS_SETUP_MISSING";
const outputTailBytes = 4000;

/** The entry script of the installed code-server. */
export const codeServerEntry = path.join(codeServerFolder, "node_modules", "code-server", "out", "node", "entry.js");

function say(line) {
  process.stdout.write(`${line}\n`);
}

/** Runs a command silently; on failure throws an error that carries the end of what it printed. */
export function quietly(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, ...options, stdio: ["ignore", "pipe", "pipe"] });
    let tail = "";
    const keep = (bytes) => {
      tail = (tail + bytes).slice(-outputTailBytes);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) resolve(tail);
      else reject(new Error(`${command} ${args.join(" ")} ended with ${code ?? signal}:\n${tail.trim()}`));
    });
  });
}

function npm(args, cwd) {
  const quietFlags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  return quietly("npm", [...args, ...quietFlags], { cwd });
}

function lockHash() {
  return createHash("sha256").update(readFileSync(lockFile)).digest("hex");
}

function dependenciesReady() {
  try {
    if (JSON.parse(readFileSync(stampFile, "utf8")).lock === lockHash()) return true;
  } catch {
    // No stamp: somebody may have run npm by hand, which leaves a younger lock of its own in node_modules.
  }
  const installed = path.join(root, "node_modules", ".package-lock.json");
  return existsSync(installed) && !existsSync(stampFile) && statSync(installed).mtimeMs >= statSync(lockFile).mtimeMs;
}

async function installDependencies() {
  // Not `npm ci`: it refuses a lock file in which an optional binary for some other system is missing, as happens when a
  // registry does not carry it. The versions are the lock file's all the same, and it is left as it is.
  if (!dependenciesReady()) await npm(["install", "--no-save", "--include=dev", "--include=optional"], root);
  writeFileSync(stampFile, JSON.stringify({ lock: lockHash() }));
  pinnedNode();
}

/** code-server is a whole VS Code that comes through the npm registry; nothing of it needs compiling. */
async function installCodeServer() {
  const partial = `${codeServerFolder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const manifest = { private: true, dependencies: { "code-server": codeServerVersion } };
  writeFileSync(path.join(partial, "package.json"), JSON.stringify(manifest));
  await npm(["install"], partial);
  await npm(["install", "--omit=dev"], path.join(partial, "node_modules", "code-server", "lib", "vscode"));
  rmSync(codeServerFolder, { recursive: true, force: true });
  renameSync(partial, codeServerFolder);
}

function processLives(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** One set-up at a time in one clone: a second one waits for the first. */
async function withLock(work) {
  const file = path.join(tmpdir(), `many-hands-setup-${createHash("sha256").update(root).digest("hex").slice(0, 16)}`);
  for (let told = false; ; told = true) {
    try {
      writeFileSync(file, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const holder = Number(existsSync(file) ? readFileSync(file, "utf8") : 0);
    if (holder > 0 && !processLives(holder)) rmSync(file, { force: true });
    else if (!told) say(`waiting for another set-up of this folder (process ${holder})`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const drop = () => rmSync(file, { force: true });
  const leave = (signal) => process.exit(128 + constants.signals[signal]);
  process.once("exit", drop);
  process.once("SIGINT", leave);
  process.once("SIGTERM", leave);
  try {
    return await work();
  } finally {
    drop();
    process.off("exit", drop);
    process.off("SIGINT", leave);
    process.off("SIGTERM", leave);
  }
}

/**
 * Does what is missing, side by side, and says how long each part took.
 * Resolves to `{ chromium, missing }`: the browser's path or undefined, and for each thing that could not be had the reason
 * with the one command that would bring it. Throws where the dependencies cannot be installed.
 */
export async function setup({
  codeServer = false,
  chromium = false,
  docker = false,
  sshd = false,
  bubblewrap = false,
  git = false,
} = {}) {
  // A script that goes on under the pinned Node does not try again what has just failed.
  const missing = JSON.parse(process.env[missingVariable] ?? "{}");
  const parts = [];
  if (!dependenciesReady() || !existsSync(stampFile)) parts.push(["dependencies and Node 24", installDependencies]);
  if (codeServer && !missing["code-server"] && !existsSync(codeServerEntry)) {
    parts.push([`code-server ${codeServerVersion}`, installCodeServer]);
  }
  if (chromium && !missing.chromium && !findChromium()) parts.push(["Chromium", () => installChromium(quietly)]);
  if (docker && !missing.docker && !hasDockerEngine()) parts.push(["Docker", () => installDockerEngine(quietly)]);
  if (sshd && !missing.sshd && !hasSshd()) parts.push(["sshd", () => installSshd(quietly)]);
  if (bubblewrap && !missing.bubblewrap && !hasBubblewrap()) {
    parts.push(["bubblewrap", () => installBubblewrap(quietly)]);
  }
  if (git && !missing["git-lfs"] && !hasGitServer()) parts.push(["git-lfs", () => installGitServer(quietly)]);
  if (parts.length > 0) await withLock(() => Promise.all(parts.map((part) => timed(part, missing))));
  if (missing.dependencies) throw new Error(missing.dependencies);
  process.env[missingVariable] = JSON.stringify(missing);
  return { chromium: findChromium(), missing };
}

async function timed([name, work], missing) {
  const start = Date.now();
  say(`setting up ${name} …`);
  try {
    await work();
    say(`  ${name}: ready after ${Math.round((Date.now() - start) / 1000)} s`);
  } catch (error) {
    say(`  ${name}: not available: ${error.message}`);
    missing[name.split(" ")[0].toLowerCase()] = error.message;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const start = Date.now();
  try {
    const all = { codeServer: true, chromium: true, docker: true, sshd: true, bubblewrap: true, git: true };
    const { missing } = await setup(all);
    say(
      Object.keys(missing).length === 0
        ? `ready (${((Date.now() - start) / 1000).toFixed(1)} s)`
        : "ready, but for what is named above",
    );
  } catch (error) {
    say(error.message);
    process.exitCode = 1;
  }
}
