/** What stands after the last whole line of a log: taken in, or moved into a file beside it. */
import { fstatSync, truncateSync } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { syncFolder } from "./durable.ts";
import { NEWLINE } from "./line.ts";
import { LOG_NAME } from "./logView.ts";
import type { LogView } from "./logView.ts";
import { readFully } from "./readLines.ts";

/** How long bytes without a newline must not change before they are taken for the remains of a crash, in milliseconds. */
const SETTLE_MS = 150;
const COPY_BYTES = 1024 * 1024;

export interface Torn {
  readonly set_aside: string;
  readonly bytes: number;
}

/**
 * Takes in all that others wrote. A last line that was torn by a crash is moved into `events.torn-<offset>-<n>`; gives
 * what was moved, or null. With `isSuspect`, somebody may still be writing: the bytes must have come to rest first.
 */
export async function settleTail(
  view: LogView,
  folder: string,
  clock: Clock,
  isSuspect: boolean,
): Promise<Torn | null> {
  await view.refresh();
  if (isSuspect) {
    for (let size = -1; view.size() > view.end && size !== view.size();) {
      size = view.size();
      await clock.sleep(SETTLE_MS);
      await view.refresh();
    }
  }
  await view.refresh(true);
  const size = view.size();
  if (size <= view.end) return null;
  const path = join(folder, LOG_NAME);
  const set_aside = await unusedName(folder, view.end);
  await copyPart(path, join(folder, set_aside), view.end, size);
  await syncFolder(folder);
  // Bytes that came in the meantime are somebody's line: the next look takes them in.
  if (view.size() === size) truncateSync(path, view.end);
  return { set_aside, bytes: size - view.end };
}

/** True when the last byte before `end` is no newline: a whole line lost only that, and the next one must begin with it. */
export async function lacksNewline(folder: string, end: number): Promise<boolean> {
  if (end === 0) return false;
  const file = await open(join(folder, LOG_NAME), "r");
  try {
    const byte = Buffer.alloc(1);
    await readFully(file, byte, end - 1);
    return byte[0] !== NEWLINE;
  } finally {
    await file.close();
  }
}

/** Takes back the last bytes of the log, if they are `own` or the beginning of it; false when they are somebody else's. */
export function takeBack(fd: number, path: string, end: number, own: Buffer, tail: Buffer): boolean {
  if (!own.subarray(0, tail.length).equals(tail) || fstatSync(fd).size !== end + tail.length) return false;
  truncateSync(path, end);
  return true;
}

async function unusedName(folder: string, offset: number): Promise<string> {
  const names = new Set(await readdir(folder));
  let number = 1;
  while (names.has(`events.torn-${offset}-${number}`)) number += 1;
  return `events.torn-${offset}-${number}`;
}

async function copyPart(from: string, to: string, start: number, end: number): Promise<void> {
  const source = await open(from, "r");
  try {
    const target = await open(to, "wx", 0o600);
    try {
      for (let at = start; at < end;) {
        const bytes = Buffer.allocUnsafe(Math.min(COPY_BYTES, end - at));
        const read = await readFully(source, bytes, at);
        if (read === 0) break;
        await target.writeFile(bytes.subarray(0, read));
        at += read;
      }
      await target.datasync();
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}
