/** Walks through a stretch of a log file in bounded memory, giving events and damage in the order of their bytes. */
import type { FileHandle } from "node:fs/promises";
import { limits } from "../core/limits.ts";
import type { AnyEvent } from "../core/sessionState.ts";
import { LINE_START, NEWLINE, decodeLine, findLines } from "./line.ts";

const CHUNK_BYTES = 512 * 1024;

export interface Visitor {
  event(event: AnyEvent, offset: number, bytes: number): void;
  damage(offset: number, bytes: number, reason: string): void;
  /** All lines of a chunk were given. */
  pause?(): void;
}

/**
 * Gives every line of [from, to) to `visitor`, and resolves to where the bytes that are not accounted for begin: `to`,
 * or the start of a last line without its newline. With `isFinal` a last line that is whole but for its newline counts.
 */
export async function scan(
  file: FileHandle,
  from: number,
  to: number,
  isFinal: boolean,
  visitor: Visitor,
): Promise<number> {
  let offset = from;
  let rest: Buffer = Buffer.alloc(0);
  for (let at = from; at < to;) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - at));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    const read = chunk.subarray(0, bytesRead);
    const bytes = rest.length === 0 ? read : Buffer.concat([rest, read]);
    const searched = rest.length;
    let begin = 0;
    for (let newline = bytes.indexOf(NEWLINE, searched); newline !== -1; newline = bytes.indexOf(NEWLINE, begin)) {
      visitLine(bytes.subarray(begin, newline), offset + begin, visitor);
      begin = newline + 1;
    }
    const overlong = overlongPart(bytes.subarray(begin));
    if (overlong > 0) visitLine(bytes.subarray(begin, begin + overlong), offset + begin, visitor);
    begin += overlong;
    rest = bytes.subarray(begin);
    offset += begin;
    visitor.pause?.();
  }
  if (isFinal && rest.length > 0) offset += visitTail(rest, offset, visitor);
  return offset;
}

/** One line: its event; or, where it is damaged, the lines that are whole in it and the damage around them. */
function visitLine(line: Buffer, offset: number, visitor: Visitor): void {
  if (line.length === 0) return;
  const event = decodeLine(line);
  if (event !== null) return visitor.event(event, offset, line.length);
  const told = visitFound(line, offset, visitor);
  if (told < line.length) visitor.damage(offset + told, line.length - told, reasonOf(line.subarray(told)));
}

/** A last line without its newline: what is whole in it counts, the bytes after are left for the writer to set aside. */
function visitTail(tail: Buffer, offset: number, visitor: Visitor): number {
  return visitFound(tail, offset, visitor);
}

/** Gives the whole lines within `bytes` and the damage between them; resolves to the end of the last one. */
function visitFound(bytes: Buffer, offset: number, visitor: Visitor): number {
  let told = 0;
  for (const { event, start, end } of findLines(bytes)) {
    if (start > told) visitor.damage(offset + told, start - told, reasonOf(bytes.subarray(told, start)));
    visitor.event(event, offset + start, end - start);
    told = end;
  }
  return told;
}

/**
 * How much of these bytes, which have no newline, can only be garbage; 0 while they may be the beginning of a line. What
 * looks like the last line's beginning is kept for the next chunk.
 */
function overlongPart(bytes: Buffer): number {
  if (bytes.length <= limits.logLineBytesHardMax) return 0;
  const lastStart = bytes.lastIndexOf(LINE_START);
  if (lastStart > 0) return lastStart;
  return bytes.length - LINE_START.length;
}

function reasonOf(bytes: Buffer): string {
  if (bytes.every((byte) => byte === 0)) return "zero bytes, as a file system may leave after a power failure";
  if (bytes.indexOf(LINE_START) === 0) return "an event whose checksum does not match its bytes";
  return "bytes that are no event";
}
