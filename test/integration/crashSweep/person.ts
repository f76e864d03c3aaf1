/** The person of the crash sweep: decides by the log alone what to say next, so that a crash cannot make it forget. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ClientEvent } from "../../../src/core/events.ts";
import type { EventId } from "../../../src/core/ids.ts";
import type { AnyEvent, SessionState } from "../../../src/core/sessionState.ts";

const FIRST_MESSAGE = "Look around, count, and wait.";
const SECOND_MESSAGE = "Never mind the waiting. Finish.";

/** Created by the long command once it runs, so that the interrupt falls into the middle of it. */
export const LONG_COMMAND_MARKER = "long-command-runs";

export type Move =
  { readonly kind: "say"; readonly event: ClientEvent } | { readonly kind: "wait" } | { readonly kind: "done" };

/** The next move; every event has an id of its own, so that saying it again changes nothing. */
export function nextMove(state: SessionState, events: readonly AnyEvent[], workspace: string): Move {
  const has = (id: string): boolean => events.some((event) => event.id === id);
  if (!has("sevt_person_first")) return say(message("sevt_person_first", FIRST_MESSAGE));
  if (!has("sevt_person_interrupt") && existsSync(join(workspace, LONG_COMMAND_MARKER))) {
    return say({ type: "user.interrupt", id: "sevt_person_interrupt" as EventId });
  }
  if (state.status !== "idle" || state.input_seq > state.idle_seq) return { kind: "wait" };
  if (state.stop_reason?.type === "requires_action") {
    const waiting = state.stop_reason.event_ids.find((id) => !has(confirmationId(id)));
    return waiting === undefined ? { kind: "wait" } : say(confirmation(waiting));
  }
  if (!has("sevt_person_second")) return say(message("sevt_person_second", SECOND_MESSAGE));
  return { kind: "done" };
}

function say(event: ClientEvent): Move {
  return { kind: "say", event };
}

function message(id: string, text: string): ClientEvent {
  return { type: "user.message", id: id as EventId, content: [{ type: "text", text }] };
}

function confirmationId(toolUse: EventId): EventId {
  return `sevt_confirm_${toolUse.slice("sevt_".length)}` as EventId;
}

function confirmation(toolUse: EventId): ClientEvent {
  return { type: "user.tool_confirmation", id: confirmationId(toolUse), tool_use_id: toolUse, result: "allow" };
}
