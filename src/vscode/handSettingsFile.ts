/** Writes the settings of hands, in the file that they are in, and shows them there. */
import * as vscode from "vscode";
import type { HandSpec } from "../core/config.ts";
import { isObject } from "../core/json.ts";
import { SECTION, writtenHands } from "./handConfiguration.ts";
import type { HandProblem } from "./handSettings.ts";
import { nodeAt, settingsNode } from "./jsonPlaces.ts";

/** Where a setting is written: for this workspace, or for all of the person's. */
export type HandTarget = "workspace" | "user";

const TARGETS: Readonly<Record<HandTarget, vscode.ConfigurationTarget>> = {
  workspace: vscode.ConfigurationTarget.Workspace,
  user: vscode.ConfigurationTarget.Global,
};

/** The target whose list is in force; null: no list is written anywhere. */
export function currentTarget(): HandTarget | null {
  const found = vscode.workspace.getConfiguration(SECTION).inspect("hands");
  if (found?.workspaceFolderValue !== undefined || found?.workspaceValue !== undefined) return "workspace";
  return found?.globalValue === undefined ? null : "user";
}

/** A list of the workspace hides the person's own: it begins with what was in force. Likewise where defaults are named. */
export async function addToSettings(specs: readonly HandSpec[], target: HandTarget): Promise<void> {
  const settings = vscode.workspace.getConfiguration(SECTION);
  const defaults: unknown = settings.get("defaultHands");
  await settings.update("hands", [...writtenHands(), ...specs], TARGETS[target]);
  if (Array.isArray(defaults) && defaults.length > 0) {
    await settings.update(
      "defaultHands",
      [...(defaults as unknown[]), ...specs.map(({ name }) => name)],
      TARGETS[target],
    );
  }
}

export async function removeFromSettings(name: string): Promise<void> {
  const settings = vscode.workspace.getConfiguration(SECTION);
  const target = TARGETS[currentTarget() ?? "user"];
  const kept = writtenHands().filter((spec) => !isObject(spec) || spec["name"] !== name);
  await settings.update("hands", kept.length === 0 ? undefined : kept, target);
  const found = settings.inspect("defaultHands");
  for (const [value, where] of [
    [found?.workspaceValue, TARGETS.workspace],
    [found?.globalValue, TARGETS.user],
  ] as const) {
    if (!Array.isArray(value) || !value.includes(name)) continue;
    const rest = (value as unknown[]).filter((other) => other !== name);
    await settings.update("defaultHands", rest.length === 0 ? undefined : rest, where);
  }
}

/** Opens the file that they are in, at the problem where one is given. */
export async function showHandSettings(problem?: HandProblem): Promise<void> {
  const key = `${SECTION}.${problem?.setting ?? "hands"}`;
  const file = fileOf(problem?.setting ?? "hands");
  if (file === null) {
    const revealSetting = { key, edit: currentTarget() === null };
    await vscode.commands.executeCommand("workbench.action.openSettingsJson", { revealSetting });
    return;
  }
  const document = await vscode.workspace.openTextDocument(file);
  const settings = settingsNode(document.getText(), file.path)?.children.get(key);
  if (settings === undefined) return void (await vscode.window.showTextDocument(document));
  const { start, end } = nodeAt(settings, problem?.place ?? []);
  const selection = new vscode.Range(
    document.positionAt(start),
    document.positionAt(problem === undefined ? start : end),
  );
  await vscode.window.showTextDocument(document, { selection });
}

/** The workspace's file that a setting is in; null: it is the person's own, which only VS Code knows the place of. */
function fileOf(setting: HandProblem["setting"]): vscode.Uri | null {
  const found = vscode.workspace.getConfiguration(SECTION).inspect(setting);
  const { workspaceFile, workspaceFolders } = vscode.workspace;
  const folder = workspaceFolders?.[0]?.uri;
  if (found?.workspaceFolderValue === undefined && found?.workspaceValue === undefined) return null;
  const isInFile = found.workspaceFolderValue === undefined && workspaceFile !== undefined;
  if (isInFile) return workspaceFile.scheme === "untitled" ? null : workspaceFile;
  return folder === undefined ? null : vscode.Uri.joinPath(folder, ".vscode", "settings.json");
}
