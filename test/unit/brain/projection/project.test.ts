/** From events to requests: always valid by the strict server's rules, and stable in what was there before. */
import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { project } from "../../../../src/brain/projection/project.ts";
import type { Json } from "../../../../src/core/json.ts";
import type { AnyEvent } from "../../../../src/core/sessionState.ts";
import { validateRequest } from "../../../fixtures/messages/validateRequest.ts";

const settings = {
  model: { id: "claude-sonnet-5-5", max_tokens: 1_000, context_window: 200_000, thinking: "off" },
  tools: [
    {
      name: "bash",
      description: "Runs.",
      input_schema: { type: "object" },
      parallel: false,
      permission: "always_ask",
      policy: "always_ask",
      hand: "local",
    },
  ],
  hands: [{ spec: { name: "local", kind: "local" }, description: "here" }],
  date: "2026-11-21",
  instructions: "",
  cleared_before_seq: 0,
} as const;

type Step = "said" | "turn" | "failed" | "abandoned" | "interrupted" | "silent";

/** A history as the harness writes it: each turn's calls are answered before the next request. */
function history(
  steps: readonly { readonly step: Step; readonly calls: number; readonly late: boolean }[],
): AnyEvent[] {
  const events: AnyEvent[] = [];
  const add = (type: string, members: object): string => {
    const seq = events.length + 1;
    const id = `sevt_${seq}`;
    events.push({ seq, id, type, processed_at: "2026-11-21T00:00:00.000Z", ...members } as unknown as AnyEvent);
    return id;
  };
  const say = (): string => add("user.message", { content: [{ type: "text", text: `message ${events.length}` }] });
  say();
  for (const { step, calls, late } of steps) {
    if (step === "said") {
      say();
      continue;
    }
    const model_request_start_id = add("span.model_request_start", { model: settings.model.id, purpose: "turn" });
    if (late) say();
    if (step === "abandoned") continue;
    const is_error = step === "failed";
    const uses: string[] = [];
    if (step !== "silent") add("agent.message", { model_request_start_id, content: [{ type: "text", text: "reply" }] });
    const made = step === "turn" ? calls : 0;
    for (let call = 0; call < made; call += 1) {
      const block_id = `toolu_${events.length}`;
      uses.push(add("agent.tool_use", { model_request_start_id, name: "bash", input: { command: "x" }, block_id }));
    }
    add("span.model_request_end", { model_request_start_id, is_error });
    for (const tool_use_id of uses.toReversed()) {
      add("agent.tool_result", { tool_use_id, content: [{ type: "text", text: "done" }], is_error: false });
    }
    if (uses.length === 0) say();
  }
  return events;
}

const histories = fc.array(
  fc.record({
    step: fc.constantFrom<Step>("said", "turn", "turn", "failed", "abandoned", "interrupted", "silent"),
    calls: fc.integer({ min: 0, max: 3 }),
    late: fc.boolean(),
  }),
  { maxLength: 12 },
);

function withoutMarks(value: unknown): string {
  return JSON.stringify(value, (key, member: unknown) => (key === "cache_control" ? undefined : member));
}

describe("the projection", () => {
  it("makes a request that the API takes out of every history", () => {
    fc.assert(
      fc.property(histories, (steps) => {
        const request = project(history(steps), settings);
        assert.equal(validateRequest(request as unknown as Json), null);
      }),
      { numRuns: 300 },
    );
  });

  it("never changes a message that was followed by a reply when events are appended", () => {
    fc.assert(
      fc.property(histories, fc.nat(), (steps, at) => {
        const events = history(steps);
        const cut = events.findIndex(
          (event, index) => index >= at % events.length && event.type === "span.model_request_end",
        );
        const before = project(events.slice(0, Math.max(cut, 1)), settings).messages;
        const after = project(events, settings).messages;
        const kept = before.findLastIndex(({ role }) => role === "assistant") + 1;
        assert.equal(withoutMarks(before.slice(0, kept)), withoutMarks(after.slice(0, kept)));
      }),
      { numRuns: 300 },
    );
  });

  it("puts a short note in place of results that left the context", () => {
    const events = history([{ step: "turn", calls: 1, late: false }]);
    const request = project(events, { ...settings, cleared_before_seq: events.length + 1 });
    assert.match(JSON.stringify(request.messages.at(-1)), /Removed to save room: the output of this bash call/);
  });
});
