// Finds a desktop VS Code on this computer, or gets one where its download server answers soon.
import { existsSync, readdirSync, realpathSync } from "node:fs";
import path from "node:path";
import { cacheFolder } from "./setup.mjs";

const answerDeadlineMs = 5_000;
const downloadServer = "https://update.code.visualstudio.com/api/releases/stable";

/** Whether a window can be shown here at all. */
export function hasDisplay() {
  return process.platform !== "linux" || Boolean(process.env.DISPLAY ?? process.env.WAYLAND_DISPLAY);
}

/** The `code` command on PATH, unless it is the one inside a remote terminal, which cannot start a VS Code. */
export function codeCommand() {
  if (!hasDisplay() || process.env.VSCODE_IPC_HOOK_CLI !== undefined) return undefined;
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  return folders.map((folder) => path.join(folder, "code")).find((file) => existsSync(file));
}

/** The program behind a `code` command, which tests must start themselves. */
function programOf(command) {
  const bin = path.dirname(realpathSync(command));
  const candidates = [path.join(bin, "..", "code"), path.join(bin, "..", "..", "..", "MacOS", "Electron")];
  return candidates.find((file) => existsSync(file));
}

/** A desktop VS Code that @vscode/test-electron downloaded earlier. */
function downloadedProgram() {
  if (!existsSync(cacheFolder)) return undefined;
  const folder = readdirSync(cacheFolder).find((name) => name.startsWith("vscode-") && !name.endsWith(".partial"));
  if (folder === undefined) return undefined;
  const inside = ["code", "Visual Studio Code.app/Contents/MacOS/Electron", "Code.exe"];
  return inside.map((name) => path.join(cacheFolder, folder, name)).find((file) => existsSync(file));
}

/** The program of a desktop VS Code that is on this computer and can show a window, or undefined. */
export function desktopProgram() {
  if (!hasDisplay()) return undefined;
  const command = codeCommand();
  return (command === undefined ? undefined : programOf(command)) ?? downloadedProgram();
}

async function serverAnswers() {
  try {
    const answer = await fetch(downloadServer, { method: "HEAD", signal: AbortSignal.timeout(answerDeadlineMs) });
    return answer.ok;
  } catch {
    return false;
  }
}

/** As `desktopProgram`, but downloads one where a display is there and the download server answers in a few seconds. */
export async function desktopProgramOrDownload() {
  const present = desktopProgram();
  if (present !== undefined || !hasDisplay() || !(await serverAnswers())) return present;
  const { downloadAndUnzipVSCode } = await import("@vscode/test-electron");
  try {
    return await downloadAndUnzipVSCode({ cachePath: cacheFolder });
  } catch {
    return undefined;
  }
}
