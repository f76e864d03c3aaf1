/** What a lease file says about its holder, and whether that holder's process is still there. */
import { execFile } from "node:child_process";
import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";
import { isObject } from "../core/json.ts";

export interface LeaseRecord {
  readonly epoch: number;
  /** Which window, in words for the person. */
  readonly owner: string;
  readonly pid: number;
  /** When the process began, as the system counts it: a later process may have the same pid. Null: it does not say. */
  readonly started: string | null;
  /** Where the pid means something: the computer since its start, and the container. */
  readonly host: string;
  readonly released: boolean;
}

export async function ownRecord(epoch: number, owner: string): Promise<LeaseRecord> {
  const [host, started] = await Promise.all([thisHost(), startOf(process.pid)]);
  return { epoch, owner, pid: process.pid, started, host, released: false };
}

export function parseRecord(text: string): LeaseRecord | null {
  try {
    const value: unknown = JSON.parse(text);
    if (!isObject(value)) return null;
    const { epoch, owner, pid, started, host, released } = value;
    if (typeof epoch !== "number" || typeof owner !== "string" || !Number.isInteger(pid)) return null;
    const start = typeof started === "string" ? started : null;
    return { epoch, owner, pid: pid as number, started: start, host: String(host), released: released === true };
  } catch {
    return null;
  }
}

/** False when the holder's process is gone for sure; true when it is there; null when that cannot be seen from here. */
export async function isRunning(record: LeaseRecord): Promise<boolean | null> {
  if (record.host !== (await thisHost())) return null;
  try {
    process.kill(record.pid, 0);
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== "ESRCH";
  }
  const started = await startOf(record.pid);
  if (started === ENDED) return false;
  return started === null || record.started === null || started === record.started;
}

let host: Promise<string> | undefined;

function thisHost(): Promise<string> {
  host ??= (async () => {
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
    // Containers may share the name and the kernel of a host, but not its pids.
    const pids = await readlink("/proc/self/ns/pid").catch(() => "");
    return [hostname(), boot.trim(), pids].filter((part) => part !== "").join(" ");
  })();
  return host;
}

/** A process that has ended and that its parent has not asked after yet. */
const ENDED = "ended";

async function startOf(pid: number): Promise<string | null> {
  if (process.platform === "linux") {
    try {
      const text = await readFile(`/proc/${pid}/stat`, "utf8");
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      return fields[0] === "Z" || fields[0] === "X" ? ENDED : (fields[19] ?? null);
    } catch {
      return null;
    }
  }
  if (process.platform === "win32") return null;
  return new Promise((resolve) => {
    execFile("ps", ["-o", "lstart=", "-p", String(pid)], { env: { ...process.env, LC_ALL: "C" } }, (error, out) =>
      resolve(error === null && out.trim() !== "" ? out.trim() : null),
    );
  });
}
