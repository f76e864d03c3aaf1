/** A log that was cut off at any byte, as a crash in the middle of a write leaves it. */
import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { placeLog, makeSampleLog } from "./sampleLog.ts";
import type { SampleLog } from "./sampleLog.ts";
import { filesOf, logPath, openStore, scratchFolder } from "./support.ts";

describe("a log that was cut off", function () {
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

  async function check(cut: number, derived: SampleLog["derived"]): Promise<void> {
    const { store, reports } = openStore(root);
    const id = await placeLog(root, sample.bytes.subarray(0, cut), derived);
    const whole = sample.lines.filter(({ end }) => end <= cut).map(({ event }) => event);
    const lastEnd = sample.lines.findLast(({ end }) => end <= cut)?.end ?? 0;
    const torn = sample.bytes.subarray(Math.min(cut, lastEnd === 0 ? 0 : lastEnd + 1), cut);

    const log = await store.open(id);
    assert.deepEqual(await log.getEvents({}), whole, `cut at ${cut}`);
    assert.deepEqual(log.damage(), [], "a reader says nothing of a line that may be in the middle of being written");
    assert.equal((await readFile(logPath(root, id))).length, cut, "reading changes nothing");

    assert.deepEqual(await log.acquire(), { kind: "held" });
    const [added] = await log.append([{ type: "user.interrupt" }]);
    await log.close();

    const setAside = await filesOf(root, id, "events.torn-");
    if (torn.length === 0) assert.deepEqual(setAside, []);
    else assert.deepEqual(await readFile(path.join(root, id, setAside[0] ?? "none")), torn, "the torn bytes are kept");

    const next = await store.open(id);
    const events = await next.getEvents({});
    assert.deepEqual(next.damage(), []);
    assert.deepEqual(events.slice(0, whole.length), whole);
    const news = events.slice(whole.length).map(({ type }) => type);
    assert.deepEqual(news, torn.length === 0 ? ["user.interrupt"] : ["session.log_recovered", "user.interrupt"]);
    assert.deepEqual(events.at(-1), added);
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_, at) => at + 1),
    );
    if (torn.length > 0) {
      const { set_aside, bytes } = events.at(-2) as unknown as { set_aside: string; bytes: number };
      assert.deepEqual([set_aside, bytes], [setAside[0], torn.length]);
    }
    await next.close();
    assert.deepEqual(reports, []);
    await rm(path.join(root, id), { recursive: true });
  }

  it("opens at every byte, loses no whole event, keeps the torn bytes, and can be appended to", async () => {
    for (let cut = 0; cut <= sample.bytes.length; cut += 1) await check(cut, new Map());
    console.log(`      ${sample.bytes.length + 1} truncation points, 0 events lost`);
  });

  it("does so when a checkpoint and an index of the longer log stand beside it", async () => {
    for (let cut = 0; cut <= sample.bytes.length; cut += 5) await check(cut, sample.derived);
  });
});
