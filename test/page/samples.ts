/** Events as a log has them, for the tests of the page. */
import type { NewEvent } from "../../src/core/events.ts";
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

/** A message of the person and the whole turn that answers it: six events. */
export function turn(said: string, answer: string): NewEvent[] {
  const start = eventId();
  return [
    { type: "user.message", content: [{ type: "text", text: said }] },
    { type: "session.status_running" },
    { type: "span.model_request_start", id: start, model: "m", purpose: "turn" },
    { type: "agent.message", model_request_start_id: start, content: [{ type: "text", text: answer }] },
    {
      type: "span.model_request_end",
      model_request_start_id: start,
      is_error: false,
      model_usage: usage,
      stop_reason: "end_turn",
    },
    { type: "session.status_idle", stop_reason: { type: "end_turn" } },
  ];
}

/** A turn that ends with a command for which the person is asked. */
export function asks(command: string): NewEvent[] {
  const call = eventId();
  const stop_reason = { type: "requires_action", event_ids: [call] } as const;
  return [...calls(command, call, "ask"), { type: "session.status_idle", stop_reason }];
}

/** A turn that ends with a command that runs. */
export function runs(command: string): NewEvent[] {
  const call = eventId();
  const started: NewEvent = { type: "hand.call_started", tool_use_id: call, hand: "local", instance: "local-1" };
  return [...calls(command, call, "allow"), started];
}

function calls(command: string, call: never, evaluated_permission: "ask" | "allow"): NewEvent[] {
  const start = eventId();
  return [
    { type: "user.message", content: [{ type: "text", text: "Do it." }] },
    { type: "session.status_running" },
    { type: "span.model_request_start", id: start, model: "m", purpose: "turn" },
    {
      type: "agent.tool_use",
      id: call,
      model_request_start_id: start,
      name: "bash",
      input: { command },
      evaluated_permission,
      block_id: "toolu_1",
      hand: "local",
    },
    {
      type: "span.model_request_end",
      model_request_start_id: start,
      is_error: false,
      model_usage: usage,
      stop_reason: "tool_use",
    },
  ];
}
