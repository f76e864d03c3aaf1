/** One event as one line of the log: encoding, decoding, and what can be saved from damaged bytes. */
import { crc32 } from "node:zlib";
import type { EventId } from "../core/ids.ts";
import { isObject } from "../core/json.ts";
import type { AnyEvent } from "../core/sessionState.ts";

const CRC_KEY = Buffer.from(',"crc":"');
const START = Buffer.from('{"seq":');
/** `,"crc":"` + 8 hex digits + `"}` */
const TAIL_BYTES = CRC_KEY.length + 10;
export const NEWLINE = 0x0a;

/** What a line holds besides seq, id, type and time: the payload as JSON without its braces; may be empty. */
export function encodeLine(seq: number, id: EventId, type: string, time: string, members: string): Buffer {
  const comma = members === "" ? "" : ",";
  const head = `{"seq":${seq},"id":${JSON.stringify(id)},"type":${JSON.stringify(type)},"processed_at":"${time}"${comma}${members}`;
  const crc = crc32(head).toString(16).padStart(8, "0");
  return Buffer.from(`${head},"crc":"${crc}"}\n`);
}

/** The event in `bytes` (a line without its newline), or null when they are not exactly what was written. */
export function decodeLine(bytes: Buffer): AnyEvent | null {
  const split = bytes.length - TAIL_BYTES;
  if (split < START.length || !bytes.subarray(split, split + CRC_KEY.length).equals(CRC_KEY)) return null;
  const hex = bytes.toString("latin1", split + CRC_KEY.length, bytes.length - 2);
  if (!/^[0-9a-f]{8}$/.test(hex) || bytes.toString("latin1", bytes.length - 2) !== '"}') return null;
  const head = bytes.subarray(0, split);
  if (crc32(head) !== Number.parseInt(hex, 16)) return null;
  return parseHead(head);
}

function parseHead(head: Buffer): AnyEvent | null {
  try {
    const event: unknown = JSON.parse(`${head.toString("utf8")}}`);
    if (!isObject(event)) return null;
    const { seq, id, type, processed_at } = event;
    const sound = Number.isSafeInteger(seq) && (seq as number) > 0 && typeof id === "string";
    return sound && typeof type === "string" && typeof processed_at === "string"
      ? (event as unknown as AnyEvent)
      : null;
  } catch {
    return null;
  }
}

export interface Salvaged {
  readonly event: AnyEvent;
  /** Where in the bytes the event begins and ends. */
  readonly start: number;
  readonly end: number;
}

/**
 * The whole events inside of bytes that are no valid line as they stand: a damaged newline merges two good lines, and
 * garbage may come before or after one. Only what passes its checksum counts.
 */
export function salvage(bytes: Buffer): readonly Salvaged[] {
  const found: Salvaged[] = [];
  let from = 0;
  for (let key = bytes.indexOf(CRC_KEY); key !== -1; key = bytes.indexOf(CRC_KEY, key + 1)) {
    const end = key + TAIL_BYTES;
    if (end > bytes.length) break;
    for (let start = bytes.indexOf(START, from); start !== -1 && start < key; start = bytes.indexOf(START, start + 1)) {
      const event = decodeLine(bytes.subarray(start, end));
      if (event === null) continue;
      found.push({ event, start, end });
      from = end;
      break;
    }
  }
  return found;
}
