/** What a harness reads of a log through what is kept of it, against the log itself. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { Clock } from "../../../src/core/clock.ts";
import { limits } from "../../../src/core/limits.ts";
import type { Slice } from "../../../src/core/sessionLog.ts";
import type { AnyEvent } from "../../../src/core/sessionState.ts";
import { RecentEvents } from "../../../src/orchestrator/recentEvents.ts";

const TYPES = ["user.message", "agent.message"] as const;

class GrowingLog {
  readonly events: AnyEvent[] = [];
  readonly asked: Slice[] = [];

  grow(count: number): void {
    for (let at = 0; at < count; at += 1) {
      const seq = this.events.length + 1;
      const type = seq % 3 === 0 ? "session.status_running" : TYPES[seq % 2];
      this.events.push({ id: `sevt_${seq}`, seq, type, processed_at: "" } as unknown as AnyEvent);
    }
  }

  readonly getEvents = async (slice: Slice): Promise<readonly AnyEvent[]> => {
    this.asked.push(slice);
    return this.wanted(slice).slice(0, limits.sliceEventsMax);
  };

  wanted({ from = 1, to = Infinity, types }: Slice): readonly AnyEvent[] {
    return this.events.filter(({ seq, type }) => seq >= from && seq <= to && (types?.includes(type) ?? true));
  }
}

/** A clock whose waits end when the test says so. */
function heldClock(): Clock & { readonly release: () => void } {
  let release = (): void => {};
  const sleep = (_ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      release = resolve;
      signal?.addEventListener("abort", () => reject(new Error("aborted")));
    });
  return { now: () => 0, sleep, release: () => release() };
}

describe("what is kept of a log for a harness's next run", () => {
  it("gives what the log would give, however it grows and from wherever it is read", async () => {
    const step = fc.record({ grow: fc.integer({ min: 0, max: 1_500 }), from: fc.nat(4_000), rests: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const log = new GrowingLog();
        const recent = new RecentEvents(log, heldClock());
        for (const { grow, from, rests } of steps) {
          log.grow(grow);
          const to = log.events.length;
          const read: AnyEvent[] = [];
          // As a harness reads: on from the last event, until a slice is not full.
          for (let next = Math.min(from, to) + 1; next <= to;) {
            const events = await recent.getEvents({ from: next, to, types: TYPES, resolve: true });
            read.push(...events);
            next = events.length < limits.sliceEventsMax ? to + 1 : (events.at(-1)?.seq ?? to) + 1;
          }
          assert.deepEqual(read, log.wanted({ from: Math.min(from, to) + 1, to, types: TYPES }));
          if (rests) recent.rest();
        }
      }),
      { numRuns: 60 },
    );
  });

  it("reads only what came since, and everything again once it was let go of", async () => {
    const log = new GrowingLog();
    const clock = heldClock();
    const recent = new RecentEvents(log, clock);
    log.grow(300);
    await recent.getEvents({ from: 1, to: 300, types: TYPES, resolve: true });
    log.grow(10);
    await recent.getEvents({ from: 1, to: 310, types: TYPES, resolve: true });
    recent.rest();
    clock.release();
    await new Promise((resolve) => setImmediate(resolve));
    await recent.getEvents({ from: 1, to: 310, types: TYPES, resolve: true });
    assert.deepEqual(
      log.asked.map(({ from }) => from),
      [1, 301, 1],
    );
  });
});
