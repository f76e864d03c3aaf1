/** New ids that sort by the time they were made: 48 bits of milliseconds and 80 random bits, in Crockford's base 32. */
import { randomBytes } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import type { EventId, Ids, SessionId } from "../core/ids.ts";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TIME_CHARS = 10;
const RANDOM_CHARS = 16;

/** Ids of one source ascend strictly, also within a millisecond and when the clock is set back. */
export function createIds(clock: Pick<Clock, "now">): Ids {
  let lastMs = -1;
  let time = "";
  let digits: number[] = [];
  const next = (): string => {
    const now = clock.now();
    if (now > lastMs) {
      lastMs = now;
      time = timeText(now);
      // The highest digit starts in the lower half, so that counting up does not run over.
      digits = Array.from(randomBytes(RANDOM_CHARS), (byte, place) => byte % (place === 0 ? 16 : 32));
    } else countUp(digits);
    let text = time;
    for (const digit of digits) text += ALPHABET[digit] ?? "";
    return text;
  };
  return {
    sessionId: () => `sesn_${next()}` as SessionId,
    eventId: () => `sevt_${next()}` as EventId,
  };
}

function timeText(ms: number): string {
  let text = "";
  for (let rest = Math.trunc(ms), place = 0; place < TIME_CHARS; place += 1) {
    text = `${ALPHABET[rest % 32]}${text}`;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function countUp(digits: number[]): void {
  for (let place = digits.length - 1; place >= 0; place -= 1) {
    const digit = (digits[place] ?? 0) + 1;
    digits[place] = digit % 32;
    if (digit < 32) return;
  }
}
