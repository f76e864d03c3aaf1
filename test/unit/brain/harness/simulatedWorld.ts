/** Everything that happens to a harness, owned by a test: a log in memory, a model that says its part, calls that succeed. */
import { strict as assert } from "node:assert";
import type { CompletedCall, Effect, EffectValues, Harness, HarnessContext } from "../../../../src/core/effects.ts";
import type { ClientEvent, NewEvent } from "../../../../src/core/events.ts";
import type { EventId } from "../../../../src/core/ids.ts";
import type { AssistantBlock, ModelOutcome, ModelRequest } from "../../../../src/core/model.ts";
import { EMPTY_STATE, foldSession, needsBrain } from "../../../../src/core/sessionState.ts";
import type { AnyEvent, SessionState } from "../../../../src/core/sessionState.ts";
import { validateRequest } from "../../../fixtures/messages/validateRequest.ts";

const usage = {
  input_tokens: 10,
  output_tokens: 5,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
};

/** How the model answers its request number `index`, counted from 0. */
export type Part = (request: ModelRequest, index: number) => readonly AssistantBlock[] | ModelOutcome;

const STEPS_MAX = 2_000;

export class SimulatedWorld {
  readonly events: AnyEvent[] = [];
  /** Each request, and how many events were in the log when it was sent. */
  readonly requests: { readonly request: ModelRequest; readonly seq: number; readonly interrupted: boolean }[] = [];
  readonly executed: EventId[] = [];
  /** Called before each effect, with its number from 1 on: what comes in at that moment, unseen by the harness. */
  onEffect: (count: number, effect: Effect) => void = () => {};
  state: SessionState = EMPTY_STATE;
  effects = 0;
  readonly #part: Part;
  readonly #completed: CompletedCall[] = [];

  constructor(part: Part) {
    this.#part = part;
    const hands = [{ name: "local", kind: "local" }];
    const permission = "ask";
    this.append({ type: "session.created", schema_version: 1, title: "", hands, model: null, permission });
  }

  append(event: NewEvent | ClientEvent): AnyEvent {
    const seq = this.events.length + 1;
    const processed_at = new Date(Date.UTC(2026, 10, 21) + seq).toISOString();
    const stored = { id: `sevt_${seq}`, ...event, seq, processed_at } as unknown as AnyEvent;
    this.events.push(stored);
    this.state = foldSession(this.state, stored);
    return stored;
  }

  say(text: string): void {
    this.append({ type: "user.message", content: [{ type: "text", text }] });
  }

  /** As the orchestrator does: until the session needs nobody. */
  async run(harness: Harness, settings: Partial<HarnessContext["model"]> = {}): Promise<void> {
    while (needsBrain(this.state)) {
      const steps = harness(contextOf(this.state, settings));
      let step = await steps.next();
      while (step.done !== true) {
        this.effects += 1;
        assert.ok(this.effects < STEPS_MAX, "the harness goes round in circles");
        this.onEffect(this.effects, step.value);
        const value = this.#perform(step.value);
        step = await steps.next({ state: this.state, value });
      }
    }
  }

  #perform(effect: Effect): EffectValues[Effect["kind"]] {
    switch (effect.kind) {
      case "emit":
        return { events: effect.events.map((event) => this.append(event)) };
      case "ask_model":
        return this.#ask(effect.request);
      case "execute":
        this.#execute(effect.tool_use_ids);
        return null;
      case "stop_calls":
        return null;
      case "read_events": {
        const { from = 1, to = Infinity, types, limit = 1_000 } = effect.slice;
        const inSlice = ({ seq, type }: AnyEvent): boolean =>
          seq >= from && seq <= to && (types === undefined || types.includes(type));
        return this.events.filter(inSlice).slice(0, limit);
      }
      case "wait":
        return { completed: this.#completed.splice(0) };
    }
  }

  #ask(request: ModelRequest): ModelOutcome {
    assert.equal(validateRequest({ ...request, stream: true }), null);
    const interrupted = this.state.interrupt_seq !== null;
    this.requests.push({ request, seq: this.state.seq, interrupted });
    if (interrupted) return { kind: "interrupted", blocks: [] };
    const answer = this.#part(request, this.requests.length - 1);
    if ("kind" in answer) return answer;
    const uses = answer.some(({ type }) => type === "tool_use");
    return { kind: "completed", blocks: answer, stop_reason: uses ? "tool_use" : "end_turn", usage };
  }

  #execute(ids: readonly EventId[]): void {
    for (const id of ids) {
      assert.ok(!this.executed.includes(id), `${id} was executed twice`);
      this.executed.push(id);
      this.append({ type: "hand.call_started", tool_use_id: id, hand: "local", instance: "i1" });
      const content = [{ type: "text", text: "done" } as const];
      this.#completed.push({ tool_use_id: id, content, is_error: false, outcome: { kind: "exited", code: 0 } });
    }
  }
}

function contextOf(state: SessionState, model: Partial<HarnessContext["model"]>): HarnessContext {
  const tool = (name: string, policy: "always_allow" | "always_ask") => ({
    name,
    description: "Does it.",
    input_schema: { type: "object" },
    parallel: false,
    permission: policy,
    policy,
    hand: "local",
  });
  return {
    state,
    model: { id: "claude-sonnet-5-5", max_tokens: 1_000, context_window: 200_000, thinking: "off", ...model },
    tools: [tool("bash", "always_ask"), tool("read", "always_allow")],
    hands: [{ spec: { name: "local", kind: "local" }, description: "here" }],
    date: "2026-11-21",
    instructions: "",
  };
}
