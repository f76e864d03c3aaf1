/** The adapter against the strict server, over real HTTP: turns that come to their end, or are ended by the person. */
import assert from "node:assert/strict";
import { INVALID_JSON } from "../../../src/core/model.ts";
import type { AssistantBlock, ModelDelta, ModelOutcome } from "../../../src/core/model.ts";
import type { ScenarioBlock, Turn } from "../../fixtures/messages/scenario.ts";
import { startMessagesServer } from "../../fixtures/messages/strictServer.ts";
import { askAt, askOnce, requestOf } from "./askServer.ts";

const blocks: readonly ScenarioBlock[] = [
  { type: "thinking", thinking: "Hm, ein Weg — 道." },
  {
    type: "text",
    text: "I look.\n\nΨ 🧺🧺",
    citations: [{ type: "char_location", cited_text: "a", document_index: 0 }],
  },
  { type: "tool_use", name: "bash", input: { command: "echo 'ü🧺'", nested: [1, 2.5, null, { a: true }] } },
  { type: "tool_use", name: "bash", input: {} },
];

function completed(outcome: ModelOutcome): Extract<ModelOutcome, { kind: "completed" }> {
  assert.equal(outcome.kind, "completed", JSON.stringify(outcome));
  return outcome;
}

function textOf(deltas: readonly ModelDelta[], member: "text" | "thinking" | "partial_json", index: number): string {
  return deltas
    .filter((delta) => delta.kind === "delta" && delta.index === index)
    .map((delta) =>
      delta.kind === "delta" && member in delta.delta ? (delta.delta as Record<string, string>)[member] : "",
    )
    .join("");
}

describe("a turn of the model", () => {
  it("is given block by block as the server sent it, with every member kept", async () => {
    const { outcome } = await askOnce({ blocks });
    const turn = completed(outcome);
    const [thinking, text, first, second] = plain(turn.blocks);
    assert.deepEqual(Object.keys(thinking ?? {}).toSorted(), ["signature", "thinking", "type"]);
    assert.equal(thinking?.["thinking"], "Hm, ein Weg — 道.");
    assert.deepEqual(text, blocks[1]);
    assert.deepEqual({ ...first, id: "" }, { ...(blocks[2] as object), id: "", caller: { type: "direct" } });
    assert.deepEqual(second?.["input"], {});
    assert.equal(turn.stop_reason, "tool_use");
    assert.ok((turn.first_token_ms ?? -1) >= 0);
  });

  it("streams text, thinking and input as deltas that add up to the blocks", async () => {
    const { deltas } = await askOnce({ blocks });
    const starts = deltas.filter((delta) => delta.kind === "block_start");
    assert.deepEqual(
      starts.map(({ index, type, name }) => [index, type, name]),
      [
        [0, "thinking", undefined],
        [1, "text", undefined],
        [2, "tool_use", "bash"],
        [3, "tool_use", "bash"],
      ],
    );
    assert.equal(textOf(deltas, "thinking", 0), "Hm, ein Weg — 道.");
    assert.equal(textOf(deltas, "text", 1), "I look.\n\nΨ 🧺🧺");
    assert.deepEqual(JSON.parse(textOf(deltas, "partial_json", 2)), (blocks[2] as Record<string, unknown>)["input"]);
  });

  it("can be sent back as it came, so that the strict server takes its own signatures and members", async () => {
    const server = await startMessagesServer({ scenario: { turns: [{ blocks }, { blocks: ["Done."] }] } });
    const first = completed((await askAt(server.url)).outcome);
    const results = first.blocks.flatMap((block) =>
      block.type === "tool_use" ? [{ type: "tool_result", tool_use_id: String(block["id"]), content: "ok" }] : [],
    );
    const messages = [
      ...requestOf().messages,
      { role: "assistant" as const, content: first.blocks as never },
      { role: "user" as const, content: results },
    ];
    const second = await askAt(server.url, { request: { messages } });
    await server.close();
    assert.deepEqual(server.problems, []);
    assert.equal(completed(second.outcome).stop_reason, "end_turn");
  });

  it("is the same however the bytes are cut, inside of characters too", async () => {
    const whole = completed((await askOnce({ blocks })).outcome).blocks;
    for (const chunk_bytes of [1, 2, 3, 7, 64]) {
      const cut = completed((await askOnce({ blocks, behaviour: { chunk_bytes, piece_chars: 3 } })).outcome).blocks;
      assert.deepEqual(withoutIds(cut), withoutIds(whole), `${chunk_bytes} bytes at a time`);
    }
  });

  it("merges the usage of its start and its end", async () => {
    const usage = { input_tokens: 11, output_tokens: 7, cache_creation_input_tokens: 5, cache_read_input_tokens: 3 };
    assert.deepEqual(completed((await askOnce({ blocks, usage })).outcome).usage, usage);
  });

  it("keeps blocks of a type that it does not know", async () => {
    const block = { type: "server_thing", id: "x", content: [{ type: "odd", n: 1 }] };
    assert.deepEqual(completed((await askOnce({ blocks: [block] })).outcome).blocks, [block]);
  });

  it("marks an input that is no JSON, and keeps its text", async () => {
    const raw_input = '{"command": "echo';
    const { outcome } = await askOnce({ blocks: [{ type: "tool_use", name: "bash", raw_input }] });
    assert.deepEqual(plain(completed(outcome).blocks)[0]?.["input"], { [INVALID_JSON]: raw_input });
  });

  it("leaves a call out whose input was cut short by max_tokens", async () => {
    for (const raw_input of ['{"command": "echo', ""]) {
      const cut: Turn = { blocks: ["Now.", { type: "tool_use", name: "bash", raw_input }], stop_reason: "max_tokens" };
      const turn = completed((await askOnce(cut)).outcome);
      assert.deepEqual(
        turn.blocks.map(({ type }) => type),
        ["text"],
      );
      assert.equal(turn.stop_reason, "max_tokens");
    }
  });

  it("is whole when only message_stop is missing", async () => {
    const frames = framesOf(["Hello"]);
    const { outcome } = await askOnce({ blocks: ["Hello"], behaviour: { end_after: frames - 1 } });
    assert.deepEqual(completed(outcome).blocks, [{ type: "text", text: "Hello", citations: null }]);
  });

  it("does not stall while pings come, however slow its words are", async () => {
    const behaviour = { pings: 1, frame_ms: 2 };
    const { outcome, deltas } = await askOnce({ blocks: ["Slow words."], behaviour }, { stallMs: 30_000 });
    completed(outcome);
    assert.equal(textOf(deltas, "text", 0), "Slow words.");
  });

  it("uses connections again for requests that follow each other", async () => {
    const server = await startMessagesServer({ scenario: { turns: [{}], afterwards: "repeat" } });
    for (let count = 0; count < 6; count += 1) completed((await askAt(server.url)).outcome);
    await server.close();
    const connections = new Set(server.requests.map(({ connection }) => connection));
    assert.equal(server.requests.length, 6);
    assert.ok(connections.size <= 2, `${connections.size} connections`);
  });
});

