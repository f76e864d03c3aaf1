/** Watches for a stream that has gone silent. */

export interface StallWatch {
  /** A sign of life: the clock starts anew, with another limit if one is given, in milliseconds. */
  heard(limitMs?: number): void;
  /** The limit that passed in silence, in milliseconds; undefined while none has. */
  readonly stalledMs: number | undefined;
  stop(): void;
}

/** Calls `onStall` once when nothing was heard for `limitMs`. */
export function startStallWatch(limitMs: number, onStall: () => void): StallWatch {
  let limit = limitMs;
  let stalledMs: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => clearTimeout(timer);
  const start = (): void => {
    timer = setTimeout(() => {
      stalledMs = limit;
      onStall();
    }, limit);
  };
  start();
  return {
    heard(nextMs = limit) {
      if (stalledMs !== undefined) return;
      if (nextMs === limit && timer !== undefined) {
        timer.refresh();
        return;
      }
      stop();
      limit = nextMs;
      start();
    },
    get stalledMs() {
      return stalledMs;
    },
    stop,
  };
}
