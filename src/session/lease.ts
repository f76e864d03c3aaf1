/**
 * One writer for a session, by files: `lease.<epoch>` is made with O_EXCL, the highest number is the lease. So getting
 * the next epoch is one atomic step, and whether a later one exists is one look before each write.
 */
import { existsSync } from "node:fs";
import { open, readFile, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { isObject } from "../core/json.ts";
import { limits } from "../core/limits.ts";
import type { LeaseHolder } from "../core/sessionLog.ts";
import { storageError } from "./storageErrors.ts";

const NAME = /^lease\.(\d{1,15})$/;
const TRIES_MAX = 20;

interface HolderRecord {
  readonly owner: string;
  readonly pid: number;
  /** When the process began, as the system counts it: a later process may have the same pid. */
  readonly started: string;
  readonly host: string;
  readonly released: boolean;
}

export interface LeasePorts {
  readonly folder: string;
  readonly owner: string;
  readonly clock: Clock;
  readonly onLost: () => void;
  readonly report: (what: string, thrown: unknown) => void;
}

export class Lease {
  readonly #ports: LeasePorts;
  #epoch = 0;
  #renewing: AbortController | null = null;

  constructor(ports: LeasePorts) {
    this.#ports = ports;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get isHeld(): boolean {
    return this.#epoch > 0;
  }

  /** True when a later epoch exists: what this one writes must be refused. Notices the loss. */
  isFenced(): boolean {
    if (this.#epoch === 0) return true;
    if (!existsSync(this.#path(this.#epoch + 1))) return false;
    this.#lose();
    return true;
  }

  /** The holder who keeps this window from getting it, or null when it is held now. */
  async acquire(force: boolean): Promise<LeaseHolder | null> {
    if (this.isHeld && !this.isFenced()) return null;
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const latest = await this.#latestEpoch();
      const holder = force ? null : await this.#holderOf(latest);
      if (holder !== null) return holder;
      if (await this.#create(latest + 1)) return null;
    }
    throw storageError(new Error("the lease changes hands without end"), this.#ports.folder);
  }

  async holder(): Promise<LeaseHolder | null> {
    return this.#holderOf(await this.#latestEpoch());
  }

  async release(): Promise<void> {
    const epoch = this.#epoch;
    if (epoch === 0) return;
    this.#stop();
    await writeFile(this.#path(epoch), JSON.stringify(await ownRecord(this.#ports.owner, true)));
  }

  #stop(): void {
    this.#epoch = 0;
    this.#renewing?.abort();
    this.#renewing = null;
  }

  #lose(): void {
    this.#stop();
    this.#ports.onLost();
  }

  #path(epoch: number): string {
    return join(this.#ports.folder, `lease.${epoch}`);
  }

  async #latestEpoch(): Promise<number> {
    const names = await readdir(this.#ports.folder);
    return Math.max(0, ...names.map((name) => Number(NAME.exec(name)?.[1] ?? 0)));
  }

  /** False when somebody else was quicker. */
  async #create(epoch: number): Promise<boolean> {
    try {
      const handle = await open(this.#path(epoch), "wx", 0o600);
      try {
        await handle.writeFile(JSON.stringify(await ownRecord(this.#ports.owner, false)));
      } finally {
        await handle.close();
      }
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === "EEXIST") return false;
      // The file of a lease that could not be filled would lock everybody out until it is stale.
      await rm(this.#path(epoch), { force: true }).catch(() => {});
      throw storageError(thrown, this.#ports.folder);
    }
    this.#epoch = epoch;
    void this.#renew(epoch);
    void this.#removeBefore(epoch);
    return true;
  }

  async #renew(epoch: number): Promise<void> {
    const renewing = new AbortController();
    this.#renewing = renewing;
    while (!renewing.signal.aborted) {
      try {
        await this.#ports.clock.sleep(limits.leaseRenewMs, renewing.signal);
        if (this.#epoch !== epoch || this.isFenced()) return;
        const now = new Date();
        await utimes(this.#path(epoch), now, now);
      } catch (thrown) {
        if (!renewing.signal.aborted) this.#ports.report("a lease could not be renewed", thrown);
      }
    }
  }

  /** Leases of the past; the one before stays, as its holder may be about to read it. */
  async #removeBefore(epoch: number): Promise<void> {
    const names = await readdir(this.#ports.folder).catch(() => []);
    for (const name of names) {
      const old = Number(NAME.exec(name)?.[1] ?? Infinity);
      if (old < epoch - 1) await rm(join(this.#ports.folder, name), { force: true }).catch(() => {});
    }
  }

  /** Who holds the lease of `epoch`, if anybody alive does and it is not this object. */
  async #holderOf(epoch: number): Promise<LeaseHolder | null> {
    if (epoch === 0 || epoch === this.#epoch) return null;
    const path = this.#path(epoch);
    try {
      const [text, { mtimeMs }] = await Promise.all([readFile(path, "utf8"), stat(path)]);
      const record = parseRecord(text);
      const isFresh = Date.now() - mtimeMs < limits.leaseStaleMs;
      // A record that is not written yet: somebody is about to hold it.
      if (record === null) return isFresh ? { epoch, owner: "another window" } : null;
      if (record.released) return null;
      const isHere = record.host === hostname();
      if (isHere && !(await isAlive(record.pid, record.started))) return null;
      return isFresh ? { epoch, owner: record.owner } : null;
    } catch {
      return null;
    }
  }
}

async function ownRecord(owner: string, released: boolean): Promise<HolderRecord> {
  return { owner, pid: process.pid, started: await startOf(process.pid), host: hostname(), released };
}

function parseRecord(text: string): HolderRecord | null {
  try {
    const value: unknown = JSON.parse(text);
    if (!isObject(value)) return null;
    const { owner, pid, started, host, released } = value;
    if (typeof owner !== "string" || typeof pid !== "number" || typeof started !== "string") return null;
    return { owner, pid, started, host: String(host), released: released === true };
  } catch {
    return null;
  }
}

async function isAlive(pid: number, started: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = await startOf(pid);
  return now === "" || started === "" || now === started;
}

/** The start time of a process where the system tells it (Linux), else the empty string. */
async function startOf(pid: number): Promise<string> {
  try {
    const stat_ = await readFile(`/proc/${pid}/stat`, "utf8");
    return stat_.slice(stat_.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}
