/** What the tests of the session store share: folders on a real disk, a clock to turn by hand, logs to look at as bytes. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import path from "node:path";
import type { Clock } from "../../../src/core/clock.ts";
import type { SessionId } from "../../../src/core/ids.ts";
import type { SessionStore } from "../../../src/core/sessionLog.ts";
import { createFileStore } from "../../../src/session/fileStore.ts";
import type { FileStoreOptions } from "../../../src/session/fileStore.ts";
import { createIds } from "../../../src/session/ids.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";

/** Under the project, as the system's folder for temporary files may be in memory. */
const SCRATCH = path.join(import.meta.dirname, "..", "..", "..", "test-results");

export const ids = createIds(systemClock);

/** Where a computer has a folder in memory: for thousands of small logs of which none has to outlive anything. */
const IN_MEMORY = "/dev/shm";

/** A new folder, and how to remove it. */
export async function scratchFolder(
  options: { readonly isInMemory?: boolean } = {},
): Promise<{ readonly folder: string; readonly remove: () => Promise<void> }> {
  await mkdir(SCRATCH, { recursive: true });
  const parent = options.isInMemory === true && existsSync(IN_MEMORY) ? IN_MEMORY : SCRATCH;
  const folder = await mkdtemp(path.join(parent, "many-hands-session-"));
  return { folder, remove: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }) };
}

export interface Opened {
  readonly store: SessionStore;
  /** What was reported to `onError`. */
  readonly reports: string[];
}

export function openStore(root: string, options: Partial<FileStoreOptions> = {}): Opened {
  const reports: string[] = [];
  const onError = (what: string, thrown?: unknown): void => void reports.push(`${what}: ${String(thrown)}`);
  return { store: createFileStore({ root, clock: systemClock, ids, owner: "a window", onError, ...options }), reports };
}

export function logPath(root: string, id: SessionId): string {
  return path.join(root, id, "events.jsonl");
}

/** Files of a session whose names begin with `prefix`. */
export async function filesOf(root: string, id: SessionId, prefix: string): Promise<readonly string[]> {
  return (await readdir(path.join(root, id))).filter((name) => name.startsWith(prefix)).toSorted();
}

/** Removes what is derived from the log. */
export async function forgetDerived(root: string, id: SessionId): Promise<void> {
  for (const name of ["checkpoint.json", "events.idx"]) await rm(path.join(root, id, name), { force: true });
}

/** Time that moves when it is told to. */
export class HandClock implements Clock {
  #now: number;
  #sleeping: { readonly until: number; readonly wake: () => void }[] = [];

  constructor(now = Date.parse("2026-01-01T00:00:00Z")) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const sleeper = { until: this.#now + ms, wake: resolve };
      this.#sleeping.push(sleeper);
      signal?.addEventListener("abort", () => {
        this.#sleeping = this.#sleeping.filter((other) => other !== sleeper);
        reject(signal.reason as Error);
      });
    });
  }

  /** Lets `ms` pass, and wakes who was to be woken by then. */
  pass(ms: number): void {
    this.#now += ms;
    const due = this.#sleeping.filter(({ until }) => until <= this.#now);
    this.#sleeping = this.#sleeping.filter(({ until }) => until > this.#now);
    for (const { wake } of due) wake();
  }
}
