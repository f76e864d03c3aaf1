/** Reads lines whose places are known, neighbours in one read, and checks each of them. */
import type { FileHandle } from "node:fs/promises";
import type { AnyEvent } from "../core/sessionState.ts";
import { NEWLINE, decodeLine } from "./line.ts";
import type { LogIndex } from "./logIndex.ts";

const READ_BYTES_MAX = 1024 * 1024;
/** Bytes between two lines that are read along rather than read around. */
const SKIP_BYTES_MAX = 16 * 1024;

type OnDamage = (offset: number, bytes: number, reason: string) => void;

/** The events of `ordinals`, in that order. A line that was damaged since it was read first is left out and reported. */
export async function readLines(
  file: FileHandle,
  index: LogIndex,
  ordinals: readonly number[],
  onDamage: OnDamage,
): Promise<AnyEvent[]> {
  const places = ordinals.map((ordinal) => ({
    offset: index.offset(ordinal),
    bytes: index.bytes(ordinal),
    seq: index.seq(ordinal),
  }));
  const events: AnyEvent[] = [];
  for (let at = 0; at < places.length;) {
    const run = nextRun(places, at);
    const start = run[0]?.offset ?? 0;
    const bytes = Buffer.allocUnsafe(endOf(run.at(-1)) - start + 1);
    const read = bytes.subarray(0, await readFully(file, bytes, start));
    for (const place of run) {
      const event = checked(read, start, place, onDamage);
      if (event !== null) events.push(event);
    }
    at += run.length;
  }
  return events;
}

interface LinePlace {
  readonly offset: number;
  readonly bytes: number;
  readonly seq: number;
}

function nextRun(places: readonly LinePlace[], from: number): readonly LinePlace[] {
  const start = places[from]?.offset ?? 0;
  let after = from + 1;
  for (; after < places.length; after += 1) {
    const gap = (places[after]?.offset ?? 0) - endOf(places[after - 1]);
    if (gap < 0 || gap > SKIP_BYTES_MAX || endOf(places[after]) - start > READ_BYTES_MAX) break;
  }
  return places.slice(from, after);
}

function checked(read: Buffer, start: number, place: LinePlace, onDamage: OnDamage): AnyEvent | null {
  const from = place.offset - start;
  const event = decodeLine(read.subarray(from, from + place.bytes));
  const after = read[from + place.bytes];
  if (after !== undefined && after !== NEWLINE) onDamage(endOf(place), 1, "a damaged end of a line");
  if (event?.seq === place.seq) return event;
  onDamage(place.offset, place.bytes, `event ${place.seq} was damaged after it had been written`);
  return null;
}

function endOf(place: LinePlace | undefined): number {
  return (place?.offset ?? 0) + (place?.bytes ?? 0);
}

/** Reads as many bytes as `into` holds, or as there are; gives their number. */
export async function readFully(file: FileHandle, into: Uint8Array, position: number): Promise<number> {
  let read = 0;
  while (read < into.length) {
    const { bytesRead } = await file.read(into, read, into.length - read, position + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return read;
}
