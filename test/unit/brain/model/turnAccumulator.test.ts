/** Streams as other endpoints send them: what is missing or odd, and still a turn, or plainly none. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { frameText, piecesOf, turnFrames } from "../../../../src/brain/messages/frames.ts";
import { ProtocolError, StreamedError, TurnAccumulator } from "../../../../src/brain/model/turnAccumulator.ts";
import type { ModelDelta } from "../../../../src/core/model.ts";

function accumulate(...events: readonly unknown[]): { turn: TurnAccumulator; deltas: ModelDelta[] } {
  const deltas: ModelDelta[] = [];
  const turn = new TurnAccumulator((delta) => deltas.push(delta));
  for (const event of events) turn.take(event);
  return { turn, deltas };
}

const start = (index: number, content_block: object): object => ({ type: "content_block_start", index, content_block });
const delta = (index: number, inner: object): object => ({ type: "content_block_delta", index, delta: inner });
const stop = (index: number): object => ({ type: "content_block_stop", index });

describe("the accumulator of a turn", () => {
  it("takes the largest of cumulative counts, also where an endpoint says 0 or nothing at the end", () => {
    const { turn } = accumulate(
      { type: "message_start", message: { usage: { input_tokens: 10, cache_read_input_tokens: 4, output_tokens: 1 } } },
      { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 9, input_tokens: 0 } },
      { type: "message_delta", delta: {}, usage: { cache_creation_input_tokens: null } },
    );
    assert.deepEqual(turn.usage, {
      input_tokens: 10,
      output_tokens: 9,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 4,
    });
    assert.equal(turn.stopReason, "end_turn");
  });

  it("passes over events of types that it does not know", () => {
    const { turn, deltas } = accumulate({ type: "ping" }, { type: "novelty", index: 3 });
    assert.deepEqual([turn.completed(), deltas, turn.begun], [[], [], false]);
  });

  it("adds deltas of types that it does not know to the members of their names", () => {
    const { turn } = accumulate(
      start(0, { type: "compaction", content: null }),
      delta(0, { type: "compaction_delta", content: "Once " }),
      delta(0, { type: "compaction_delta", content: "upon" }),
      stop(0),
    );
    assert.deepEqual(turn.completed(), [{ type: "compaction", content: "Once upon" }]);
  });

  it("gathers citations, and puts blocks in the order of their indices", () => {
    const { turn } = accumulate(
      start(1, { type: "text", text: "b", citations: null }),
      start(0, { type: "text", text: "" }),
      delta(0, { type: "text_delta", text: "a" }),
      delta(1, { type: "citations_delta", citation: { n: 1 } }),
      delta(1, { type: "citations_delta", citation: { n: 2 } }),
    );
    assert.deepEqual(turn.completed(), [
      { type: "text", text: "a" },
      { type: "text", text: "b", citations: [{ n: 1 }, { n: 2 }] },
    ]);
  });

  it("marks an input that is JSON but no object", () => {
    const { turn } = accumulate(
      start(0, { type: "tool_use", id: "t", name: "bash", input: {} }),
      delta(0, { type: "input_json_delta", partial_json: "[1]" }),
      stop(0),
    );
    assert.deepEqual(turn.completed(), [{ type: "tool_use", id: "t", name: "bash", input: { INVALID_JSON: "[1]" } }]);
  });

  it("keeps a complete call without input when the turn was interrupted", () => {
    const { turn } = accumulate(
      start(0, { type: "tool_use", id: "t", name: "now", input: {} }),
      stop(0),
      start(1, { type: "text", text: "  " }),
    );
    assert.deepEqual(turn.interrupted(), [{ type: "tool_use", id: "t", name: "now", input: {} }]);
  });

  it("throws on what breaks the protocol, and on an error that the server sends", () => {
    for (const event of [
      null,
      7,
      [],
      {},
      start(0, {}),
      { type: "content_block_start" },
      stop(5),
      delta(0, { type: "text_delta" }),
    ]) {
      assert.throws(() => accumulate(event), ProtocolError, JSON.stringify(event));
    }
    assert.throws(() => accumulate({ type: "error", error: { type: "overloaded_error" } }), StreamedError);
  });
});

describe("the frames of a turn", () => {
  it("do not tear a character that takes two units", () => {
    assert.deepEqual(piecesOf(2)("a🧺b🧺"), ["a🧺", "b🧺"]);
  });

  it("give back, accumulated, the blocks that they were written from, however they are cut", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 40 });
    const block = fc.oneof(
      fc.record({ type: fc.constant("text"), text }),
      fc.record({
        type: fc.constant("text"),
        text,
        citations: fc.array(fc.record({ cited_text: text }), { maxLength: 2 }),
      }),
      fc.record({ type: fc.constant("thinking"), thinking: text, signature: fc.base64String() }),
      fc.record({ type: fc.constant("redacted_thinking"), data: fc.base64String() }),
      fc.record({
        type: fc.constant("tool_use"),
        id: fc.uuid(),
        name: fc.constant("bash"),
        input: fc.dictionary(text, fc.jsonValue()),
      }),
    );
    const usage = { input_tokens: 1, output_tokens: 2, cache_creation_input_tokens: 3, cache_read_input_tokens: 4 };
    fc.assert(
      fc.property(fc.array(block, { maxLength: 4 }), fc.integer({ min: 1, max: 9 }), (made, length) => {
        const blocks = JSON.parse(JSON.stringify(made)) as never[];
        const turn = { id: "m", model: "x", blocks, stop_reason: "end_turn", usage };
        const frames = Array.from(turnFrames(turn, piecesOf(length)));
        const data = frames.map((frame) => JSON.parse(frameText(frame).split("\ndata: ")[1] ?? "") as unknown);
        const accumulated = accumulate(...data).turn;
        assert.deepEqual(accumulated.completed(), blocks);
        assert.deepEqual(accumulated.usage, usage);
        assert.ok(accumulated.ended && accumulated.whole);
      }),
      { numRuns: 200 },
    );
  });
});
