/** Ids: sound as folder and file names, in the order of their making. */
import assert from "node:assert/strict";
import { parseEventId, parseSessionId } from "../../../src/core/ids.ts";
import { createIds } from "../../../src/session/ids.ts";

describe("new ids", () => {
  it("are ids by the rules of the vocabulary", () => {
    const ids = createIds({ now: () => Date.now() });
    assert.ok(parseSessionId(ids.sessionId()) !== undefined);
    assert.ok(parseEventId(ids.eventId()) !== undefined);
    assert.equal(ids.eventId().length, "sevt_".length + 26);
  });

  it("ascend strictly, within a millisecond and when the clock is set back", () => {
    let now = 1_767_225_600_000;
    const ids = createIds({ now: () => now });
    const made = Array.from({ length: 2_000 }, (_, at) => {
      if (at % 500 === 0) now += at === 1_000 ? -60_000 : 1;
      return ids.eventId();
    });
    assert.deepEqual(
      made,
      made.toSorted((a, b) => (a < b ? -1 : 1)),
    );
    assert.equal(new Set(made).size, made.length);
  });

  it("differ between two sources at the same moment", () => {
    const [a, b] = [createIds({ now: () => 1 }), createIds({ now: () => 1 })];
    assert.notEqual(a.eventId(), b.eventId());
  });
});
