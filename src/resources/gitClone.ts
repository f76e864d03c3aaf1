/** Clones a git remote on this computer, which reaches networks that a hand may not. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { SessionErrorType } from "../core/events.ts";
import { limits } from "../core/limits.ts";
import { ResourceFailed } from "../core/resource.ts";
import type { MountContext } from "../core/resource.ts";

export interface CloneOptions {
  readonly url: string;
  /** A branch or tag; null: what the remote says. */
  readonly ref: string | null;
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly onProgress: (message: string) => void;
  readonly gitAccess?: MountContext["gitAccess"];
}

/** What git says, and the hosted API's name for it: the first that fits. */
const FAILURES: readonly (readonly [RegExp, SessionErrorType, string])[] = [
  [
    /Authentication failed|could not read Username|terminal prompts disabled|Permission denied \(/i,
    "repository_authentication_error",
    'It asks for credentials: add one for this host ("Many Hands: Add Credential"), or use a remote that this computer reaches without.',
  ],
  [/\b403\b|access denied|not authorized/i, "repository_forbidden_error", "Access to it is forbidden."],
  [
    /Remote branch .* not found|pathspec .* did not match|reference is not a tree/i,
    "repository_checkout_error",
    "It has no such branch or tag.",
  ],
  [
    /not found|does not exist|does not appear to be a git repository|\b404\b/i,
    "repository_not_found_error",
    "There is no such repository.",
  ],
];
const SAID_CHARS = 600;

/** Rejects with ResourceFailed. */
export async function cloneRepository(options: CloneOptions): Promise<void> {
  const access = (await options.gitAccess?.(options.url)) ?? null;
  try {
    await clone(options, access?.environment ?? {});
  } finally {
    access?.close();
  }
}

async function clone(options: CloneOptions, environment: Readonly<Record<string, string>>): Promise<void> {
  const { url, ref, directory, signal } = options;
  const branch = ref === null ? [] : ["--branch", ref];
  const args = ["clone", "--progress", "--no-hardlinks", ...branch, "--", url, directory];
  const child = spawn("git", args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, GIT_TERMINAL_PROMPT: "0", GIT_ASKPASS: "", SSH_ASKPASS: "", LC_ALL: "C", ...environment },
    signal: AbortSignal.any([signal, AbortSignal.timeout(limits.resourceMs)]),
    windowsHide: true,
  });
  let said = "";
  child.stderr.setEncoding("utf8");
  child.stderr.on("data", (chunk: string) => {
    said = (said + chunk).slice(-4 * SAID_CHARS);
    const line = chunk
      .trimEnd()
      .split(/[\r\n]/)
      .at(-1);
    if (line !== undefined && /%/.test(line)) options.onProgress(`${url}: ${line.trim()}`);
  });
  let code: unknown;
  try {
    [code] = (await once(child, "close")) as [number | null];
  } catch (thrown) {
    signal.throwIfAborted();
    const why =
      (thrown as NodeJS.ErrnoException).code === "ENOENT" ? "git is not installed on this computer" : String(thrown);
    throw new ResourceFailed("repository_clone_error", `${url} could not be cloned: ${why}.`, thrown);
  }
  if (code !== 0) throw failureOf(url, said);
}

function failureOf(url: string, said: string): ResourceFailed {
  const lines = said
    .split(/[\r\n]+/)
    .filter((line) => /^(fatal|error|remote):/i.test(line))
    .join(" ")
    .slice(-SAID_CHARS);
  const [, type, advice] = FAILURES.find(([pattern]) => pattern.test(said)) ?? [
    null,
    "repository_clone_error" as const,
    "",
  ];
  return new ResourceFailed(type, `${url} could not be cloned. ${advice} Git says: ${lines}`.replaceAll("  ", " "));
}
