/** What readers of every store do with the events and the state that they have read. */
import { SCHEMA_VERSION } from "../core/events.ts";
import type { BlobRef } from "../core/events.ts";
import { isObject, messageOf } from "../core/json.ts";
import type { AnyEvent, SessionState } from "../core/sessionState.ts";

/** Why nobody may write to a log of this state, or null. */
export function newerFormat(state: SessionState): string | null {
  const version = state.schema_version;
  if (version <= SCHEMA_VERSION) return null;
  return `This session was written by a newer Many Hands (log format ${version}): update the extension to go on with it.`;
}

/** The events with their payloads put back; where that fails, the preview with the reason as `payload_error`. */
export async function withPayloads(
  events: readonly AnyEvent[],
  readBlob: (ref: BlobRef) => Promise<Uint8Array>,
  onDamage: (seq: number, reason: string) => void,
): Promise<readonly AnyEvent[]> {
  const whole: AnyEvent[] = [];
  for (const event of events) {
    const { seq, id, type, processed_at, payload_ref } = event;
    if (payload_ref === undefined) {
      whole.push(event);
      continue;
    }
    try {
      const payload: unknown = JSON.parse(new TextDecoder().decode(await readBlob(payload_ref)));
      if (!isObject(payload)) throw new Error("the payload is no object");
      whole.push({ seq, id, type, processed_at, ...payload });
    } catch (thrown) {
      const payload_error = `What event ${seq} holds beyond this preview cannot be read: ${messageOf(thrown)}`;
      onDamage(seq, payload_error);
      whole.push({ ...event, payload_error });
    }
  }
  return whole;
}
