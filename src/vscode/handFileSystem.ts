/** Files of hands as VS Code's own: browse, open, edit and save, wherever they are. */
import * as vscode from "vscode";
import type { FileStat, HandFiles } from "../core/hand.ts";
import { messageOf } from "../core/json.ts";
import { limits } from "../core/limits.ts";
import type { SessionService } from "../core/service.ts";
import { parseHandAuthority } from "./handUri.ts";

/** Nobody tells of changes at a far end: VS Code looks again when an editor comes into view, and before it saves. */
export class HandFileSystem implements vscode.FileSystemProvider {
  readonly #service: Pick<SessionService, "openHand">;
  readonly #changed = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  readonly onDidChangeFile = this.#changed.event;

  constructor(service: Pick<SessionService, "openHand">) {
    this.#service = service;
  }

  watch(): vscode.Disposable {
    return new vscode.Disposable(() => {});
  }

  async stat(uri: vscode.Uri): Promise<vscode.FileStat> {
    return this.#with(uri, async (files) => statOf(await files.stat(uri.path)));
  }

  async readDirectory(uri: vscode.Uri): Promise<[string, vscode.FileType][]> {
    return this.#with(uri, async (files) => {
      const entries = await files.list(uri.path);
      return entries.map((entry) => [entry.name, typeOf(entry)]);
    });
  }

  async readFile(uri: vscode.Uri): Promise<Uint8Array> {
    return this.#with(uri, async (files) => {
      const { kind, bytes } = await files.stat(uri.path);
      if (kind === "other") throw vscode.FileSystemError.Unavailable(`${uri.path} is no file that could be opened.`);
      mustFit(bytes);
      const chunks: Uint8Array[] = [];
      let read = 0;
      await files.read(uri.path, async (chunk) => {
        read += chunk.length;
        mustFit(read);
        chunks.push(Uint8Array.from(chunk));
      });
      return Buffer.concat(chunks);
    });
  }

  async writeFile(
    uri: vscode.Uri,
    content: Uint8Array,
    options: { create: boolean; overwrite: boolean },
  ): Promise<void> {
    await this.#with(uri, async (files) => {
      const existing = await statIfThere(files, uri.path);
      if (existing === null && !options.create) throw vscode.FileSystemError.FileNotFound(uri);
      if (existing !== null && options.create && !options.overwrite) throw vscode.FileSystemError.FileExists(uri);
      if (existing?.kind === "directory") throw vscode.FileSystemError.FileIsADirectory(uri);
      await files.write(uri.path, once(content));
      const { Changed, Created } = vscode.FileChangeType;
      this.#changed.fire([{ type: existing === null ? Created : Changed, uri }]);
    });
  }

  async createDirectory(uri: vscode.Uri): Promise<void> {
    await this.#with(uri, (files) => files.makeDirectory(uri.path));
    this.#changed.fire([{ type: vscode.FileChangeType.Created, uri }]);
  }

  async delete(uri: vscode.Uri, { recursive }: { recursive: boolean }): Promise<void> {
    await this.#with(uri, async (files) => {
      const { kind, is_link } = await files.stat(uri.path);
      const isFolder = kind === "directory" && !is_link;
      if (isFolder && !recursive && (await files.list(uri.path)).length > 0) {
        throw vscode.FileSystemError.NoPermissions(`${uri.path} is not empty.`);
      }
      await files.remove(uri.path);
    });
    this.#changed.fire([{ type: vscode.FileChangeType.Deleted, uri }]);
  }

  async rename(from: vscode.Uri, to: vscode.Uri, { overwrite }: { overwrite: boolean }): Promise<void> {
    if (from.authority !== to.authority) {
      throw vscode.FileSystemError.NoPermissions("A file cannot be moved from one hand to another. Copy it.");
    }
    await this.#with(from, async (files) => {
      if (!overwrite && (await statIfThere(files, to.path)) !== null) throw vscode.FileSystemError.FileExists(to);
      await files.rename(from.path, to.path);
    });
    const { Deleted, Created } = vscode.FileChangeType;
    this.#changed.fire([
      { type: Deleted, uri: from },
      { type: Created, uri: to },
    ]);
  }

  async #with<T>(uri: vscode.Uri, use: (files: HandFiles) => Promise<T>): Promise<T> {
    const address = parseHandAuthority(uri.authority);
    if (address === null) throw vscode.FileSystemError.FileNotFound(uri);
    if (!vscode.workspace.isTrusted) {
      throw vscode.FileSystemError.NoPermissions("This workspace is not trusted: no hand is reached.");
    }
    try {
      const { files } = await this.#service.openHand(address.sessionId, address.hand);
      if (files === undefined) throw vscode.FileSystemError.Unavailable(`The hand “${address.hand}” has no files.`);
      return await use(files);
    } catch (thrown) {
      throw thrown instanceof vscode.FileSystemError ? thrown : fileError(thrown, uri);
    }
  }
}

/** By the code: errors cross from one bundle to another here, so their class says nothing. */
function fileError(thrown: unknown, uri: vscode.Uri): vscode.FileSystemError {
  switch ((thrown as { readonly code?: unknown }).code) {
    case "file_missing":
      return vscode.FileSystemError.FileNotFound(uri);
    case "file_exists":
      return vscode.FileSystemError.FileExists(uri);
    case "file_denied":
    case "not_trusted":
      return vscode.FileSystemError.NoPermissions(messageOf(thrown));
    default:
      return vscode.FileSystemError.Unavailable(messageOf(thrown));
  }
}

async function statIfThere(files: HandFiles, path: string): Promise<FileStat | null> {
  try {
    return await files.stat(path);
  } catch (thrown) {
    if ((thrown as { readonly code?: unknown }).code === "file_missing") return null;
    throw thrown;
  }
}

function mustFit(bytes: number): void {
  if (bytes <= limits.handOpenBytesMax) return;
  const megabytes = Math.floor(limits.handOpenBytesMax / 1024 / 1024);
  throw vscode.FileSystemError.Unavailable(`Files of more than ${megabytes} MiB are not opened here.`);
}

function statOf(stat: FileStat): vscode.FileStat {
  return { type: typeOf(stat), ctime: stat.modified_ms, mtime: stat.modified_ms, size: stat.bytes };
}

function typeOf({ kind, is_link }: FileStat): vscode.FileType {
  const { File, Directory, Unknown, SymbolicLink } = vscode.FileType;
  const type = kind === "file" ? File : kind === "directory" ? Directory : Unknown;
  // A set of bits, by VS Code's own definition of it.
  // eslint-disable-next-line typescript/no-unsafe-enum-assignment
  return is_link ? type | SymbolicLink : type;
}

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}
