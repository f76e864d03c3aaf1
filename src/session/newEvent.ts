/** From an event that is to be appended to what its line needs: checked, named, serialised, its long payload apart. */
import { createHash } from "node:crypto";
import { ManyHandsError } from "../core/errors.ts";
import { isEventType } from "../core/events.ts";
import type { BlobRef, EventType, NewEvent } from "../core/events.ts";
import { parseEventId } from "../core/ids.ts";
import type { EventId, Ids } from "../core/ids.ts";
import { isObject, messageOf } from "../core/json.ts";
import type { JsonObject } from "../core/json.ts";
import { limits } from "../core/limits.ts";
import type { AnyEvent } from "../core/sessionState.ts";
import { copyOf } from "./jsonCopy.ts";
import { ENVELOPE_BYTES } from "./line.ts";
import { previewOf } from "./preview.ts";

/** Only seq and time are missing. */
export interface PreparedEvent {
  readonly id: EventId;
  /** The id came from outside, so the event may be in the log already. */
  readonly isNamed: boolean;
  readonly type: EventType;
  /** The payload of the line, and the same as JSON without its braces. */
  readonly content: JsonObject;
  readonly members: string;
  /** The whole payload, where the line has a preview: to be durable before the line is. */
  readonly payload: { readonly ref: BlobRef; readonly bytes: Uint8Array } | null;
}

const RESERVED = ["seq", "processed_at", "crc", "payload_ref", "payload_error"] as const;

/** Throws `event_invalid`. What the caller changes in the event afterwards does not reach the log. */
export function prepareEvent(event: NewEvent, ids: Ids): PreparedEvent {
  const given: unknown = event;
  if (!isObject(given)) throw invalid("an event is an object");
  const { type, id, ...payload } = given;
  if (typeof type !== "string" || !isEventType(type)) throw invalid(`there is no event type "${String(type)}"`);
  const eventId = id === undefined ? ids.eventId() : parseEventId(id);
  if (eventId === undefined) throw invalid(`"${String(id)}" is no event id`);
  for (const name of RESERVED) {
    if (Object.hasOwn(payload, name)) throw invalid(`"${name}" is given by the log itself`);
  }
  const json = serialise(payload);
  const named = { id: eventId, isNamed: id !== undefined, type };
  const room = limits.logLineBytesMax - ENVELOPE_BYTES - eventId.length - type.length;
  if (json.length <= room / 3 || Buffer.byteLength(json) <= room) {
    return { ...named, content: copyOf(payload, json), members: json.slice(1, -1), payload: null };
  }
  return { ...named, ...apart(type, json, room) };
}

function apart(type: EventType, json: string, room: number): Pick<PreparedEvent, "content" | "members" | "payload"> {
  const bytes = Buffer.from(json);
  const ref: BlobRef = { sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length };
  const payload_ref = JSON.stringify(ref);
  const preview = previewOf(type, JSON.parse(json) as JsonObject, room - payload_ref.length - 20);
  const members = `${JSON.stringify(preview).slice(1, -1)},"payload_ref":${payload_ref}`;
  if (Buffer.byteLength(members) > limits.logLineBytesHardMax - ENVELOPE_BYTES * 3) {
    throw invalid(`what a session's state needs of it is longer than ${limits.logLineBytesHardMax} bytes`);
  }
  return { content: { ...preview, payload_ref: { ...ref } }, members, payload: { ref, bytes } };
}

/** The event as reading its line will give it. */
export function storedEvent(seq: number, time: string, { id, type, content }: PreparedEvent): AnyEvent {
  return { seq, id, type, processed_at: time, ...content };
}

function serialise(payload: object): string {
  try {
    return JSON.stringify(payload);
  } catch (thrown) {
    throw invalid(`it is no JSON (${messageOf(thrown)})`, thrown);
  }
}

function invalid(what: string, cause?: unknown): ManyHandsError {
  return new ManyHandsError("event_invalid", "session", `The event cannot be stored: ${what}.`, cause);
}
