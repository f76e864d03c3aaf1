/** Contract of a session store: appending and reading events. */
import assert from "node:assert/strict";
import type { NewEvent } from "../../../src/core/events.ts";
import { limits } from "../../../src/core/limits.ts";
import type { SessionLog } from "../../../src/core/sessionLog.ts";
import { EMPTY_STATE, foldSession } from "../../../src/core/sessionState.ts";
import { allEvents, freshFixture, ids, message, rejectsWith } from "./contractSupport.ts";
import type { World } from "./contractSupport.ts";

export function describeEvents(createWorld: () => Promise<World>): void {
  const own = freshFixture(createWorld);

  describe("appending", () => {
    it("numbers events from 1 without gaps and gives back what reading gives", async () => {
      const one = await own.log.append([message("a"), message("b")]);
      const two = await own.log.append([{ type: "user.interrupt" }]);
      assert.deepEqual(
        [...one, ...two].map(({ seq }) => seq),
        [2, 3, 4],
      );
      assert.deepEqual((await allEvents(own.log)).slice(1), [...one, ...two]);
      assert.deepEqual((await allEvents(await own.reopened())).slice(1), [...one, ...two]);
    });

    it("keeps appends of the same moment whole and in order", async () => {
      const texts = Array.from({ length: 60 }, (_, at) => String(at));
      const stored = await Promise.all(
        texts.map((text) => own.log.append([message(text), message(text), message(text)])),
      );
      const events = (await allEvents(own.log)).slice(1);
      assert.deepEqual(events, stored.flat());
      assert.deepEqual(
        events.map(({ seq }) => seq),
        events.map((_, at) => at + 2),
      );
    });

    it("keeps the order of appends when an early one has a long payload", async () => {
      const long = message("x".repeat(3 * limits.logLineBytesMax));
      await Promise.all([own.log.append([message("a")]), own.log.append([long]), own.log.append([message("b")])]);
      const lengths = (await own.log.getEvents({ from: 2, resolve: true })).map(
        (event) => JSON.stringify(event).length,
      );
      assert.equal(lengths.indexOf(Math.max(...lengths)), 1);
      assert.equal(lengths.length, 3);
    });

    it("gives what is stored when an id is in the log already", async () => {
      const eventId = ids.eventId();
      const [first] = await own.log.append([message("the first", eventId)]);
      for (let at = 0; at < 50; at += 1) await own.log.append([message(`later ${at}`)]);
      assert.deepEqual(await own.log.append([message("another text", eventId)]), [first]);
      const mixed = await own.log.append([message("new"), message("again", eventId), message("newer")]);
      assert.deepEqual(
        mixed.map(({ seq }) => seq),
        [53, 2, 54],
      );
      const later = await own.reopened();
      await later.acquire();
      assert.deepEqual(await later.append([{ type: "user.interrupt", id: eventId }]), [first]);
      assert.equal(later.state().seq, 54);
    });

    it("stores an id once when it comes twice in one append, or in appends of the same moment", async () => {
      const [a, b] = [ids.eventId(), ids.eventId()];
      const twice = await own.log.append([message("one", a), message("two", a)]);
      assert.deepEqual(twice[0], twice[1]);
      const many = await Promise.all(Array.from({ length: 20 }, (_, at) => own.log.append([message(String(at), b)])));
      assert.equal(new Set(many.map(([event]) => JSON.stringify(event))).size, 1);
      assert.equal((await allEvents(own.log)).length, 3);
    });

    it("folds every event into the state, the same as after reopening", async () => {
      const start = ids.eventId();
      await own.log.append([message("go"), { type: "session.status_running" }]);
      await own.log.append([{ type: "span.model_request_start", id: start, model: "m", purpose: "turn" }]);
      const state = own.log.state();
      assert.equal(state.status, "running");
      assert.equal(state.open_request?.start_id, start);
      assert.deepEqual((await allEvents(own.log)).reduce(foldSession, EMPTY_STATE), state);
      assert.deepEqual((await own.reopened()).state(), state);
    });

    it("tells listeners of each event once and in order, also when one of them throws", async () => {
      const heard: number[] = [];
      own.log.onDidAppend(() => {
        throw new Error("a listener that fails");
      });
      const listening = own.log.onDidAppend((events) => heard.push(...events.map(({ seq }) => seq)));
      await Promise.all([own.log.append([message("a"), message("b")]), own.log.append([message("c")])]);
      listening.dispose();
      await own.log.append([message("d")]);
      assert.deepEqual(heard, [2, 3, 4]);
    });

    it("does not let the caller's later changes into the log", async () => {
      const content = [{ type: "text" as const, text: "as given" }];
      const appended = own.log.append([{ type: "user.message", content }]);
      content[0]!.text = "changed";
      const [event] = await appended;
      assert.deepEqual((event as { content?: unknown }).content, [{ type: "text", text: "as given" }]);
    });

    it("keeps any text as it is", async () => {
      const text =
        'quotes " \\ newlines \n\r\u2028 nul \u0000 emoji 👩‍👩‍👧 half \ud83d {"seq":1,"id":"sevt_x"},"crc":"00000000"}';
      await own.log.append([message(text)]);
      const [event] = await (await own.reopened()).getEvents({ from: 2 });
      assert.deepEqual((event as { content?: unknown }).content, [{ type: "text", text }]);
    });

    it("refuses what is no event and stores nothing of the append", async () => {
      const circular: unknown[] = [];
      circular.push(circular);
      const wrong: readonly object[] = [
        { type: "no.such_type" },
        { type: "user.interrupt", id: "not an id" },
        { type: "user.interrupt", seq: 7 },
        { type: "user.interrupt", crc: "00000000" },
        { type: "agent.tool_use", input: circular },
        { type: "user.interrupt", big: 1n },
      ];
      for (const event of wrong) await rejectsWith("event_invalid", own.log.append([message("a"), event as NewEvent]));
      assert.equal(own.log.state().seq, 1);
      assert.deepEqual(
        (await own.log.append([message("b")])).map(({ seq }) => seq),
        [2],
      );
    });

    it("appends nothing when there is nothing", async () => {
      assert.deepEqual(await own.log.append([]), []);
      assert.equal(own.log.state().seq, 1);
    });

    it("refuses everything once it is closed", async () => {
      await own.log.close();
      await own.log.close();
      await rejectsWith("cancelled", own.log.append([message("too late")]));
      await rejectsWith("cancelled", own.log.getEvents({}));
      await rejectsWith("cancelled", own.log.acquire());
    });
  });

  describe("slices", () => {
    const seqs = async (slice: Parameters<SessionLog["getEvents"]>[0]): Promise<number[]> =>
      (await own.log.getEvents(slice)).map(({ seq }) => seq);

    beforeEach(async () => {
      for (let at = 0; at < 10; at += 1) await own.log.append([message(String(at)), { type: "user.interrupt" }]);
    });

    it("gives a range by position, both ends included", async () => {
      assert.deepEqual(await seqs({ from: 5, to: 8 }), [5, 6, 7, 8]);
      assert.deepEqual(await seqs({ from: 20 }), [20, 21]);
      assert.deepEqual(await seqs({ to: 2 }), [1, 2]);
      assert.deepEqual(await seqs({ from: 22 }), []);
      assert.deepEqual(await seqs({ from: 9, to: 8 }), []);
    });

    it("counts a limit from either end, and gives ascending order all the same", async () => {
      assert.deepEqual(await seqs({ limit: 3 }), [1, 2, 3]);
      assert.deepEqual(await seqs({ limit: 3, order: "desc" }), [19, 20, 21]);
      assert.deepEqual(await seqs({ from: 4, to: 9, limit: 2, order: "desc" }), [8, 9]);
      assert.deepEqual(await seqs({ limit: 0 }), []);
    });

    it("gives the wanted types only", async () => {
      assert.deepEqual(await seqs({ types: ["user.interrupt"], limit: 3 }), [3, 5, 7]);
      assert.deepEqual(await seqs({ types: ["user.interrupt"], limit: 2, order: "desc" }), [19, 21]);
      assert.deepEqual(await seqs({ types: ["session.created", "user.interrupt"], to: 4 }), [1, 3]);
      assert.deepEqual(await seqs({ types: ["no.such_type"] }), []);
      assert.deepEqual(await seqs({ types: [] }), []);
    });

    it("never gives more than the limit of a slice", async () => {
      const many = Array.from({ length: limits.sliceEventsMax + 50 }, () => ({ type: "user.interrupt" }) as const);
      await own.log.append(many);
      assert.equal((await own.log.getEvents({ limit: limits.sliceEventsMax * 2 })).length, limits.sliceEventsMax);
      assert.equal((await allEvents(own.log)).length, 21 + many.length);
    });
  });
}
