/** Puts a resource into a hand: taken up here, sent as one file, and moved into its place there in one step. */
import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Resource } from "../core/config.ts";
import { messageOf } from "../core/json.ts";
import { limits } from "../core/limits.ts";
import { ResourceFailed } from "../core/resource.ts";
import type { MountContext, MountResource } from "../core/resource.ts";
import type { Hand, HandFiles } from "../core/hand.ts";
import { cloneRepository } from "./gitClone.ts";
import { parseSourceRef } from "./sourceRef.ts";
import type { Source } from "./sourceRef.ts";

/** How what was taken up is to be put there. */
interface Load {
  /** `tree`: a tar of what belongs into the folder `mount_path`; `file`: the bytes of the file `mount_path`. */
  readonly kind: "tree" | "file";
  readonly bytes: AsyncIterable<Uint8Array>;
}

const BUSY = 47;

export const mountResource: MountResource = async (resource, hand, context) => {
  const { files } = hand;
  const run = hand.run?.bind(hand);
  if (files === undefined || run === undefined) {
    throw failed(resource, "this hand has no files");
  }
  const source = parseSourceRef(resource.source_ref);
  if (source === null) {
    throw failed(resource, "give a git remote, an absolute path, or an http or https address as source_ref");
  }
  const scratch = await mkdtemp(join(tmpdir(), "many-hands-resource-"));
  try {
    const load = await take(source, resource, scratch, context);
    return await put(load, resource, { files, run }, context);
  } catch (thrown) {
    context.signal.throwIfAborted();
    if (thrown instanceof ResourceFailed) throw thrown;
    throw failed(resource, messageOf(thrown), thrown);
  } finally {
    await rm(scratch, { recursive: true, force: true, maxRetries: 3 });
  }
};

async function take(source: Source, resource: Resource, scratch: string, context: MountContext): Promise<Load> {
  switch (source.kind) {
    case "git": {
      const directory = join(scratch, "clone");
      await cloneRepository({ ...source, directory, ...context });
      return { kind: "tree", bytes: packed(directory) };
    }
    case "path": {
      const info = await stat(source.path).catch(() => null);
      if (info === null) throw failed(resource, "there is no such file or folder on this computer");
      if (info.isDirectory()) return { kind: "tree", bytes: packed(source.path) };
      return unpacked(source.path, createReadStream(source.path));
    }
    case "fetch": {
      const signal = AbortSignal.any([context.signal, AbortSignal.timeout(limits.resourceMs)]);
      const response = await fetch(source.url, { signal });
      if (!response.ok || response.body === null) throw failed(resource, `the server answered ${response.status}`);
      return unpacked(new URL(source.url).pathname, Readable.fromWeb(response.body as never));
    }
  }
}

/** What an archive holds, by its name; other files as they are. */
function unpacked(name: string, bytes: Readable): Load {
  if (/\.(tar\.gz|tgz)$/i.test(name)) return { kind: "tree", bytes: bytes.pipe(createGunzip()) };
  return { kind: /\.tar$/i.test(name) ? "tree" : "file", bytes };
}

/** The folder as a tar; rejects in the middle when tar does. */
async function* packed(directory: string): AsyncGenerator<Uint8Array> {
  const child = spawn("tar", ["-cf", "-", "-C", directory, "."], {
    stdio: ["ignore", "pipe", "pipe"],
    windowsHide: true,
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-500)));
  const closed = new Promise<number | null>((resolve, reject) => {
    child.on("close", resolve);
    child.on("error", reject);
  });
  closed.catch(() => {});
  for await (const chunk of child.stdout) yield chunk as Uint8Array;
  const status = await closed;
  // 1: a file changed while it was read, which a folder in use does.
  if (status !== 0 && status !== 1) throw new Error(`tar ended with status ${status}: ${said}`);
}

async function put(
  load: Load,
  resource: Resource,
  hand: { readonly files: HandFiles; readonly run: NonNullable<Hand["run"]> },
  { onProgress }: MountContext,
): Promise<number> {
  const target = posix.resolve(hand.files.root, resource.mount_path);
  const staged = `${posix.dirname(target)}/.many-hands-${Math.random().toString(36).slice(2)}`;
  await script(hand, resource, `mkdir -p -- ${quote(posix.dirname(target))}`);
  let bytes = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of load.bytes) {
      bytes += chunk.length;
      onProgress(`${posix.basename(target)}: ${Math.round(bytes / 1024)} KiB`);
      yield chunk;
    }
  };
  try {
    await hand.files.write(staged, counted());
    await script(hand, resource, load.kind === "tree" ? treeScript(staged, target) : fileScript(staged, target));
  } finally {
    await hand.run(`rm -rf -- ${quote(staged)} ${quote(`${staged}.d`)}`).catch(() => {});
  }
  return bytes;
}

/** An empty folder gives way; anything else that is there stays as it is. */
function treeScript(staged: string, target: string): string {
  const [from, to, folder] = [staged, target, `${staged}.d`].map(quote);
  return `if [ -e ${to} ]; then rmdir -- ${to} 2>/dev/null || exit ${BUSY}; fi
mkdir -- ${folder} && tar -xf ${from} -C ${folder} && mv -- ${folder} ${to}`;
}

function fileScript(staged: string, target: string): string {
  return `[ ! -e ${quote(target)} ] || exit ${BUSY}
mv -- ${quote(staged)} ${quote(target)}`;
}

async function script(
  hand: { readonly run: NonNullable<Hand["run"]> },
  resource: Resource,
  text: string,
): Promise<void> {
  const { status, output } = await hand.run(text);
  if (status === BUSY) throw failed(resource, `${resource.mount_path} is there already; nothing was changed`);
  const said = output.trim() === "" ? `a command there ended with status ${status}` : output.trim();
  if (status !== 0) throw failed(resource, said);
}

function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function failed({ source_ref, mount_path }: Resource, why: string, cause?: unknown): ResourceFailed {
  return new ResourceFailed("resource_error", `${source_ref} could not be put to ${mount_path}: ${why}.`, cause);
}
