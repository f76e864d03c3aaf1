/** Walks through a stretch of a log file in bounded memory, giving events and damage in the order of their bytes. */
import type { FileHandle } from "node:fs/promises";
import type { Damage } from "../core/sessionLog.ts";
import type { AnyEvent } from "../core/sessionState.ts";
import { NEWLINE, decodeLine, salvage } from "./line.ts";

const CHUNK_BYTES = 256 * 1024;
/** Bytes without a newline that are taken for a line; more can only be garbage. */
const LINE_BYTES_MAX = 8 * 1024 * 1024;

export type Scanned =
  | { readonly kind: "event"; readonly offset: number; readonly event: AnyEvent }
  | ({ readonly kind: "damage" } & Damage);

export interface ScanEnd {
  /** Where the bytes after the last newline begin; the file's size where there are none. */
  readonly end: number;
}

/** Gives every whole line of [from, size) to `visit`. What comes after the last newline is left alone. */
export async function scan(
  file: FileHandle,
  from: number,
  size: number,
  visit: (scanned: Scanned) => void,
): Promise<ScanEnd> {
  let lineStart = from;
  let rest: Buffer = Buffer.alloc(0);
  for (let at = from; at < size;) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - at));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    const bytes =
      rest.length === 0 ? chunk.subarray(0, bytesRead) : Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    let begin = 0;
    for (let newline = bytes.indexOf(NEWLINE); newline !== -1; newline = bytes.indexOf(NEWLINE, begin)) {
      visitLine(bytes.subarray(begin, newline), lineStart, visit);
      lineStart += newline + 1 - begin;
      begin = newline + 1;
    }
    rest = bytes.subarray(begin);
    if (rest.length > LINE_BYTES_MAX) {
      visitLine(rest, lineStart, visit);
      lineStart += rest.length;
      rest = Buffer.alloc(0);
    }
  }
  return { end: lineStart };
}

/** One line: its event; or, where it is damaged, the events that are whole in it and the damage around them. */
export function visitLine(line: Buffer, offset: number, visit: (scanned: Scanned) => void): void {
  const event = decodeLine(line);
  if (event !== null) return visit({ kind: "event", offset, event });
  let told = 0;
  const damaged = (until: number): void => {
    const bytes = until - told;
    if (bytes > 0) {
      visit({ kind: "damage", offset: offset + told, bytes, reason: reasonOf(line.subarray(told, until)) });
    }
  };
  for (const saved of salvage(line)) {
    damaged(saved.start);
    visit({ kind: "event", offset: offset + saved.start, event: saved.event });
    told = saved.end;
  }
  damaged(line.length);
  if (line.length === 0) visit({ kind: "damage", offset, bytes: 1, reason: "an empty line" });
}

function reasonOf(bytes: Buffer): string {
  if (bytes.every((byte) => byte === 0)) return "zero bytes, as a file system leaves after a power failure";
  const text = bytes.toString("latin1", 0, 16);
  return text.startsWith('{"seq":') ? "an event whose checksum does not match" : "bytes that are no event";
}
