/** One hand's way into the proxy: its token, its open connections with their deadlines, and what of it is under way. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Duplex } from "node:stream";
import { limits } from "../../core/limits.ts";
import type { ProxyCaller } from "./proxyRoute.ts";

/** In milliseconds; by default those of `core/limits.ts`. */
export interface Deadlines {
  /** From the opening of a connection to the end of its first request's head. */
  readonly headMs: number;
  /** From the end of an answer to the end of the next request's head. */
  readonly idleMs: number;
}

const usual: Deadlines = { headMs: limits.proxyHeadMs, idleMs: limits.proxyIdleMs };

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

export class Entrance {
  readonly caller: ProxyCaller;
  readonly #digest: Buffer;
  readonly #deadlines: Deadlines;
  readonly #connections = new Map<Duplex, { busy: number; timer: NodeJS.Timeout | undefined }>();
  #requests = 0;
  #isClosed = false;

  constructor(caller: ProxyCaller, token: string, deadlines: Deadlines = usual) {
    this.caller = caller;
    this.#digest = digest(token);
    this.#deadlines = deadlines;
  }

  /** In the same time for every wrong token. */
  isToken(text: string): boolean {
    return !this.#isClosed && timingSafeEqual(digest(text), this.#digest);
  }

  /** False where there is no room for it, or the entrance was closed: then the connection is destroyed. */
  add(connection: Duplex): boolean {
    // A connection that breaks is no error of anybody here.
    connection.on("error", () => {});
    if (this.#isClosed || this.#connections.size >= limits.proxyConnectionsMax) {
      connection.destroy();
      return false;
    }
    this.#connections.set(connection, { busy: 0, timer: this.#expire(connection, this.#deadlines.headMs) });
    connection.once("close", () => {
      clearTimeout(this.#connections.get(connection)?.timer);
      this.#connections.delete(connection);
    });
    return true;
  }

  /** False where too much is under way; else `end` is to be called once when the request has been answered. */
  begin(connection: Duplex): boolean {
    const state = this.#connections.get(connection);
    if (state !== undefined) {
      clearTimeout(state.timer);
      state.busy += 1;
    }
    this.#requests += 1;
    return this.#requests <= limits.proxyRequestsMax;
  }

  end(connection: Duplex): void {
    this.#requests -= 1;
    const state = this.#connections.get(connection);
    if (state === undefined) return;
    state.busy -= 1;
    if (state.busy === 0) state.timer = this.#expire(connection, this.#deadlines.idleMs);
  }

  /** From now on it has deadlines of its own: a tunnel. */
  release(connection: Duplex): void {
    clearTimeout(this.#connections.get(connection)?.timer);
  }

  isBusy(connection: Duplex): boolean {
    return (this.#connections.get(connection)?.busy ?? 0) > 0;
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections.keys()) connection.destroy();
  }

  #expire(connection: Duplex, afterMs: number): NodeJS.Timeout {
    return setTimeout(() => connection.destroy(), afterMs).unref();
  }
}
