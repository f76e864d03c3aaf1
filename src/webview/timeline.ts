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
    return this.#reachedStart || this.#events[0]?.seq === 1;
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

  /** Starts over at the beginning of the log. */
  resetToStart(): SliceRequest {
    this.#events = [];
    this.#reachedStart = true;
    return { from: 1, limit: limits.pageSliceEvents, order: "asc" };
  }

  older(): SliceRequest | null {
    const first = this.#events[0]?.seq;
    if (this.isAtStart || first === undefined) return null;
    return { to: first - 1, limit: limits.pageSliceEvents, order: "desc" };
  }

  newer(): SliceRequest | null {
    const last = this.#events.at(-1)?.seq;
    if (this.isAtEnd || last === undefined) return null;
    return { from: last + 1, limit: limits.pageSliceEvents, order: "asc" };
  }

  /**
   * Takes the answer to a request in. Events that are far from where the person reads are let go of; an answer that came
   * too late to join what is held now is ignored.
   */
  addSlice(request: SliceRequest, events: readonly AnyEvent[], lastSeq: number): void {
    this.#lastSeq = Math.max(this.#lastSeq, lastSeq);
    const first = this.#events[0]?.seq;
    const last = this.#events.at(-1)?.seq;
    const isOlder = request.order === "desc";
    if (first !== undefined && last !== undefined) {
      if (isOlder ? request.to !== first - 1 : request.from !== last + 1) return;
    }
    if (isOlder) {
      if (events.length < request.limit) this.#reachedStart = true;
      this.#events = [...events, ...this.#events].slice(0, limits.pageEventsMax);
    } else {
      // What should be there and is not, is damaged: nothing more is to come.
      if (events.length === 0) this.#lastSeq = last ?? 0;
      this.#events = [...this.#events, ...events];
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
