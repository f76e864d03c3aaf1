/** Appends that wait for room: a full or forbidden disk pauses the session, and it goes on by itself (nothing is lost). */
import type { Clock } from "../core/clock.ts";
import { hasCode } from "../core/errors.ts";
import type { NewEvent } from "../core/events.ts";
import type { Ids } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import type { SessionLog } from "../core/sessionLog.ts";
import type { AnyEvent } from "../core/sessionState.ts";

export interface AppenderPorts {
  readonly clock: Clock;
  readonly ids: Ids;
  /** Called with the reason when it starts to wait, and with null when it goes on. */
  readonly onPause: (reason: string | null) => void;
}

/**
 * Appends `events`, trying again while the storage is full, forbidden or failing. Ids are given before the first try,
 * so a try that did reach the disk is not repeated (I4). Rejects only with what waiting cannot mend, or the signal's reason.
 */
export async function appendPatiently(
  log: SessionLog,
  events: readonly NewEvent[],
  ports: AppenderPorts,
  signal: AbortSignal,
): Promise<readonly AnyEvent[]> {
  const named = events.map((event) => (event.id === undefined ? { ...event, id: ports.ids.eventId() } : event));
  let paused = false;
  try {
    for (;;) {
      try {
        return await log.append(named);
      } catch (thrown) {
        if (!hasCode(thrown, "storage_full", "storage_denied", "storage_failed")) throw thrown;
        paused = true;
        ports.onPause(thrown.message);
        await ports.clock.sleep(limits.storageRetryMs, signal);
      }
    }
  } finally {
    if (paused) ports.onPause(null);
  }
}
