/** The setting of hands as it is in force. */
import * as vscode from "vscode";
import { isObject } from "../core/json.ts";
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

/** As they are written, wrong ones included. */
export function writtenHands(): readonly unknown[] {
  const written: unknown = vscode.workspace.getConfiguration(SECTION).get("hands");
  return Array.isArray(written) ? written : [];
}

/** Names that the settings use, also those of specs that are wrong otherwise. */
export function writtenNames(): readonly string[] {
  return writtenHands().flatMap((spec) => (isObject(spec) && typeof spec["name"] === "string" ? [spec["name"]] : []));
}
