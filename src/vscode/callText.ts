/** A call in a few words. */
import type { Json } from "../core/json.ts";
import { isObject } from "../core/json.ts";
import type { SessionService } from "../core/service.ts";

const CHARS_MAX = 160;

/** The one thing in an input that says what the call is about; the whole input as JSON where nothing does. */
export function essentialOf(input: Json): string {
  if (!isObject(input)) return "";
  for (const key of ["command", "file_path", "pattern", "call_id", "path"]) {
    const value = input[key];
    if (typeof value === "string" && value !== "") return value;
  }
  return Object.keys(input).length === 0 ? "" : JSON.stringify(input);
}

function callText(name: string, input: Json, hand: string | null): string {
  const essential = essentialOf(input).replaceAll(/\s+/g, " ");
  const cut = essential.length > CHARS_MAX ? `${essential.slice(0, CHARS_MAX)}…` : essential;
  return `${name} ${cut}${hand === null ? "" : ` on ${hand}`}`;
}

/** A call that waits for its result, in a few words. */
export async function describeCall(service: SessionService, sessionId: string, toolUseId: string): Promise<string> {
  const { state } = await service.getSession(sessionId);
  const use = state.unanswered.find((candidate) => candidate.id === toolUseId);
  if (use === undefined) return "a call that is answered by now";
  const [event] = await service.getEvents(sessionId, { from: use.seq, to: use.seq });
  const input = event?.type === "agent.tool_use" && "input" in event ? (event.input as Json) : null;
  return callText(use.name, input, state.hands.length > 1 ? use.hand : null);
}
