/** A call that waits for an answer, in a few words. */
import type { Json } from "../core/json.ts";
import type { SessionService } from "../core/service.ts";
import { toolTitle } from "../core/toolTitle.ts";
import { essentialOf } from "./callText.ts";

const CHARS_MAX = 160;

function callText(tool: string, input: Json, hand: string | null, showHand: boolean): string {
  const { name, source } = toolTitle(tool, hand);
  const essential = essentialOf(input).replaceAll(/\s+/g, " ");
  const cut = essential.length > CHARS_MAX ? `${essential.slice(0, CHARS_MAX)}…` : essential;
  if (source !== null) return `${name} of ${source} ${cut}`.trimEnd();
  return `${name} ${cut}${showHand && hand !== null ? ` on ${hand}` : ""}`;
}

/** A call that waits for its result, in a few words. */
export async function describeCall(service: SessionService, sessionId: string, toolUseId: string): Promise<string> {
  const { state } = await service.getSession(sessionId);
  const use = state.unanswered.find((candidate) => candidate.id === toolUseId);
  if (use === undefined) return "a call that is answered by now";
  const [event] = await service.getEvents(sessionId, { from: use.seq, to: use.seq });
  const input = event?.type === "agent.tool_use" && "input" in event ? (event.input as Json) : null;
  return callText(use.name, input, use.hand, state.hands.length > 1);
}
