/** The setting of hands as it is in force. */
import * as vscode from "vscode";
import { parseHandSettings } from "./handSettings.ts";
import type { HandSettings } from "./handSettings.ts";

export const SECTION = "manyHands";

/** The folder of the local hand: the first one that is on a disk. */
export function workspaceFolder(): string | null {
  return vscode.workspace.workspaceFolders?.find(({ uri }) => uri.scheme === "file")?.uri.fsPath ?? null;
}

export function readHandSettings(kinds: readonly string[] | null): HandSettings {
  const settings = vscode.workspace.getConfiguration(SECTION);
  const [hands, defaultHands] = [settings.get("hands"), settings.get("defaultHands")];
  return parseHandSettings({ hands, defaultHands, folder: workspaceFolder(), kinds });
}

/** Whether anybody has written down anything about hands. */
export function hasHandSettings(): boolean {
  const settings = vscode.workspace.getConfiguration(SECTION);
  return ["hands", "defaultHands"].some((name) => {
    const { globalValue, workspaceValue, workspaceFolderValue } = settings.inspect(name) ?? {};
    return [globalValue, workspaceValue, workspaceFolderValue].some((value) => value !== undefined);
  });
}
