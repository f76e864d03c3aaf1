/** Events as a log has them, for the tests of the page. */
import type { NewEvent } from "../../src/core/events.ts";
import type { JsonObject } from "../../src/core/json.ts";
import type { AnyEvent } from "../../src/core/sessionState.ts";

const usage = { input_tokens: 9, output_tokens: 4, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };

/** Numbers what it is given from where the last call ended. */
export function numbering(): (...events: readonly NewEvent[]) => AnyEvent[] {
  let seq = 0;
  const numbered = (event: NewEvent): AnyEvent => {
    seq += 1;
    const processed_at = new Date(Date.UTC(2026, 0, 1) + seq * 1_000).toISOString();
    return { id: `sevt_${String(seq).padStart(6, "0")}`, ...event, seq, processed_at } as unknown as AnyEvent;
  };
  return (...events) => events.map(numbered);
}

export const created: NewEvent = {
  type: "session.created",
  schema_version: 1,
  title: "Orchard",
  hands: [{ name: "local", kind: "local" }],
  model: null,
  permission: "ask",
};

let made = 0;

function eventId(): never {
  made += 1;
  return `sevt_made_${made}` as never;
}

type Usage = typeof usage;

/** One request of the model and what it answered with; the blocks are of this turn. */
function request(
  blocks: (of: { model_request_start_id: never }) => NewEvent[],
  model_usage: Usage = usage,
): NewEvent[] {
  const start = eventId();
  const made = blocks({ model_request_start_id: start });
  const stop_reason = made.some(({ type }) => type === "agent.tool_use") ? "tool_use" : "end_turn";
  return [
    { type: "span.model_request_start", id: start, model: "m", purpose: "turn" },
    ...made,
    { type: "span.model_request_end", model_request_start_id: start, is_error: false, model_usage, stop_reason },
  ];
}

export function person(text: string): NewEvent {
  return { type: "user.message", content: [{ type: "text", text }] };
}

export interface Call {
  readonly id: never;
  readonly name: string;
  readonly input: JsonObject;
  readonly permission: "ask" | "allow";
  readonly hand: string;
}

export function call(name: string, input: JsonObject, options: { permission?: "ask"; hand?: string } = {}): Call {
  return { id: eventId(), name, input, permission: options.permission ?? "allow", hand: options.hand ?? "local" };
}

/** A turn of the model: what it thought and said, and its calls. */
export function answer(parts: { thought?: string; text?: string; calls?: readonly Call[]; usage?: Usage }): NewEvent[] {
  const { thought, text, calls = [] } = parts;
  return request((of) => {
    const block = (thinking: string) => ({ type: "thinking", thinking, signature: "s" }) as const;
    return [
      ...(thought === undefined ? [] : [{ type: "agent.thinking", ...of, block: block(thought) } as const]),
      ...(text === undefined ? [] : [{ type: "agent.message", ...of, content: [{ type: "text", text }] } as const]),
      ...calls.map(({ id, name, input, permission, hand }): NewEvent => {
        const { model_request_start_id } = of;
        const block_id = `toolu_${String(id)}`;
        const evaluated_permission = permission;
        return {
          type: "agent.tool_use",
          id,
          model_request_start_id,
          block_id,
          hand,
          name,
          input,
          evaluated_permission,
        };
      }),
    ];
  }, parts.usage);
}

export function started({ id, hand }: Call): NewEvent {
  return { type: "hand.call_started", tool_use_id: id, hand, instance: "local-1" };
}

type Result = Extract<NewEvent, { type: "agent.tool_result" }>;

export function result({ id }: Call, text: string, more: Partial<Result> = {}): NewEvent {
  const outcome = { kind: "exited", code: 0 } as const;
  const content = [{ type: "text", text }] as const;
  return { type: "agent.tool_result", tool_use_id: id, content, is_error: false, outcome, duration_ms: 840, ...more };
}

export const working: NewEvent = { type: "session.status_running" };
export const resting: NewEvent = { type: "session.status_idle", stop_reason: { type: "end_turn" } };

/** A message of the person and the whole turn that answers it: six events. */
export function turn(said: string, text: string): NewEvent[] {
  return [person(said), working, ...answer({ text }), resting];
}

/** A turn that ends with commands for which the person is asked. */
export function asks(...commands: readonly string[]): NewEvent[] {
  const calls = commands.map((command) => call("bash", { command }, { permission: "ask" }));
  const stop_reason = { type: "requires_action", event_ids: calls.map(({ id }) => id) } as const;
  return [person("Do it."), working, ...answer({ calls }), { type: "session.status_idle", stop_reason }];
}

/** A turn that ends with a command that runs. */
export function runs(command: string): NewEvent[] {
  const used = call("bash", { command });
  return [person("Do it."), working, ...answer({ calls: [used] }), started(used)];
}
