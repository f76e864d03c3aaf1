/** The files at a far end that calls need: what they print, and what they change. Over the shell, where nothing is quicker. */
import { posix } from "node:path";
import { limits } from "../../core/limits.ts";
import type { Link } from "./link.ts";
import { StreamLost } from "./supervisor.ts";
import { putRequest, SPELT_BYTES } from "./putRequest.ts";

export type Take = (chunk: Uint8Array) => Promise<void>;

/** What is at a path; links are followed. */
export interface FileFacts {
  /** Absolute. */
  readonly path: string;
  readonly kind: "none" | "file" | "directory" | "other";
  readonly bytes: number;
}

export interface JournalFiles {
  /** Passes on what call `id` has printed from `offset` on. A status says that there will be no more. */
  drain(id: string, offset: number, take: Take): Promise<{ readonly bytes: number; readonly status: number | null }>;
  /** `path`: absolute, or relative to the start directory. */
  inspect(path: string): Promise<FileFacts>;
  /** Keeps the file as it is now as `<id>.p` in the journal, and gives its bytes. Rejects with the reason. */
  snapshot(id: string, path: string): Promise<Buffer>;
  /** Puts new content as `<id>.n` into the journal. Rejects with the reason. */
  stage(id: string, content: Uint8Array): Promise<void>;
  /** How long an ended call took, in milliseconds; undefined where that is not known. */
  took(id: string): Promise<number | undefined>;
}

export function journalOverShell(link: Link): JournalFiles {
  return {
    drain: (id, offset, take) => drain(link, id, offset, take),
    inspect: (path) => inspect(link, path),
    snapshot: (id, path) => snapshot(link, id, path),
    stage: (id, content) => stage(link, id, Buffer.from(content)),
    took: (id) => took(link, id),
  };
}

export function absolute(path: string, startDirectory: string): string {
  return posix.isAbsolute(path) ? posix.normalize(path) : posix.join(startDirectory, path);
}

async function drain(
  link: Link,
  id: string,
  offset: number,
  take: Take,
): Promise<{ readonly bytes: number; readonly status: number | null }> {
  for (let bytes = 0; ;) {
    const { text, data } = await link.request("tail", id, String(offset + bytes), String(limits.handPieceBytes));
    if (data.length > 0) await take(data);
    bytes += data.length;
    const status = text.split(" ")[2];
    // A piece ends at a block's end: only an empty one says that there is no more.
    if (data.length === 0) return { bytes, status: status === "-" ? null : Number(status) };
  }
}

async function inspect(link: Link, given: string): Promise<FileFacts> {
  const path = absolute(given, link.facts.startDirectory);
  const [kind, bytes, isLink] = (await link.request("peek", path)).text.split(" ");
  const known = kind === "file" || kind === "directory" || kind === "none" ? kind : "other";
  if (isLink !== "link") return { path, kind: known, bytes: Number(bytes) };
  const target = (await link.request("link", path)).data.toString("utf8").replace(/\n$/, "");
  return { path: target === "" ? path : target, kind: known, bytes: Number(bytes) };
}

async function snapshot(link: Link, id: string, path: string): Promise<Buffer> {
  const name = `${id}.p`;
  const { text } = await link.request("copy", path, name);
  if (text !== "ok") throw new Error(text.replace(/^fail /, ""));
  return readWhole(link, name);
}

async function readWhole(link: Link, file: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let bytes = 0; ;) {
    const { data } = await link.request("cut", file, String(bytes), String(limits.handPieceBytes), "-");
    pieces.push(data);
    bytes += data.length;
    if (data.length === 0) return Buffer.concat(pieces);
  }
}

async function stage(link: Link, id: string, content: Buffer): Promise<void> {
  const name = `${id}.n`;
  for (;;) {
    try {
      // One behind the other down the same stream; the answers come back together.
      const requests = [link.requestOnce("new", name)];
      for (let start = 0; start < content.length; start += SPELT_BYTES) {
        requests.push(link.requestOnce(...putRequest(link, name, content.subarray(start, start + SPELT_BYTES))));
      }
      const answers = await Promise.all(requests);
      const staged = await link.requestOnce("peek", name);
      if (answers.every(({ text }) => text === "ok") && staged.text.startsWith(`file ${content.length} `)) return;
      throw new Error("no room, or no right to write there");
    } catch (thrown) {
      // On the next stream from the start: a piece may have been added, and its answer lost.
      if (!(thrown instanceof StreamLost)) throw thrown;
    }
  }
}

async function took(link: Link, id: string): Promise<number | undefined> {
  const [ended = "", began = ""] = (await link.request("took", id)).text.split(" ");
  return ended === "" || began === "" ? undefined : Math.max(0, Number(ended) - Number(began)) * 1_000;
}
