/** Events as a log has them, with seq, id and time given to what does not name its own. */
import type { NewEvent } from "../../../src/core/events.ts";
import type { EventId } from "../../../src/core/ids.ts";
import type { AnyEvent } from "../../../src/core/sessionState.ts";

export function logOf(events: readonly NewEvent[], first = 1): AnyEvent[] {
  return events.map((event, at) => {
    const seq = first + at;
    const processed_at = new Date(Date.UTC(2026, 0, 1) + seq * 1_000).toISOString();
    return { id: `sevt_${seq}`, ...event, seq, processed_at } as unknown as AnyEvent;
  });
}

export function eventId(name: string): EventId {
  return `sevt_${name}` as EventId;
}
