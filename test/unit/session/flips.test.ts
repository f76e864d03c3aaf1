/** A log in which a byte is not what was written. */
import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { placeLog, makeSampleLog } from "./sampleLog.ts";
import type { SampleLog } from "./sampleLog.ts";
import { logPath, openStore, scratchFolder } from "./support.ts";

const FLIPS = 10_000;

/** A small generator with a seed, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("a log with a flipped byte", function () {
  this.timeout(600_000);
  let root: string;
  let remove: () => Promise<void>;
  let sample: SampleLog;

  before(async () => {
    ({ folder: root, remove } = await scratchFolder({ isInMemory: true }));
    sample = await makeSampleLog(path.join(root, "sample"));
  });

  after(async () => {
    await remove();
  });

  async function check(position: number, value: number, hasDerived: boolean, isWritten: boolean): Promise<boolean> {
    const bytes = Buffer.from(sample.bytes);
    bytes[position] = value;
    const what = `byte ${position} as ${value}`;
    const intact = sample.lines
      .filter(({ start, end }) => position < start || position >= end)
      .map(({ event }) => event);
    const { store } = openStore(root);
    const id = await placeLog(root, bytes, hasDerived ? sample.derived : new Map());
    const log = await store.open(id);
    assert.deepEqual(await log.getEvents({}), intact, what);
    const isReported = log.damage().length > 0;
    if (isWritten) {
      await log.acquire();
      const [added] = await log.append([{ type: "user.interrupt" }]);
      await log.close();
      const next = await store.open(id);
      const events = await next.getEvents({});
      assert.deepEqual(events.slice(0, intact.length), intact, what);
      assert.deepEqual(events.at(-1), added);
      // The bytes before are kept; those of a last line without its newline are in a file beside it.
      const kept = await readFile(logPath(root, id));
      const length = position === bytes.length - 1 ? bytes.length - 1 : bytes.length;
      assert.deepEqual(kept.subarray(0, length), bytes.subarray(0, length), what);
      await next.close();
    }
    await log.close();
    await rm(path.join(root, id), { recursive: true });
    return isReported;
  }

  it(`opens after ${FLIPS} random flips, loses no event whose bytes are intact, and reports the damage`, async () => {
    const next = random(20_261_121);
    let reported = 0;
    for (let flip = 0; flip < FLIPS; flip += 1) {
      const position = Math.floor(next() * sample.bytes.length);
      const value = ((sample.bytes[position] ?? 0) + 1 + Math.floor(next() * 255)) % 256;
      if (await check(position, value, flip % 2 === 0, flip % 25 === 0)) reported += 1;
    }
    assert.equal(reported, FLIPS);
    console.log(`      ${FLIPS} flips: 0 intact events lost, damage reported in ${reported}`);
  });

  it("gives every other event whatever a newline or a whole line's beginning became", async () => {
    const positions = sample.lines.flatMap(({ start, end }) => [start, end]);
    for (const position of positions) {
      for (const value of [0, 13, 32, 34, 123, 125, 255]) {
        if (sample.bytes[position] !== value) await check(position, value, false, true);
      }
    }
  });

  it("gives every other event when any byte became a newline", async () => {
    for (let position = 0; position < sample.bytes.length; position += 1) {
      if (sample.bytes[position] !== 10) assert.ok(await check(position, 10, false, false), `byte ${position}`);
    }
  });
});
