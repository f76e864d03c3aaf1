/** From events to requests: each file in `golden/` is a log with the request that the model is sent at points of it. */
import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { project } from "../../../../src/brain/projection/project.ts";
import type { OfferedTool } from "../../../../src/core/effects.ts";
import type { Json } from "../../../../src/core/json.ts";
import type { ModelRequest } from "../../../../src/core/model.ts";
import { EMPTY_STATE, foldSession } from "../../../../src/core/sessionState.ts";
import type { AnyEvent, SessionState } from "../../../../src/core/sessionState.ts";
import { validateRequest } from "../../../fixtures/messages/validateRequest.ts";

interface Golden {
  /** A sentence: what holds. */
  readonly title: string;
  readonly settings?: {
    readonly model?: object;
    readonly instructions?: string;
    /** Names of hands that all offer the tools; by default one. */
    readonly hands?: readonly string[];
  };
  /** Events without their envelope, and between them members of the request that would be sent there. */
  readonly log: readonly (Readonly<Record<string, unknown>> | { readonly request: Partial<ModelRequest> })[];
}

/** As a server that has sent each block of the log itself. */
const own = { signed: () => true, sent: () => true, thinkingOf: () => undefined };

const folder = path.join(import.meta.dirname, "golden");
const files = readdirSync(folder).toSorted();
const goldens = files.map((name) => JSON.parse(readFileSync(path.join(folder, name), "utf8")) as Golden);

const tools = ["bash", "read"].map((name) => ({
  name,
  description: `Does what ${name} does.`,
  input_schema: { type: "object", properties: { what: { type: "string" } }, required: ["what"] },
  parallel: false,
  permission: "always_allow" as const,
  policy: "always_allow" as const,
}));

function offer(tool: (typeof tools)[number], hand: string): OfferedTool {
  return { ...tool, hand };
}

function requestOf({ settings = {} }: Golden, events: readonly AnyEvent[], state: SessionState): ModelRequest {
  const { model = {}, instructions = "", hands = ["local"] } = settings;
  const offered = hands.flatMap((hand) => tools.map((tool) => offer(tool, hand)));
  // As the harness does: what is summarised is not read again.
  const kept = events.filter(({ seq }) => seq >= state.summarised_before_seq);
  return project(kept, {
    model: { id: "claude-sonnet-5-5", max_tokens: 1_000, context_window: 200_000, thinking: "off", ...model },
    tools: offered,
    hands: hands.map((name) => ({ spec: { name, kind: "local" }, description: `The folder of ${name}.` })),
    date: "2026-11-21",
    instructions,
    cleared_before_seq: state.cleared_before_seq,
  });
}

interface Point {
  readonly request: ModelRequest;
  readonly expected: Partial<ModelRequest>;
  readonly state: SessionState;
  readonly events: readonly AnyEvent[];
}

/** The points of the log at which a request is expected, with the one that is made there. */
function pointsOf(golden: Golden): readonly Point[] {
  const events: AnyEvent[] = [];
  const points: Point[] = [];
  let state = EMPTY_STATE;
  for (const entry of golden.log) {
    if (Object.hasOwn(entry, "request")) {
      const { request: expected } = entry as { readonly request: Partial<ModelRequest> };
      points.push({ request: requestOf(golden, events, state), expected, state, events: [...events] });
      continue;
    }
    const seq = events.length + 1;
    const event = { id: `sevt_${seq}`, ...entry, seq, processed_at: "2026-11-21T00:00:00.000Z" } as unknown as AnyEvent;
    events.push(event);
    state = foldSession(state, event);
  }
  return points;
}

function withoutMarks(value: unknown): string {
  return JSON.stringify(value, (key, member: unknown) => (key === "cache_control" ? undefined : member));
}

describe("the request that is made of a log", () => {
  for (const golden of goldens) {
    it(golden.title, () => {
      for (const { request, expected } of pointsOf(golden)) {
        const made = Object.fromEntries(
          Object.keys(expected).map((name) => [name, request[name as keyof ModelRequest]]),
        );
        // As text: the order of members counts too, as the cache goes by bytes.
        assert.equal(JSON.stringify(made, null, 1), JSON.stringify(expected, null, 1));
      }
    });
  }

  it("is taken by the API in each of these cases, with four cache breakpoints at the most", () => {
    for (const golden of goldens) {
      for (const { request } of pointsOf(golden)) {
        assert.equal(validateRequest(request as unknown as Json, { own }), null, golden.title);
        const marks = JSON.stringify(request).split('"cache_control"').length - 1;
        assert.ok(marks >= 2 && marks <= 4, golden.title);
      }
    }
  });

  it("begins byte for byte as the one before, until room is made", () => {
    let compared = 0;
    for (const golden of goldens) {
      const points = pointsOf(golden);
      for (const [index, next] of points.slice(1).entries()) {
        const before = points[index] as Point;
        const isSame = (name: "cleared_before_seq" | "summarised_before_seq"): boolean =>
          before.state[name] === next.state[name];
        if (!isSame("cleared_before_seq") || !isSame("summarised_before_seq")) continue;
        compared += 1;
        const { system, tools: told, messages } = before.request;
        assert.equal(withoutMarks([next.request.system, next.request.tools]), withoutMarks([system, told]));
        const began = withoutMarks(messages).slice(0, -"]}]".length);
        assert.ok(withoutMarks(next.request.messages).startsWith(began), golden.title);
        // The newest mark of the one is still a mark in the other, so that the cache is found.
        const marked = JSON.stringify(messages.at(-1)?.content.at(-1));
        assert.ok(messages.length === next.request.messages.length || JSON.stringify(next.request).includes(marked));
      }
    }
    assert.ok(compared >= 8, `${compared} comparisons show too little`);
  });

  it("names, for each result that has left it, the event of the log that keeps it whole", () => {
    let named = 0;
    for (const { request, events } of goldens.flatMap(pointsOf)) {
      for (const [, id] of JSON.stringify(request.messages).matchAll(/kept in the session log as (\w+)/g)) {
        named += 1;
        const event = events.find((candidate) => candidate.id === id);
        assert.equal(event?.type, "agent.tool_result");
        assert.notDeepEqual(event?.["content"], []);
      }
    }
    assert.ok(named > 0);
  });
});
