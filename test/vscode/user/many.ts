/** Means for the tests that click: a workspace, its sessions' logs, and the page of a session. */
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Frame, Page } from "playwright-core";
import { root } from "../../../scripts/pinnedNode.mjs";
import { runCommand, webviewFrame } from "../host/browser.ts";

export type Line = { readonly seq: number; readonly type: string; readonly [member: string]: unknown };

/** A copy of the sample project, at a path with spaces, quotes and letters beyond ASCII. */
export function sampleCopy(): { readonly folder: string; readonly remove: () => void } {
  const scratch = mkdtempSync(join(tmpdir(), "many-hands-user-"));
  const folder = join(scratch, 'Müller\'s "work" space');
  cpSync(join(root, "media", "sample-workspace"), folder, { recursive: true });
  return { folder, remove: () => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }) };
}

/** The log files of all sessions that a server's user data folder holds. */
function logFiles(userDataDir: string): readonly string[] {
  return globSync(join(userDataDir, "User/workspaceStorage/*/many-hands.many-hands/sessions/sesn_*/events.jsonl"));
}

function readLog(file: string): readonly Line[] {
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Line);
}

/** Resolves once the log holds what `found` looks for; throws with the log's end after `patienceMs`. */
export async function logShows(
  userDataDir: string,
  found: (lines: readonly Line[]) => boolean,
  patienceMs = 90_000,
): Promise<readonly Line[]> {
  for (const deadline = Date.now() + patienceMs; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const [file] = logFiles(userDataDir);
    const lines = file === undefined ? [] : readLog(file);
    if (found(lines)) return lines;
    if (Date.now() > deadline) {
      throw new Error(
        `the log never showed it; it ends with\n${lines
          .slice(-5)
          .map((line) => JSON.stringify(line))
          .join("\n")}`,
      );
    }
  }
}

export function results(lines: readonly Line[]): readonly Line[] {
  return lines.filter(({ type }) => type === "agent.tool_result");
}

export function textOf(result: Line): string {
  return (result["content"] as readonly { readonly text?: string }[]).map(({ text }) => text ?? "").join("\n");
}

export function isIdle(lines: readonly Line[]): boolean {
  const last = lines.findLast(({ type }) => type.startsWith("session.status_"));
  return last?.type === "session.status_idle" && (last["stop_reason"] as { type: string }).type === "end_turn";
}

export async function newSession(page: Page): Promise<Frame> {
  await runCommand(page, "Many Hands: New Session");
  return sessionPage(page);
}

export async function sessionPage(page: Page): Promise<Frame> {
  const frame = await webviewFrame(page, /.*/);
  await frame.locator(".composer textarea").waitFor();
  return frame;
}

export async function say(frame: Frame, text: string): Promise<void> {
  const box = frame.locator(".composer textarea");
  await box.fill(text);
  await box.press("Enter");
}
