/** Parts of a turn while it streams. */
import assert from "node:assert/strict";
import type { EventType, StreamDelta } from "../../../src/core/events.ts";
import { limits } from "../../../src/core/limits.ts";
import { Live } from "../../../src/webview/live.ts";
import { eventId } from "./logOf.ts";

const message = eventId("message");
const call = eventId("call");

function begin(live: Live, id: typeof call, type: EventType, name?: string): void {
  live.take({ type: "event_start", event: name === undefined ? { id, type } : { id, type, name } });
}

function grow(live: Live, id: typeof call, delta: StreamDelta): void {
  live.take({ type: "event_delta", event_id: id, delta });
}

describe("live parts", () => {
  it("grow by their deltas, and a call shows as much of its input as there is", () => {
    const live = new Live();
    begin(live, message, "agent.message");
    grow(live, message, { type: "text_delta", text: "Let me " });
    grow(live, message, { type: "text_delta", text: "see." });
    begin(live, call, "agent.tool_use", "bash");
    grow(live, call, { type: "input_json_delta", partial_json: '{"command":"npm te' });
    const [said, used] = live.rows();
    assert.equal(said?.kind === "agent" && said.text, "Let me see.");
    assert.ok(used?.kind === "call" && used.isLive);
    assert.deepEqual([used.name, used.input], ["bash", { command: "npm te" }]);
  });

  it("make way for the stored event of the same id, and go all together when the turn is over or given up", () => {
    const live = new Live();
    begin(live, message, "agent.message");
    begin(live, call, "agent.tool_use", "bash");
    live.settle(message, "agent.message");
    assert.deepEqual(
      live.rows().map(({ key }) => key),
      [call],
    );
    live.settle(eventId("end"), "span.model_request_end");
    assert.deepEqual(live.rows(), []);
    begin(live, message, "agent.message");
    live.take({ type: "turn_discarded", model_request_start_id: eventId("start") });
    assert.deepEqual(live.rows(), []);
  });

  it("ignore a delta for a part that was never begun", () => {
    const live = new Live();
    grow(live, message, { type: "text_delta", text: "lost" });
    assert.deepEqual(live.rows(), []);
  });

  it("keep the end of what a command prints, and no more than the page may hold", () => {
    const live = new Live();
    const print = (text: string): unknown => live.take({ type: "call_output", tool_use_id: call, offset: 0, text });
    print("first ");
    print("x".repeat(limits.pageOutputCharsMax));
    print("last");
    assert.equal(live.output(call).length, limits.pageOutputCharsMax);
    assert.ok(live.output(call).endsWith("xlast"));
    live.forgetOutput(call);
    assert.equal(live.output(call), "");
  });
});
