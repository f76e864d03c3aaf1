/** The stretch of the log that the page holds: fed by slices and appends, bounded, always without gaps. */
import { limits } from "../core/limits.ts";
import type { AnyEvent } from "../core/sessionState.ts";

export interface SliceRequest {
  readonly from?: number;
  readonly to?: number;
  readonly limit: number;
  readonly order: "asc" | "desc";
}

export class Timeline {
  #events: AnyEvent[] = [];
  #lastSeq = 0;
  #reachedStart = false;

  get events(): readonly AnyEvent[] {
    return this.#events;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  get isAtStart(): boolean {
    return this.#reachedStart;
  }

  /** True when the newest event of the log is held. */
  get isAtEnd(): boolean {
    return (this.#events.at(-1)?.seq ?? 0) >= this.#lastSeq;
  }

  reset(lastSeq: number): SliceRequest {
    this.#events = [];
    this.#lastSeq = lastSeq;
    this.#reachedStart = lastSeq === 0;
    return { limit: limits.pageSliceEvents, order: "desc" };
  }

  older(): SliceRequest | null {
    const first = this.#events[0]?.seq;
    if (this.#reachedStart || first === undefined) return null;
    return { to: first - 1, limit: limits.pageSliceEvents, order: "desc" };
  }

  newer(): SliceRequest | null {
    const last = this.#events.at(-1)?.seq;
    if (this.isAtEnd || last === undefined) return null;
    return { from: last + 1, limit: limits.pageSliceEvents, order: "asc" };
  }

  /** Takes the answer to a request in. Events that are far from where the person reads are let go of. */
  addSlice(request: SliceRequest, events: readonly AnyEvent[], lastSeq: number): void {
    this.#lastSeq = Math.max(this.#lastSeq, lastSeq);
    const isOlder = request.order === "desc";
    const first = this.#events[0]?.seq ?? Infinity;
    const last = this.#events.at(-1)?.seq ?? 0;
    if (isOlder) {
      const fresh = events.filter((event) => event.seq < first || event.seq > last);
      this.#events = [...fresh.filter((event) => event.seq < first), ...this.#events];
      if (events.length < request.limit || (events[0]?.seq ?? 1) <= 1) this.#reachedStart = true;
      this.#events = this.#events.slice(0, limits.pageEventsMax);
    } else {
      this.#events = [...this.#events, ...events.filter((event) => event.seq > last)];
      this.#dropOldest();
    }
  }

  /** Takes appended events in. False when there is a gap, or the end is not held: a slice has to be asked for. */
  append(events: readonly AnyEvent[]): boolean {
    const wasAtEnd = this.isAtEnd;
    const newest = events.at(-1)?.seq ?? 0;
    const last = this.#events.at(-1)?.seq ?? 0;
    const fresh = events.filter((event) => event.seq > last);
    const isNext = fresh.length === 0 || fresh[0]?.seq === last + 1 || this.#events.length === 0;
    this.#lastSeq = Math.max(this.#lastSeq, newest);
    if (!wasAtEnd) return true;
    if (!isNext) return false;
    this.#events = [...this.#events, ...fresh];
    this.#dropOldest();
    return true;
  }

  #dropOldest(): void {
    const surplus = this.#events.length - limits.pageEventsMax;
    if (surplus <= 0) return;
    this.#events = this.#events.slice(surplus);
    this.#reachedStart = false;
  }
}
