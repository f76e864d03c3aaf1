/** Writes the settings of hands, in the file that they are in, and shows them there. */
import * as vscode from "vscode";
import type { HandSpec } from "../core/config.ts";
import { isObject } from "../core/json.ts";
import { SECTION } from "./handConfiguration.ts";

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

/** As they are written, wrong ones included. */
function writtenHands(): readonly unknown[] {
  const written: unknown = vscode.workspace.getConfiguration(SECTION).get("hands");
  return Array.isArray(written) ? written : [];
}

/** Names that the settings use, also those of specs that are wrong otherwise. */
export function writtenNames(): readonly string[] {
  return writtenHands().flatMap((spec) => (isObject(spec) && typeof spec["name"] === "string" ? [spec["name"]] : []));
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

export async function showHandSettings(): Promise<void> {
  const inWorkspace = currentTarget() === "workspace";
  const command = inWorkspace ? "workbench.action.openWorkspaceSettingsFile" : "workbench.action.openSettingsJson";
  await vscode.commands.executeCommand(command, {
    revealSetting: { key: `${SECTION}.hands`, edit: currentTarget() === null },
  });
}
