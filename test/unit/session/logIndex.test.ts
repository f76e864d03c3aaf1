/** The index: where each event is, by seq, by type and by id. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { LogIndex, RECORD_BYTES, typeCode } from "../../../src/session/logIndex.ts";

const TYPES = ["user.message", "session.status_idle", "not.known"];

describe("the index of a log", () => {
  it("finds what a list finds, in whatever order lines come, and keeps the first of two with one seq", () => {
    const line = fc.record({
      seq: fc.integer({ min: 1, max: 300 }),
      bytes: fc.nat(2 ** 20),
      type: fc.constantFrom(...TYPES),
      offset: fc.maxSafeNat().map((at) => at % 2 ** 50),
    });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 150 }), (lines) => {
        const index = new LogIndex();
        const expected = new Map<number, (typeof lines)[number]>();
        for (const one of lines) {
          assert.equal(index.add(one.seq, one.offset, one.bytes, `sevt_${one.seq}`, one.type), !expected.has(one.seq));
          if (!expected.has(one.seq)) expected.set(one.seq, one);
          assert.ok(index.candidates(`sevt_${one.seq}`).some((ordinal) => index.seq(ordinal) === one.seq));
        }
        const sorted = [...expected.values()].toSorted((a, b) => a.seq - b.seq);
        assert.equal(index.count, sorted.length);
        for (const [ordinal, { seq, offset, bytes, type }] of sorted.entries()) {
          assert.deepEqual(
            [index.seq(ordinal), index.offset(ordinal), index.bytes(ordinal), index.type(ordinal)],
            [seq, offset, bytes, typeCode(type)],
          );
          assert.equal(index.firstAtLeast(seq), ordinal);
          assert.ok(index.candidates(`sevt_${seq}`).includes(ordinal));
        }
        assert.deepEqual(index.candidates("sevt_none"), []);
      }),
    );
  });

  it("is the same when its records are stored and read, also in two parts", () => {
    const index = new LogIndex();
    for (let seq = 1; seq <= 1_000; seq += 1) index.add(seq, seq * 700, 650, `sevt_${seq}`, "user.message");
    assert.equal(index.takeSettled(), 0);
    const first = index.bytesFrom(0).slice();
    for (let seq = 1_001; seq <= 1_200; seq += 1) index.add(seq, seq * 700, 650, `sevt_${seq}`, "user.message");
    assert.equal(index.takeSettled(), 1_000);
    const bytes = Buffer.concat([first, index.bytesFrom(1_000)]);
    assert.equal(bytes.length, 1_200 * RECORD_BYTES);
    const words = new Uint32Array(bytes.length / 4 + 20);
    new Uint8Array(words.buffer).set(bytes);
    const read = new LogIndex(words, 1_200);
    assert.deepEqual(Buffer.from(read.bytesFrom(0)), Buffer.from(index.bytesFrom(0)));
    assert.deepEqual(
      read.candidates("sevt_1100").map((ordinal) => read.seq(ordinal)),
      [1_100],
    );
    read.add(1_201, 900_000, 10, "sevt_1201", "user.message");
    assert.equal(read.seq(1_200), 1_201);
  });

  it("says which stored records have changed when a line comes out of order", () => {
    const index = new LogIndex();
    for (const seq of [1, 2, 5, 6]) index.add(seq, seq, 1, `sevt_${seq}`, "user.message");
    index.takeSettled();
    index.add(3, 3, 1, "sevt_3", "user.message");
    assert.equal(index.takeSettled(), 2);
    index.cutAt(5);
    assert.deepEqual([index.count, index.takeSettled()], [3, 0]);
  });
});
