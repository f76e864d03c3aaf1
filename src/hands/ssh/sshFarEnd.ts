/** Shells at a host over a connection of ssh2. */
import type { ClientChannel, SFTPWrapper } from "ssh2";
import type { HandTerminal } from "../../core/hand.ts";
import { Emitter } from "../../core/listen.ts";
import type { AcceptConnection, EntranceWay, EntranceWish, FarEnd, ShellStream } from "../shell/shellStream.ts";
import { quote } from "../shell/supervisorScript.ts";
import type { Lease } from "./connectionPool.ts";
import type { SshConnection } from "./sshConnection.ts";
import { ConnectionLost } from "./sshErrors.ts";
import { SshEntrance } from "./sshEntrance.ts";

/** What a login shell of any kind makes a POSIX shell of. */
const SHELL = "exec sh";

export class SshFarEnd implements FarEnd {
  readonly #acquire: (signal: AbortSignal) => Promise<Lease>;
  readonly #ending = new AbortController();
  #lease: Lease | null = null;
  readonly #socketName: string;
  #connection: SshConnection | null = null;
  #entrance: SshEntrance | null = null;

  /**
   * `acquire` gives a connection to the host: the shared one, or a new one. `socketName` tells this hand's way to the
   * credential proxy from those of others: letters and digits.
   */
  constructor(acquire: (signal: AbortSignal) => Promise<Lease>, socketName: string) {
    this.#acquire = acquire;
    this.#socketName = socketName;
  }

  /** The connection that there was is no more. */
  get isLost(): boolean {
    return this.#connection?.isLost === true;
  }

  async open(signal: AbortSignal): Promise<ShellStream> {
    const either = AbortSignal.any([signal, this.#ending.signal]);
    const connection = await this.#connect(either);
    // After a lost connection it is asked for again, before calls can miss it.
    await this.#entrance?.openOn(connection, either);
    return streamOf(await connection.exec(SHELL, either), connection);
  }

  async openEntrance(accept: AcceptConnection, wish: EntranceWish): Promise<EntranceWay> {
    const either = AbortSignal.any([wish.signal, this.#ending.signal]);
    const connection = await this.#connect(either);
    const entrance = new SshEntrance({ accept, wish, socketName: this.#socketName });
    const way = await entrance.openFirst(connection, either);
    this.#entrance = entrance;
    return way;
  }

  async openTerminal(
    { columns, rows }: { readonly columns: number; readonly rows: number },
    directory: string,
  ): Promise<HandTerminal> {
    const connection = await this.#connect(this.#ending.signal);
    const command = `exec sh -c ${quote('cd -- "$1" 2>/dev/null; exec "${SHELL:-sh}" -l')} sh ${quote(directory)}`;
    const pty = { rows, cols: columns, term: "xterm-256color" };
    return terminalOf(await connection.exec(command, this.#ending.signal, pty), connection);
  }

  /** For files, on the connection that there is. Rejects with ConnectionLost where there is none. */
  async sftp(): Promise<{ readonly sftp: SFTPWrapper; readonly lost: Promise<string> }> {
    const connection = this.#connection;
    if (connection === null || connection.isLost) throw new ConnectionLost("The connection is being opened again.");
    return { sftp: await connection.sftp(), lost: connection.lost };
  }

  close(): void {
    this.#ending.abort(new ConnectionLost("the hand was let go of"));
    this.#lease?.release();
    this.#lease = null;
  }

  remove(): Promise<void> {
    return Promise.resolve();
  }

  async #connect(signal: AbortSignal): Promise<SshConnection> {
    if (this.#connection !== null && !this.#connection.isLost) return this.#connection;
    const lease = await this.#acquire(signal);
    this.#lease?.release();
    this.#lease = lease;
    try {
      this.#connection = await unlessAborted(lease.connection, signal);
      return this.#connection;
    } catch (thrown) {
      lease.release();
      throw thrown;
    }
  }
}

function unlessAborted<T>(wait: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    wait.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function streamOf(channel: ClientChannel, connection: SshConnection): ShellStream {
  const ended = new Promise<string>((resolve) => {
    // Channels end with their connection; the reason is then that of the connection.
    channel.on("close", () => void (connection.isLost || resolve("the shell there ended")));
    void connection.lost.then((reason) => resolve(`the connection was lost: ${reason}`));
  });
  const close = (): void => {
    channel.end();
    channel.close();
  };
  return { stdin: channel.stdin, stdout: channel, stderr: channel.stderr, ended, close };
}

function terminalOf(channel: ClientChannel, connection: SshConnection): HandTerminal {
  const written = new Emitter<string>();
  const ended = new Emitter<number | null>();
  let isEnded = false;
  let status: number | null = null;
  const end = (code: number | null): void => {
    if (isEnded) return;
    isEnded = true;
    ended.fire(code);
  };
  const decoder = new TextDecoder();
  channel.on("data", (chunk: Buffer) => written.fire(decoder.decode(chunk, { stream: true })));
  channel.on("exit", (code: number | null) => (status = code));
  channel.on("close", () => end(status));
  channel.on("error", () => {});
  void connection.lost.then(() => end(null));
  return {
    onDidWrite: written.listen,
    onDidEnd: ended.listen,
    write: (text) => void (isEnded || channel.write(text)),
    resize: (columns, rows) => channel.setWindow(rows, columns, 0, 0),
    close: () => {
      channel.end();
      channel.close();
    },
  };
}
