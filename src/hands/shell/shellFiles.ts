/** The files at a far end that only gives a shell. */
import { randomBytes } from "node:crypto";
import { posix } from "node:path";
import { ManyHandsError } from "../../core/errors.ts";
import type { FileEntry, FileStat, HandFiles } from "../../core/hand.ts";
import { limits } from "../../core/limits.ts";
import type { Link } from "./link.ts";
import { StreamLost } from "./supervisor.ts";
import { putRequest, SPELT_BYTES } from "./putRequest.ts";

/** Requests on their way at once. */
const AHEAD_MAX = 16;

export function filesOverShell(link: Link): HandFiles {
  const act = async (path: string, name: string, ...words: readonly string[]): Promise<void> => {
    const { text } = await link.request(name, ...words);
    if (text !== "ok") throw fileError(path, text.replace(/^fail /, ""));
  };
  return {
    root: link.facts.startDirectory,
    stat: (path) => stat(link, path),
    list: (path) => list(link, path),
    read: (path, take, offset = 0) => read(link, path, take, offset),
    write: (path, content) => write(link, path, content),
    makeDirectory: (path) => act(path, "mkdir", path),
    rename: (from, to) => act(from, "mv", from, to),
    remove: (path) => act(path, "del", path),
  };
}

async function stat(link: Link, path: string): Promise<FileStat> {
  const { text } = await link.request("stat", path);
  const found = parseStat(text);
  if (found === null) throw fileError(path, "No such file or directory");
  return found;
}

/** `kind bytes seconds link` */
function parseStat(text: string): FileStat | null {
  const [kind, bytes, seconds, link] = text.split(" ");
  if (kind === "none" || kind === undefined) return null;
  return {
    kind: kind === "file" || kind === "directory" ? kind : "other",
    bytes: Math.max(0, Number(bytes) || 0),
    modified_ms: (Number(seconds) || 0) * 1_000,
    is_link: link === "link",
  };
}

/** Each name on a line of its own behind its facts, ended by NUL: a name can hold a newline. */
async function list(link: Link, path: string): Promise<readonly FileEntry[]> {
  const facts = await stat(link, path);
  if (facts.kind !== "directory") throw fileError(path, "Not a directory");
  const { text } = await link.request("list", path);
  const [word, name = ""] = text.split(" ");
  if (word !== "ok") throw fileError(path, text.replace(/^fail /, ""));
  const pieces: Buffer[] = [];
  await readPieces(link, name, 0, async (chunk) => void pieces.push(chunk));
  link.request("del", name).catch(() => {});
  return Buffer.concat(pieces)
    .toString("utf8")
    .split("\0")
    .flatMap((line) => {
      const words = /^(\S+ \S+ \S+ \S+) ([^]+)$/.exec(line);
      const found = words === null ? null : parseStat(words[1] ?? "");
      return found === null ? [] : [{ ...found, name: words?.[2] ?? "" }];
    });
}

async function read(
  link: Link,
  path: string,
  take: (chunk: Uint8Array) => Promise<void>,
  offset: number,
): Promise<void> {
  const facts = await stat(link, path);
  if (facts.kind === "directory") throw fileError(path, "Is a directory");
  const { text } = await link.request("may", path);
  if (text !== "ok") throw fileError(path, "Permission denied");
  await readPieces(link, path, offset, take);
}

async function readPieces(
  link: Link,
  path: string,
  from: number,
  take: (chunk: Buffer) => Promise<void>,
): Promise<void> {
  for (let offset = from; ;) {
    const { data } = await link.request("cut", path, String(offset), String(limits.handPieceBytes), "-");
    if (data.length === 0) return;
    offset += data.length;
    await take(data);
  }
}

async function write(link: Link, path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  const beside = posix.join(posix.dirname(path), `.many-hands-${randomBytes(6).toString("hex")}`);
  const once = async (name: string, ...words: readonly string[]): Promise<void> => {
    const { text } = await link.requestOnce(name, ...words);
    if (text === "ok") return;
    throw fileError(path, text.replace(/^fail ?/, "") || "No space left, or no right to write there");
  };
  let bytes = 0;
  try {
    await once("new", beside);
    let ahead: Promise<void>[] = [];
    for await (const chunk of content) {
      for (let start = 0; start < chunk.length; start += SPELT_BYTES) {
        const piece = Buffer.from(chunk.subarray(start, start + SPELT_BYTES));
        bytes += piece.length;
        ahead.push(once(...putRequest(link, beside, piece)));
        if (ahead.length < AHEAD_MAX) continue;
        await Promise.all(ahead);
        ahead = [];
      }
    }
    await Promise.all(ahead);
    const staged = await link.requestOnce("peek", beside);
    if (!staged.text.startsWith(`file ${bytes} `)) throw fileError(path, "No space left");
    await once("place", beside, path);
  } catch (thrown) {
    await link.request("del", beside).catch(() => {});
    if (!(thrown instanceof StreamLost)) throw thrown;
    throw new ManyHandsError("hand_unavailable", "network", `The stream was lost while ${path} was written.`, thrown);
  }
}

/** In words of the far end's own tools. */
export function fileError(path: string, why: string): ManyHandsError {
  const code = /No such file|nonexistent/i.test(why)
    ? "file_missing"
    : /exists|not empty/i.test(why)
      ? "file_exists"
      : "file_denied";
  return new ManyHandsError(code, "hand", `${path}: ${why === "" ? "it was refused" : why}`);
}