describe("a turn that the person interrupts", () => {
  it("gives complete blocks and the text so far", async () => {
    const server = await startMessagesServer({
      scenario: {
        turns: [{ blocks: [{ type: "thinking", thinking: "T" }, "A long answer"], behaviour: { stall_after: 8 } }],
      },
    });
    const abort = new AbortController();
    const { outcome } = await askAt(server.url, {
      signal: abort.signal,
      onDelta: (delta) => {
        if (delta.kind === "delta" && delta.delta.type === "text_delta") abort.abort();
      },
    });
    await server.close();
    assert.equal(outcome.kind, "interrupted");
    const found = outcome.kind === "interrupted" ? outcome.blocks : [];
    assert.deepEqual(
      found.map(({ type }) => type),
      ["thinking", "text"],
    );
    assert.equal(plain(found)[1]?.["text"], "A long answe");
  });

  it("drops a call that was being written, and thinking without its signature", async () => {
    for (const block of [
      { type: "tool_use", name: "bash", input: { command: "echo one two three four five" } },
      { type: "thinking", thinking: "one two three four five six" },
    ]) {
      const server = await startMessagesServer({
        scenario: { turns: [{ blocks: [block], behaviour: { stall_after: 5 } }] },
      });
      const abort = new AbortController();
      const onDelta = (delta: ModelDelta): void => {
        if (delta.kind === "delta") abort.abort();
      };
      const { outcome } = await askAt(server.url, { signal: abort.signal, onDelta });
      await server.close();
      assert.deepEqual(outcome.kind === "interrupted" && outcome.blocks, []);
    }
  });

  it("ends at once before the answer has begun, and the server sees the client go", async () => {
    const server = await startMessagesServer({ scenario: { turns: [{ behaviour: { hold_before: true } }] } });
    const abort = new AbortController();
    const asking = askAt(server.url, { signal: abort.signal });
    await server.received(1);
    abort.abort();
    assert.deepEqual((await asking).outcome.kind, "interrupted");
    await server.close();
    assert.equal(server.requests[0]?.finished, false);
  });

  it("asks nothing when it was interrupted before", async () => {
    const server = await startMessagesServer({ scenario: { turns: [{}] } });
    const { outcome } = await askAt(server.url, { signal: AbortSignal.abort() });
    await server.close();
    assert.deepEqual(outcome, { kind: "interrupted", blocks: [] });
    assert.equal(server.requests.length, 0);
  });
});

function plain(list: readonly AssistantBlock[]): readonly Record<string, unknown>[] {
  return list as readonly Record<string, unknown>[];
}

function withoutIds(list: readonly AssistantBlock[]): unknown[] {
  return list.map((block) => ({ ...block, id: "" }));
}

/** message_start, start, ping, deltas, stop, message_delta, message_stop, with deltas of 12 characters. */
function framesOf(texts: readonly string[]): number {
  return 4 + texts.reduce((sum, text) => sum + 2 + Math.ceil(text.length / 12), 0);
}
