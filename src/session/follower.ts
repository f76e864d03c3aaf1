/** Notices that another window has appended to a log. The watcher is quick where it works, the clock is sure. */
import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import type { Clock } from "../core/clock.ts";
import { limits } from "../core/limits.ts";

export interface FollowerPorts {
  readonly path: string;
  readonly clock: Clock;
  /** Looks for more; must not reject. Never called while the look before is under way. */
  readonly look: () => Promise<void>;
}

export class Follower {
  readonly #ports: FollowerPorts;
  #watcher: FSWatcher | null = null;
  #stopping: AbortController | null = null;
  #isLooking = false;
  #isAskedAgain = false;

  constructor(ports: FollowerPorts) {
    this.#ports = ports;
  }

  start(): void {
    if (this.#stopping !== null) return;
    this.#stopping = new AbortController();
    try {
      this.#watcher = watch(this.#ports.path, { persistent: false }, () => void this.#look());
      this.#watcher.on("error", () => this.#unwatch());
    } catch {
      // No more watchers on this system: the clock has to do.
    }
    void this.#poll(this.#stopping.signal);
    void this.#look();
  }

  stop(): void {
    this.#unwatch();
    this.#stopping?.abort();
    this.#stopping = null;
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }

  async #poll(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await this.#ports.clock.sleep(limits.followPollMs, signal);
        await this.#look();
      }
    } catch {
      // Stopped.
    }
  }

  async #look(): Promise<void> {
    this.#isAskedAgain = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    while (this.#isAskedAgain && this.#stopping !== null) {
      this.#isAskedAgain = false;
      await this.#ports.look();
    }
    this.#isLooking = false;
  }
}
