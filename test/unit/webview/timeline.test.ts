/** The stretch of the log that the page holds. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { NewEvent } from "../../../src/core/events.ts";
import { limits } from "../../../src/core/limits.ts";
import type { AnyEvent } from "../../../src/core/sessionState.ts";
import { Timeline } from "../../../src/webview/timeline.ts";
import type { SliceRequest } from "../../../src/webview/timeline.ts";
import { logOf } from "./logOf.ts";

function log(count: number): AnyEvent[] {
  return logOf(Array.from({ length: count }, (): NewEvent => ({ type: "session.status_running" })));
}

/** As the host answers. */
function answer(events: readonly AnyEvent[], { from = 1, to = Infinity, limit, order }: SliceRequest): AnyEvent[] {
  const range = events.filter(({ seq }) => seq >= from && seq <= to);
  return order === "desc" ? range.slice(-limit) : range.slice(0, limit);
}

function seqs(timeline: Timeline): readonly number[] {
  return timeline.events.map(({ seq }) => seq);
}

function assertNoGap(timeline: Timeline): void {
  const held = seqs(timeline);
  assert.deepEqual(
    held,
    held.map((_, at) => (held[0] ?? 0) + at),
  );
}

describe("the stretch of the log that a page holds", () => {
  it("starts with the newest events", () => {
    const timeline = new Timeline();
    const all = log(500);
    const request = timeline.reset(500);
    timeline.addSlice(request, answer(all, request), 500);
    assert.equal(seqs(timeline).at(-1), 500);
    assert.equal(timeline.events.length, limits.pageSliceEvents);
    assert.deepEqual([timeline.isAtEnd, timeline.isAtStart], [true, false]);
  });

  it("says that a slice is needed when an append leaves a gap, and takes no event twice", () => {
    const timeline = new Timeline();
    const all = log(10);
    const request = timeline.reset(4);
    timeline.addSlice(request, answer(all.slice(0, 4), request), 4);
    assert.equal(timeline.append(all.slice(2, 6)), true);
    assert.deepEqual(seqs(timeline), [1, 2, 3, 4, 5, 6]);
    assert.equal(timeline.append(all.slice(8, 9)), false);
    const missed = timeline.newer();
    assert.equal(missed?.from, 7);
    timeline.addSlice(missed, answer(all.slice(0, 9), missed), 9);
    assert.deepEqual(seqs(timeline), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("has no gap and stays within its bound, whatever comes in whichever order", () => {
    const all = log(20_000);
    const step = fc.constantFrom("ask for older", "ask for newer", "answer", "append", "append unheard");
    fc.assert(
      fc.property(fc.nat(4_000), fc.array(step, { minLength: 20, maxLength: 80 }), (before, steps) => {
        let last = before;
        const timeline = new Timeline();
        const asked: SliceRequest[] = [timeline.reset(last)];
        for (const name of steps) {
          if (name === "ask for older") asked.push(...[timeline.older()].filter((request) => request !== null));
          else if (name === "ask for newer") asked.push(...[timeline.newer()].filter((request) => request !== null));
          else if (name === "append") timeline.append(all.slice(last, (last += 100)));
          else if (name === "append unheard") last += 100;
          else {
            const request = asked.shift();
            if (request !== undefined) timeline.addSlice(request, answer(all.slice(0, last), request), last);
          }
          assertNoGap(timeline);
          assert.ok(timeline.events.length <= limits.pageEventsMax);
        }
      }),
      { numRuns: 300 },
    );
  });
});
