// Finds the pinned Node 24 that `npm ci` brings, and runs scripts of this project on it.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const binFolder = path.join(root, "node_modules", ".bin");

/** The path of a Node 24 or later: the pinned one, else the one that runs now. Throws where neither is there. */
export function pinnedNode() {
  const pinned = path.join(binFolder, "node");
  if (existsSync(pinned)) return pinned;
  if (Number(process.versions.node.split(".")[0]) >= 24) return process.execPath;
  throw new Error(
    `No Node 24 is packaged for ${process.platform}-${process.arch}: install Node 24 and run this again.`,
  );
}

/** The environment for children: the pinned Node and the project's own commands come first on PATH. */
export function projectEnv(extra = {}) {
  const rest = (process.env.PATH ?? "").split(path.delimiter).filter((folder) => folder !== binFolder);
  return { ...process.env, PATH: [binFolder, ...rest].join(path.delimiter), ...extra };
}

/** True where this process already runs on Node 24 or later. */
export function onPinnedNode() {
  return Number(process.versions.node.split(".")[0]) >= 24;
}

/**
 * Runs a command with this terminal's input and output, and resolves to its exit code (128 + n for a signal).
 * Ctrl+C reaches the child through the terminal; this process waits for it to end.
 */
export function run(command, args, { env = projectEnv(), cwd = root, quiet = false } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = quiet ? ["ignore", "pipe", "pipe"] : "inherit";
    const child = spawn(command, args, { cwd, env, stdio });
    const held = [];
    child.stdout?.on("data", (bytes) => held.push(bytes));
    child.stderr?.on("data", (bytes) => held.push(bytes));
    const forward = (signal) => child.kill(signal);
    const wait = () => {};
    process.on("SIGINT", wait);
    process.on("SIGTERM", forward);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      process.off("SIGINT", wait);
      process.off("SIGTERM", forward);
      const exitCode = code ?? (signal === "SIGINT" ? 130 : 143);
      if (quiet && exitCode !== 0) process.stderr.write(Buffer.concat(held));
      resolve(exitCode);
    });
  });
}

/** Runs the calling script again on the pinned Node, with the same arguments, and exits with its code. */
export async function continueOnPinnedNode(scriptUrl) {
  if (onPinnedNode()) return;
  process.exit(await run(pinnedNode(), [fileURLToPath(scriptUrl), ...process.argv.slice(2)]));
}
