/**
 * One writer for a session, by files: `lease.<epoch>` is made with O_EXCL, and the highest number is the lease. Whoever
 * makes the next one removes those before it and only then begins to write. So getting a lease is one atomic step, and
 * whether one still has it is one look before each write: is my file there?
 */
import { existsSync } from "node:fs";
import { open, readFile, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { limits } from "../core/limits.ts";
import type { LeaseHolder } from "../core/sessionLog.ts";
import { replaceFile } from "./durable.ts";
import { isRunning, ownRecord, parseRecord } from "./leaseRecord.ts";
import { isMissing, storageError, systemCode } from "./storageErrors.ts";

const NAME = /^lease\.(\d{1,15})$/;
const TRIES_MAX = 20;
/** A holder that seems asleep may just have woken up, as this window has: it gets this long to renew, in milliseconds. */
const GRACE_MS = limits.leaseRenewMs + 500;

export interface LeasePorts {
  readonly folder: string;
  readonly owner: string;
  readonly clock: Clock;
  /** Another window has it now. Called once for each lease that was held. */
  readonly onLost: () => void;
  readonly report: (what: string, thrown?: unknown) => void;
}

/** How the highest lease stands: `free` is given back or its holder is gone for sure; `stale` was not renewed in time. */
type Standing =
  | { readonly kind: "free"; readonly epoch: number }
  | {
      readonly kind: "alive" | "stale";
      readonly epoch: number;
      readonly holder: LeaseHolder;
      readonly renewedMs: number;
    };

export class Lease {
  readonly #ports: LeasePorts;
  #epoch = 0;
  #path = "";
  #renewing = new AbortController();

  constructor(ports: LeasePorts) {
    this.#ports = ports;
  }

  /** 0 while it is not held. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Looks whether it is still held; notices the loss. */
  isCurrent(): boolean {
    if (this.#epoch === 0) return false;
    if (existsSync(this.#path)) return true;
    this.#drop();
    this.#ports.onLost();
    return false;
  }

  /**
   * `held`: by this object now. `isSuspect` says that the one before did not give it back and may still write a line.
   * With `force` it is taken from whoever has it.
   */
  async acquire(
    force: boolean,
  ): Promise<
    { readonly kind: "held"; readonly isSuspect: boolean } | { readonly kind: "busy"; readonly holder: LeaseHolder }
  > {
    if (this.isCurrent()) return { kind: "held", isSuspect: false };
    try {
      for (let tries = 0; tries < TRIES_MAX; tries += 1) {
        const standing = await this.#standing();
        if (standing.kind !== "free" && !force) {
          if (standing.kind === "alive" || (await this.#wokeUp(standing))) {
            return { kind: "busy", holder: standing.holder };
          }
        }
        if (await this.#create(standing.epoch + 1)) return { kind: "held", isSuspect: standing.kind !== "free" };
      }
    } catch (thrown) {
      throw storageError(thrown, this.#ports.folder);
    }
    throw storageError(new Error("the lease changes hands without end"), this.#ports.folder);
  }

  /** Who has it, if anybody who is alive does. Changes nothing. */
  async holder(): Promise<LeaseHolder | null> {
    const standing = await this.#standing().catch(() => null);
    return standing?.kind === "alive" ? standing.holder : null;
  }

  /** Gives it back, so that the next one need not wait. */
  async release(): Promise<void> {
    if (!this.isCurrent()) return;
    const epoch = this.#epoch;
    const own = this.#path;
    this.#drop();
    try {
      const record = { ...(await ownRecord(epoch, this.#ports.owner)), released: true };
      await replaceFile(own, JSON.stringify(record), false);
    } catch {
      // No room for that: a lease that was never renewed is free as well, and says so without a byte.
      await utimes(own, 0, 0).catch((thrown: unknown) => this.#ports.report("a lease was not given back", thrown));
    }
  }

  #drop(): void {
    this.#epoch = 0;
    this.#renewing.abort();
  }

  #pathOf(epoch: number): string {
    return join(this.#ports.folder, `lease.${epoch}`);
  }

  async #epochs(): Promise<readonly number[]> {
    const names = await readdir(this.#ports.folder);
    const epochs = names.flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number);
    return epochs.toSorted((a, b) => a - b);
  }

  async #standing(triesLeft = TRIES_MAX): Promise<Standing> {
    const epoch = (await this.#epochs()).at(-1) ?? 0;
    if (epoch === 0) return { kind: "free", epoch };
    const path = this.#pathOf(epoch);
    let text: string;
    let mtimeMs: number;
    try {
      [text, { mtimeMs }] = await Promise.all([readFile(path, "utf8"), stat(path)]);
    } catch (thrown) {
      // Removed between the two looks, as there is a later one now.
      if (isMissing(thrown) && triesLeft > 0) return this.#standing(triesLeft - 1);
      throw thrown;
    }
    const record = parseRecord(text);
    if (record?.released === true || mtimeMs === 0) return { kind: "free", epoch };
    if (record !== null && (await isRunning(record)) === false) return { kind: "free", epoch };
    // A record that is not written yet: somebody is about to hold it.
    const holder = { epoch, owner: record?.owner ?? "another window" };
    const isFresh = this.#ports.clock.now() - mtimeMs < limits.leaseStaleMs;
    return { kind: isFresh ? "alive" : "stale", epoch, holder, renewedMs: mtimeMs };
  }

  async #wokeUp(standing: { readonly epoch: number; readonly renewedMs: number }): Promise<boolean> {
    await this.#ports.clock.sleep(GRACE_MS);
    const later = await this.#standing();
    return later.epoch !== standing.epoch || (later.kind !== "free" && later.renewedMs !== standing.renewedMs);
  }

  /** False when somebody else was quicker. */
  async #create(epoch: number): Promise<boolean> {
    const path = this.#pathOf(epoch);
    const record = JSON.stringify(await ownRecord(epoch, this.#ports.owner));
    try {
      const file = await open(path, "wx", 0o600);
      try {
        await file.writeFile(record);
        await touch(path, this.#ports.clock.now());
      } finally {
        await file.close();
      }
    } catch (thrown) {
      if (systemCode(thrown) === "EEXIST") return false;
      // A lease that could not be written would lock everybody out until it is stale.
      await rm(path, { force: true }).catch(() => {});
      throw thrown;
    }
    const epochs = await this.#epochs();
    if (epochs.at(-1) !== epoch) {
      // This one was long out of date when it was made: later ones have come and gone.
      await rm(path, { force: true });
      return false;
    }
    await this.#removeOlder(epochs.slice(0, -1), path);
    this.#epoch = epoch;
    this.#path = path;
    this.#renewing = new AbortController();
    void this.#renew(this.#renewing.signal);
    return true;
  }

  /** After this nobody else writes any more. From the lowest on, so that the highest is there at any moment. */
  async #removeOlder(epochs: readonly number[], own: string): Promise<void> {
    try {
      for (const epoch of epochs) await rm(this.#pathOf(epoch), { force: true });
    } catch (thrown) {
      await rm(own, { force: true }).catch(() => {});
      throw thrown;
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#ports.clock.sleep(limits.leaseRenewMs, signal);
        if (this.isCurrent()) await touch(this.#path, this.#ports.clock.now());
      } catch (thrown) {
        if (!signal.aborted && this.isCurrent()) this.#ports.report("a lease could not be renewed", thrown);
      }
    }
  }
}

async function touch(path: string, ms: number): Promise<void> {
  await utimes(path, ms / 1000, ms / 1000);
}
