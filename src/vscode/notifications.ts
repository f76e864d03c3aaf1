/** Tells the person about a session that waits or has failed while its page is not in view. */
import * as vscode from "vscode";
import type { StoredEvent } from "../core/events.ts";
import { scopeText } from "../core/grantText.ts";
import type { EventId, SessionId } from "../core/ids.ts";
import { parseEventId } from "../core/ids.ts";
import { sharedRefs } from "../core/refPattern.ts";
import type { SessionService } from "../core/service.ts";
import type { AnyEvent } from "../core/sessionState.ts";
import { isKnown } from "../core/sessionState.ts";
import { describeCall } from "./describeCall.ts";

export interface NotificationPorts {
  readonly service: SessionService;
  readonly open: (sessionId: string) => void;
  readonly report: (what: string, thrown?: unknown) => void;
}

const ASKED_MAX = 200;
const asked = new Set<string>();

/** Says what `event` means for somebody who does not look; most events mean nothing. */
export async function notify(session: SessionId, event: AnyEvent, ports: NotificationPorts): Promise<void> {
  if (!isKnown(event)) return;
  if (event.type === "session.error" && event.error.retry_status !== "retrying") {
    const title = await titleOf(session, ports.service);
    const choice = await vscode.window.showWarningMessage(`${title}: ${event.error.message}`, "Open");
    if (choice === "Open") ports.open(session);
  }
  if (event.type === "vault.grant_requested") return askForGrant(session, event, ports);
  if (event.type !== "session.status_idle" || event.stop_reason.type !== "requires_action") return;
  const { writer } = await ports.service.getSession(session);
  // The window that runs a session asks; the others would ask a second time.
  if (writer.kind === "other") return;
  const fresh = event.stop_reason.event_ids.filter((id) => !asked.has(id));
  for (const id of fresh) asked.add(id);
  if (asked.size > ASKED_MAX) asked.clear();
  await Promise.all(fresh.map((id) => ask(session, id, ports)));
}

async function ask(session: SessionId, id: EventId, ports: NotificationPorts): Promise<void> {
  const title = await titleOf(session, ports.service);
  const call = await describeCall(ports.service, session, id);
  const choice = await vscode.window.showInformationMessage(`${title} asks: ${call}`, "Allow", "Deny", "Open");
  if (choice === "Open") ports.open(session);
  if (choice !== "Allow" && choice !== "Deny") return;
  const tool_use_id = parseEventId(id);
  if (tool_use_id === undefined) return;
  const result = choice === "Allow" ? "allow" : "deny";
  await ports.service.emitEvent(session, { type: "user.tool_confirmation", tool_use_id, result });
}

/**
 * The refs of a push and how long a grant holds are chosen on the page: here it is yes for once, no, or a look. No yes
 * where a slip would hurt: a push to what others build on is looked at.
 */
async function askForGrant(
  session: SessionId,
  { id, credential_name, scope, hand }: StoredEvent<"vault.grant_requested">,
  { service, open }: NotificationPorts,
): Promise<void> {
  const { writer } = await service.getSession(session);
  if (writer.kind === "other") return;
  const title = await titleOf(session, service);
  const who = hand === null ? "" : ` on ${hand}`;
  const question = `${title} asks${who}: may it use “${credential_name}” to ${scopeText(scope)}?`;
  const isShared = sharedRefs(scope.git?.push_refs ?? []).length > 0;
  const choices = isShared ? ["Open", "Deny"] : ["Allow Once", "Deny", "Open"];
  const choice = await vscode.window.showInformationMessage(question, ...choices);
  if (choice === "Open") open(session);
  if (choice !== "Allow Once" && choice !== "Deny") return;
  const answer = choice === "Deny" ? ({ result: "deny" } as const) : ({ result: "allow", lasts: "once" } as const);
  await service.emitEvent(session, { type: "user.grant_decision", grant_request_id: id, ...answer });
}

async function titleOf(session: SessionId, service: SessionService): Promise<string> {
  const { state } = await service.getSession(session);
  return state.title === "" ? "Many Hands" : state.title;
}
