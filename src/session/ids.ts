/** New ids that sort by the time they were made: 48 bits of milliseconds and 80 random bits, in Crockford's base 32. */
import { randomBytes } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import type { EventId, Ids, SessionId } from "../core/ids.ts";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

export function createIds(clock: Pick<Clock, "now">): Ids {
  return {
    sessionId: () => `sesn_${sortableId(clock.now())}` as SessionId,
    eventId: () => `sevt_${sortableId(clock.now())}` as EventId,
  };
}

function sortableId(ms: number): string {
  let time = "";
  for (let rest = ms, digit = 0; digit < 10; digit += 1) {
    time = `${ALPHABET[rest % 32]}${time}`;
    rest = Math.floor(rest / 32);
  }
  return time + Array.from(randomBytes(16), (byte) => ALPHABET[byte % 32]).join("");
}
