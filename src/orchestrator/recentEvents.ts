/** What a harness has read of a log, kept for its next run: most often a conversation goes on where it was a moment ago. */
import type { Clock } from "../core/clock.ts";
import { limits } from "../core/limits.ts";
import type { SessionLog, Slice } from "../core/sessionLog.ts";
import type { AnyEvent } from "../core/sessionState.ts";

/** For readers that change no event: what it gives is shared. It holds what the harness itself holds while it runs. */
export class RecentEvents {
  readonly #log: Pick<SessionLog, "getEvents">;
  readonly #clock: Clock;
  #types = "";
  /** All events of these types from `#from` to `#to`. */
  #events: AnyEvent[] = [];
  #from = 0;
  #to = -1;
  #resting = new AbortController();

  constructor(log: Pick<SessionLog, "getEvents">, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** As the log's own, but for the limit of a slice: what is here is given whole. */
  async getEvents(slice: Slice): Promise<readonly AnyEvent[]> {
    const { from, to, types, resolve, limit, order } = slice;
    if (from === undefined || to === undefined || types === undefined) return this.#log.getEvents(slice);
    if (resolve !== true || limit !== undefined || order === "desc") return this.#log.getEvents(slice);
    this.#moveTo(types.join(" "), from);
    if (to > this.#to) {
      const fresh = await this.#log.getEvents({ ...slice, from: this.#to + 1 });
      this.#events.push(...fresh);
      this.#to = fresh.length < limits.sliceEventsMax ? to : (fresh.at(-1)?.seq ?? to);
    }
    return this.#events.filter((event) => event.seq <= to);
  }

  /** A run begins: nothing is forgotten in the middle of it. */
  wake(): void {
    this.#resting.abort();
  }

  /** A run is over: what was read is let go of, unless another one begins soon. */
  rest(): void {
    this.#resting.abort();
    this.#resting = new AbortController();
    this.#clock.sleep(limits.recentEventsMs, this.#resting.signal).then(
      () => this.#moveTo("", 0),
      () => {},
    );
  }

  /** What is before `from` is not asked for again: it was summarised. */
  #moveTo(types: string, from: number): void {
    const goesOn = types === this.#types && from >= this.#from && from <= this.#to + 1;
    this.#events = goesOn ? this.#events.filter((event) => event.seq >= from) : [];
    this.#to = goesOn ? this.#to : from - 1;
    this.#types = types;
    this.#from = from;
  }
}
