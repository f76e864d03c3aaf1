/** The way back through the system's ssh: a port of the host's loopback, forwarded by the connection that the shell runs on. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "../../core/limits.ts";
import { listening, serve } from "../shell/entranceListener.ts";
import type { AcceptConnection, EntranceWay, EntranceWish, ShellStream } from "../shell/shellStream.ts";
import type { SshTiming } from "./sshConnection.ts";

/** How often a port that is taken is asked for, before another one will do. */
const TRIES = 8;

export interface SystemEntrancePorts {
  readonly accept: AcceptConnection;
  readonly wish: EntranceWish;
  /** A shell at the host, with more options for ssh. */
  readonly connect: (options: readonly string[], signal: AbortSignal) => Promise<ShellStream>;
  readonly environment: () => NodeJS.ProcessEnv;
  readonly timing: SshTiming;
}

/** Whose a connection at the host is, ssh does not say: there the entrance's token decides alone. */
export class SystemEntrance {
  readonly #ports: SystemEntrancePorts;
  #folder: string | null = null;
  #stop: () => void = () => {};
  #port: number | null;
  #made = 0;
  /** The address is found before there is a hand: its connection is the one that the first shell runs on. */
  #first: ShellStream | null = null;
  #isClosed = false;

  constructor(ports: SystemEntrancePorts) {
    this.#ports = ports;
    this.#port = ports.wish.port;
  }

  /** Rejects with the reason. */
  async openFirst(): Promise<EntranceWay> {
    if (process.platform === "win32") {
      throw new Error("the system's ssh of Windows forwards nothing for a running connection");
    }
    const { accept, wish } = this.#ports;
    try {
      this.#folder = await mkdtemp(join(tmpdir(), "mh-"));
      const server = createServer({ allowHalfOpen: true });
      // Its folder is this user's alone.
      this.#stop = serve(await listening(server, this.#listener), { accept, admits: () => Promise.resolve(true) });
      this.#first = await this.#connect(wish.signal);
      this.#port = await this.#forward();
      return { url: this.#url, close: () => this.close() };
    } catch (thrown) {
      this.close();
      throw thrown;
    }
  }

  async open(signal: AbortSignal): Promise<ShellStream> {
    const first = this.#first;
    this.#first = null;
    if (first !== null) return first;
    const stream = await this.#connect(signal);
    // A hand without its way is still a hand: what runs there is followed.
    const port = await this.#forward().catch(() => null);
    if (port !== null && port !== this.#port) {
      this.#port = port;
      await this.#ports.wish.onMove({ url: this.#url });
    }
    return stream;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#first?.close();
    this.#stop();
    if (this.#folder !== null) void rm(this.#folder, { recursive: true, force: true });
  }

  get #url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get #listener(): string {
    return join(this.#folder ?? "", "proxy");
  }

  get #control(): string {
    return join(this.#folder ?? "", `control-${this.#made}`);
  }

  #connect(signal: AbortSignal): Promise<ShellStream> {
    this.#made += 1;
    const master = ["-o", "ControlMaster=yes", "-o", `ControlPath=${this.#control}`, "-o", "ControlPersist=no"];
    return this.#ports.connect(master, signal);
  }

  /** The port that there was, if it is to be had. The connection before may hold it for another moment. */
  async #forward(): Promise<number> {
    if (this.#port !== null && (await this.#isForwarded(this.#port))) return this.#port;
    const said = await this.#ask(0);
    const port = Number(/\d+/.exec(said)?.[0]);
    if (Number.isInteger(port)) return port;
    throw new Error("ssh did not say which port it forwards");
  }

  async #isForwarded(port: number): Promise<boolean> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      if (tries > 0) await sleep(limits.killGraceMs / TRIES);
      try {
        await this.#ask(port);
        return true;
      } catch {
        // Another moment.
      }
    }
    return false;
  }

  /** Of the running connection; no configuration is read, which may have forwardings of its own. */
  #ask(port: number): Promise<string> {
    const forward = `127.0.0.1:${port}:${this.#listener}`;
    const args = [
      "-F",
      "none",
      "-o",
      `ControlPath=${this.#control}`,
      "-O",
      "forward",
      "-R",
      forward,
      "--",
      "many-hands",
    ];
    const options = { env: this.#ports.environment(), timeout: this.#ports.timing.stepMs, windowsHide: true };
    return new Promise((resolve, reject) => {
      execFile("ssh", args, options, (thrown, stdout, stderr) => {
        if (thrown === null) return resolve(stdout);
        const why = stderr.trim().split(/\r?\n/).at(-1) ?? "";
        reject(new Error(`the host forwards no port back (AllowTcpForwarding): ${why || thrown.message}`));
      });
    });
  }
}
