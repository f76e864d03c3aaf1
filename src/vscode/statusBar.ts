/** One status-bar item: how many sessions run, and how many wait for the person. */
import * as vscode from "vscode";
import type { SessionService } from "../core/service.ts";
import { isRunning, isWaiting } from "./sessionText.ts";

const QUIET_MS = 200;

export function createStatusBar(service: SessionService, isRehearsal: () => boolean): vscode.Disposable {
  const item = vscode.window.createStatusBarItem("manyHands.status", vscode.StatusBarAlignment.Left, 10);
  item.name = "Many Hands";
  item.command = "manyHands.showSessions";
  let timer: NodeJS.Timeout | null = null;

  const show = async (): Promise<void> => {
    const infos = (await service.listSessions()).filter((info) => !info.state.archived);
    const running = infos.filter(isRunning).length;
    const waiting = infos.filter(isWaiting).length;
    const parts = [running > 0 ? `${running} running` : "", waiting > 0 ? `${waiting} waiting` : ""];
    const counts = parts.filter((part) => part !== "").join(" · ");
    const rehearsal = isRehearsal() ? " (rehearsal)" : "";
    item.text = `${running > 0 ? "$(loading~spin)" : "$(hubot)"} ${counts === "" ? "Many Hands" : counts}${rehearsal}`;
    item.tooltip = `Many Hands${rehearsal}: ${running} running, ${waiting} waiting for you`;
    item.accessibilityInformation = { label: item.tooltip };
    item.backgroundColor = waiting > 0 ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
    item.show();
  };
  const soon = (): void => {
    timer ??= setTimeout(() => {
      timer = null;
      show().catch(() => item.hide());
    }, QUIET_MS);
  };
  const listening = [
    service.onDidChangeSessions(soon),
    service.onDidAppendEvent(({ event }) => {
      if (/^session\.status_|\.grant_/.test(event.type)) soon();
    }),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("manyHands.model")) soon();
    }),
  ];
  soon();
  return vscode.Disposable.from(item, ...listening, { dispose: () => clearTimeout(timer ?? undefined) });
}
