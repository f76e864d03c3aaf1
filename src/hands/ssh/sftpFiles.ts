/** The files at a host, read and written over SFTP, which is quicker than a shell; the rest goes over the shell. */
import { randomBytes } from "node:crypto";
import { posix } from "node:path";
import type { SFTPWrapper } from "ssh2";
import { ManyHandsError } from "../../core/errors.ts";
import type { HandFiles } from "../../core/hand.ts";
import { limits } from "../../core/limits.ts";
import type { Link } from "../shell/link.ts";
import { filesOverShell } from "../shell/shellFiles.ts";
import { ConnectionLost } from "./sshErrors.ts";

type Opened = { readonly sftp: SFTPWrapper; readonly lost: Promise<string> };
type Take = (chunk: Uint8Array) => Promise<void>;

export interface SftpFilesPorts {
  readonly link: Link;
  /** Rejects with ConnectionLost, or where the host has no SFTP. */
  readonly open: () => Promise<Opened>;
}

export function filesOverSftp({ link, open }: SftpFilesPorts): HandFiles {
  const shell = filesOverShell(link);
  /** null: the host has no SFTP, or no session for it. */
  const session = async (): Promise<Session | null> => {
    for (;;) {
      try {
        const { sftp, lost } = await open();
        return new Session(sftp, lost);
      } catch (thrown) {
        if (!(thrown instanceof ConnectionLost)) return null;
        // The shell's stream is opened again; with it there is a connection.
        await link.request("may", "/");
      }
    }
  };
  return {
    ...shell,
    read: async (path, take, offset = 0) => {
      const files = await session();
      if (files === null) return shell.read(path, take, offset);
      const { kind } = await shell.stat(path);
      if (kind === "directory") throw failed(path, { code: 0, message: "Is a directory" });
      let at = offset;
      try {
        await files.read(path, at, async (chunk) => {
          at += chunk.length;
          await take(chunk);
        });
      } catch (thrown) {
        if (!(thrown instanceof ConnectionLost)) throw thrown;
        // The shell's way waits for the next stream, and goes on where this one ended.
        await shell.read(path, take, at);
      }
    },
    write: async (path, content) => {
      const files = await session();
      if (files === null) return shell.write(path, content);
      const beside = posix.join(posix.dirname(path), `.many-hands-${randomBytes(6).toString("hex")}`);
      try {
        await files.write(path, beside, content);
        const { text } = await link.request("place", beside, path);
        if (text !== "ok") throw failed(path, { code: 0, message: text.replace(/^fail /, "") });
      } catch (thrown) {
        await link.request("del", beside).catch(() => {});
        throw thrown;
      }
    },
  };
}

type Failure = { readonly code?: unknown; readonly message: string };

/** Status codes of SFTP. */
const END = 1;
const MISSING = 2;

class Session {
  readonly #sftp: SFTPWrapper;
  readonly #gone: Promise<never>;

  constructor(sftp: SFTPWrapper, lost: Promise<string>) {
    this.#sftp = sftp;
    this.#gone = lost.then((reason) => {
      throw new ConnectionLost(`The connection was lost while files were on their way: ${reason}.`);
    });
    this.#gone.catch(() => {});
  }

  /** One request; a lost connection is told apart from a refusal. */
  #ask<T>(path: string, send: (done: (thrown: Error | null | undefined, value: T) => void) => void): Promise<T> {
    const answer = new Promise<T>((resolve, reject) => {
      try {
        send((thrown, value) => {
          if (thrown === null || thrown === undefined) return resolve(value);
          const isLost = (thrown as Failure).code === undefined || /No response/.test(thrown.message);
          reject(isLost ? new ConnectionLost(`${path}: ${thrown.message}`, thrown) : failed(path, thrown));
        });
      } catch (thrown) {
        reject(new ConnectionLost(`${path}: the connection is lost.`, thrown));
      }
    });
    return Promise.race([answer, this.#gone]);
  }

  async read(path: string, offset: number, take: Take): Promise<void> {
    const handle = await this.#ask<Buffer>(path, (done) => this.#sftp.open(path, "r", done));
    const ahead: Promise<Buffer>[] = [];
    let next = offset;
    const more = (): void => {
      const piece = this.#piece(path, handle, next);
      piece.catch(() => {});
      ahead.push(piece);
      next += limits.sftpPieceBytes;
    };
    try {
      for (let count = 0; count < limits.sftpAheadMax; count += 1) more();
      for (;;) {
        const piece = await (ahead.shift() as Promise<Buffer>);
        if (piece.length > 0) await take(piece);
        if (piece.length < limits.sftpPieceBytes) return;
        more();
      }
    } finally {
      this.#close(handle);
    }
  }

  /** A whole piece, or less at the file's end: a host may give less than it was asked for. */
  async #piece(path: string, handle: Buffer, position: number): Promise<Buffer> {
    const piece = Buffer.allocUnsafe(limits.sftpPieceBytes);
    let have = 0;
    while (have < piece.length) {
      const got = await this.#ask<number>(path, (done) =>
        this.#sftp.read(handle, piece, have, piece.length - have, position + have, (thrown, bytes) => {
          if (thrown && (thrown as Failure).code === END) done(null, 0);
          else done(thrown, bytes);
        }),
      );
      if (got === 0) break;
      have += got;
    }
    return piece.subarray(0, have);
  }

  /** Into a new file `beside`; `path` is what a person is told of. */
  async write(path: string, beside: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const handle = await this.#ask<Buffer>(path, (done) => this.#sftp.open(beside, "wx", 0o600, done));
    const ahead = new Set<Promise<unknown>>();
    let position = 0;
    try {
      for await (const chunk of content) {
        const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
        for (let start = 0; start < bytes.length; start += limits.sftpPieceBytes) {
          const length = Math.min(limits.sftpPieceBytes, bytes.length - start);
          const at = position;
          position += length;
          const sent = this.#ask<number>(path, (done) =>
            this.#sftp.write(handle, bytes, start, length, at, (thrown) => done(thrown, length)),
          );
          ahead.add(sent);
          sent.then(
            () => ahead.delete(sent),
            () => {},
          );
          if (ahead.size >= limits.sftpAheadMax) await Promise.race(ahead);
        }
      }
      await Promise.all(ahead);
      await this.#ask<void>(path, (done) => this.#sftp.close(handle, (thrown) => done(thrown, undefined)));
    } catch (thrown) {
      this.#close(handle);
      throw thrown;
    }
  }

  #close(handle: Buffer): void {
    try {
      this.#sftp.close(handle, () => {});
    } catch {
      // Its connection is gone, and the handle with it.
    }
  }
}

function failed(path: string, { code, message }: Failure): ManyHandsError {
  const kind = code === MISSING || /No such file/i.test(message) ? "file_missing" : "file_denied";
  // SFTP's word for a full disk, and for much else.
  const why = message === "Failure" ? "the host refused it; there may be no space left" : message;
  return new ManyHandsError(kind, "hand", `${path}: ${why}`);
}
