/** What the commands under `manyHands.` do. */
import * as vscode from "vscode";
import type { EventId } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import type { SessionInfo, SessionService } from "../core/service.ts";
import type { AgentTerminals } from "./agentTerminal.ts";
import type { SessionPanels } from "./sessionPanels.ts";
import { sessionOfItem } from "./sessionsTree.ts";
import type { SessionsTree } from "./sessionsTree.ts";
import { describeSession, isWaiting } from "./sessionText.ts";

export interface CommandPorts {
  readonly service: SessionService;
  readonly panels: SessionPanels;
  readonly tree: SessionsTree;
  readonly terminals: AgentTerminals;
  readonly sessionFolder: (id: string) => vscode.Uri;
  readonly setApiKey: () => Promise<void>;
  readonly removeApiKey: () => Promise<void>;
  readonly tryRehearsal: () => Promise<void>;
  readonly openSample: () => Promise<void>;
  readonly showLog: () => void;
}

export type Commands = Readonly<Record<string, (...args: unknown[]) => unknown>>;

/** By name, without the prefix. The manifest has the same ones; who runs them shows what they throw. */
export function createCommands(ports: CommandPorts): Commands {
  return {
    newSession: () => newSession(ports),
    openSession: (target) => withSession(ports, target, (info) => ports.panels.open(info.id)),
    showSessions: () => showSessions(ports),
    renameSession: (target) => withSession(ports, target, (info) => rename(ports, info)),
    stopSession: (target) =>
      withSession(ports, target, (info) => ports.service.emitEvent(info.id, { type: "user.interrupt" })),
    archiveSession: (target) =>
      withSession(ports, target, (info) => ports.service.updateSession(info.id, { archived: true })),
    unarchiveSession: (target) =>
      withSession(ports, target, (info) => ports.service.updateSession(info.id, { archived: false })),
    deleteSession: (target) => withSession(ports, target, (info) => remove(ports, info)),
    takeOverSession: (target) => withSession(ports, target, (info) => ports.service.takeOver(info.id)),
    wakeSession: (target) => withSession(ports, target, (info) => ports.service.wake(info.id)),
    allowPending: (target) => withSession(ports, target, (info) => answerAll(ports, info, "allow")),
    denyPending: (target) => withSession(ports, target, (info) => answerAll(ports, info, "deny")),
    showTerminal: (target, hand) =>
      withSession(ports, target, (info) => ports.terminals.show(info.id, typeof hand === "string" ? hand : undefined)),
    revealLog: (target) => withSession(ports, target, (info) => revealLog(ports, info)),
    copySessionId: (target) => withSession(ports, target, (info) => vscode.env.clipboard.writeText(info.id)),
    refreshSessions: () => ports.tree.refresh(),
    setApiKey: () => ports.setApiKey(),
    removeApiKey: () => ports.removeApiKey(),
    tryRehearsal: () => ports.tryRehearsal(),
    openSampleWorkspace: () => ports.openSample(),
    showOutput: () => ports.showLog(),
  };
}

async function newSession({ service, panels }: CommandPorts): Promise<string> {
  const info = await service.createSession({});
  panels.open(info.id);
  return info.id;
}

/** The session of a tree item, of an id, of the active page, of the tree's selection; else the person picks one. */
async function withSession(ports: CommandPorts, target: unknown, use: (info: SessionInfo) => unknown): Promise<void> {
  const id =
    sessionOfItem(target)?.id ??
    (typeof target === "string" ? target : null) ??
    ports.panels.active ??
    ports.tree.selected?.id;
  const info = id === undefined ? await pickSession(ports.service) : await findSession(ports.service, id);
  if (info !== null) await use(info);
}

/** From the list where it cannot be opened: an unreadable session must still be shown, and can be deleted by hand. */
async function findSession(service: SessionService, id: string): Promise<SessionInfo> {
  const listed = (await service.listSessions()).find((info) => info.id === id);
  if (listed?.unreadable != null) throw new Error(listed.unreadable);
  return listed ?? service.getSession(id);
}

async function pickSession(service: SessionService): Promise<SessionInfo | null> {
  const infos = await service.listSessions();
  const items = infos.map((info) => {
    const { label, description, icon } = describeSession(info, Date.now());
    return { label: `$(${icon}) ${label}`, description, info };
  });
  const picked = await vscode.window.showQuickPick(items, { placeHolder: "Which session?" });
  return picked?.info ?? null;
}

/** From the status bar: the session that waits, if it is one; else the list. */
async function showSessions({ service, panels }: CommandPorts): Promise<void> {
  const waiting = (await service.listSessions()).filter((info) => isWaiting(info) && !info.state.archived);
  const only = waiting.length === 1 ? waiting[0] : undefined;
  if (only !== undefined) return panels.open(only.id);
  await vscode.commands.executeCommand("manyHands.sessions.focus");
}

async function rename({ service }: CommandPorts, info: SessionInfo): Promise<void> {
  const title = await vscode.window.showInputBox({
    title: "Rename Session",
    value: info.state.title,
    validateInput: (text) => {
      if (text.trim() === "") return "A title must not be empty.";
      return text.length > limits.titleCharsMax ? `At most ${limits.titleCharsMax} characters.` : undefined;
    },
  });
  if (title !== undefined) await service.updateSession(info.id, { title });
}

async function remove({ service, panels }: CommandPorts, info: SessionInfo): Promise<void> {
  const title = info.state.title === "" ? "this session" : `“${info.state.title}”`;
  const detail = "Its log and everything it keeps on this computer are removed for good. Running commands are ended.";
  const choice = await vscode.window.showWarningMessage(`Delete ${title}?`, { modal: true, detail }, "Delete");
  if (choice !== "Delete") return;
  await service.deleteSession(info.id);
  panels.close(info.id);
}

async function answerAll({ service }: CommandPorts, info: SessionInfo, result: "allow" | "deny"): Promise<void> {
  const reason = info.state.stop_reason;
  const ids: readonly EventId[] = reason?.type === "requires_action" ? reason.event_ids : [];
  if (ids.length === 0) throw new Error("Nothing waits for an answer in this session.");
  for (const tool_use_id of ids) {
    await service.emitEvent(info.id, { type: "user.tool_confirmation", tool_use_id, result });
  }
}

async function revealLog({ sessionFolder }: CommandPorts, info: SessionInfo): Promise<void> {
  const log = vscode.Uri.joinPath(sessionFolder(info.id), "events.jsonl");
  if (vscode.env.uiKind === vscode.UIKind.Desktop && vscode.env.remoteName === undefined) {
    await vscode.commands.executeCommand("revealFileInOS", log);
  } else {
    await vscode.window.showTextDocument(log, { preview: true });
  }
}
