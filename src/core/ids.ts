/** Branded identifiers, each with the one function that makes it from unknown text. */

export type SessionId = string & { readonly __brand: "SessionId" };
export type EventId = string & { readonly __brand: "EventId" };

const SESSION_ID = /^sesn_[0-9A-Za-z]{10,40}$/;
const EVENT_ID = /^sevt_[0-9A-Za-z_-]{1,100}$/;

/** The session id in `text`, or undefined. The form is safe as a folder name on every file system. */
export function parseSessionId(text: unknown): SessionId | undefined {
  return typeof text === "string" && SESSION_ID.test(text) ? (text as SessionId) : undefined;
}

/** The event id in `text`, or undefined. The form is safe as a file name and needs no quoting in a shell. */
export function parseEventId(text: unknown): EventId | undefined {
  return typeof text === "string" && EVENT_ID.test(text) ? (text as EventId) : undefined;
}

/** Where new ids come from; a simulation passes its own. */
export interface Ids {
  sessionId(): SessionId;
  eventId(): EventId;
}

/**
 * The id of block `index` of the assistant turn that `startId` began. It is known before the block is complete, so the
 * stream's deltas and the stored event carry the same id (hosted API: "the stored event with the same id is canonical").
 */
export function blockEventId(startId: EventId, index: number): EventId {
  return `${startId}_b${index}` as EventId;
}
