/** A person of the tests who answers what sessions ask: grants by a rule, calls that wait with yes. */
import type { EventId } from "../../../src/core/ids.ts";
import type { GrantDecision } from "../../../src/core/vault.ts";
import type { StoredEvent } from "../../../src/core/events.ts";
import { isKnown } from "../../../src/core/sessionState.ts";
import type { LocalSessionService } from "../../../src/orchestrator/localSessionService.ts";

export type Rule = (request: StoredEvent<"vault.grant_requested">) => GrantDecision | null;

export const FOR_SESSION: GrantDecision = { result: "allow", lasts: "session" };

/** null: it is left to wait. */
export function answering(service: LocalSessionService, rule: Rule = () => FOR_SESSION): void {
  service.onDidAppendEvent(({ session_id, event }) => {
    if (!isKnown(event)) return;
    if (event.type === "vault.grant_requested") {
      const decision = rule(event);
      if (decision === null) return;
      void service.emitEvent(session_id, { type: "user.grant_decision", grant_request_id: event.id, ...decision });
    }
    if (event.type === "session.status_idle" && event.stop_reason.type === "requires_action") {
      for (const tool_use_id of event.stop_reason.event_ids) void allow(service, session_id, tool_use_id);
    }
  });
}

async function allow(service: LocalSessionService, session: string, tool_use_id: EventId): Promise<void> {
  await service.emitEvent(session, { type: "user.tool_confirmation", tool_use_id, result: "allow" });
}
