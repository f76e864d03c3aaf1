/** How hands and problems look in the view; loaded when the view is first seen. */
import * as vscode from "vscode";
import type { HandInfo, HandUse } from "../core/handInfo.ts";
import { writtenNames } from "./handConfiguration.ts";
import type { HandProblem } from "./handSettings.ts";
import { describeHand, describeUse, failureLine, specLine } from "./handText.ts";
import type { HandText } from "./handText.ts";

export function problemItem(given: { readonly problem: HandProblem }): vscode.TreeItem {
  const { setting, place, message, isFatal } = given.problem;
  const where = place.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");
  const item = new vscode.TreeItem(`${setting}${where}`);
  item.id = `problem:${setting}${where}:${message}`;
  item.description = message;
  item.tooltip = `manyHands.${setting}${where}: ${message}`;
  item.contextValue = "problem";
  item.iconPath = isFatal
    ? new vscode.ThemeIcon("error", new vscode.ThemeColor("errorForeground"))
    : new vscode.ThemeIcon("warning", new vscode.ThemeColor("editorWarning.foreground"));
  item.command = { command: "manyHands.openHandSettings", title: "Open Settings of Hands", arguments: [given] };
  item.accessibilityInformation = { label: `Problem in the settings, ${setting}${where}: ${message}` };
  return item;
}

export function handItem(info: HandInfo): vscode.TreeItem {
  const text = describeHand(info);
  const { Collapsed, None } = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(text.label, info.uses.length === 0 ? None : Collapsed);
  item.id = `hand:${JSON.stringify(info.spec)}`;
  const words = [
    "hand",
    info.configured && writtenNames().includes(info.spec.name) ? "configured" : "other",
    info.uses.length > 0 ? "used" : "",
    text.isLiving ? "living" : "",
    text.failure === null ? "" : "failed",
  ];
  return dressed(item, text, words, [
    specLine(info.spec),
    info.test?.description ?? info.uses.find((use) => use.description !== null)?.description ?? info.description,
    info.configured ? "" : "Not in the settings: it belongs to its sessions.",
  ]);
}

export function useItem(info: HandInfo, use: HandUse, title: string): vscode.TreeItem {
  const text = describeUse(use, title);
  const item = new vscode.TreeItem(text.label);
  item.id = `use:${use.session_id}:${info.spec.name}`;
  const words = ["use", text.isLiving ? "living" : "", text.failure === null ? "" : "failed"];
  item.command = { command: "manyHands.openSession", title: "Open Session", arguments: [use.session_id] };
  return dressed(item, text, words, [`Hand: ${info.spec.name}`, use.description ?? info.description]);
}

function dressed(
  item: vscode.TreeItem,
  text: HandText,
  words: readonly string[],
  lines: readonly string[],
): vscode.TreeItem {
  item.description = text.description;
  item.iconPath = new vscode.ThemeIcon(text.icon, text.color === null ? undefined : new vscode.ThemeColor(text.color));
  item.contextValue = words.filter((word) => word !== "").join(".");
  item.accessibilityInformation = { label: `${text.label}, ${text.description}` };
  const tooltip = new vscode.MarkdownString();
  tooltip.appendText(text.label);
  const failure = text.failure === null ? "" : failureLine(text.failure);
  for (const line of [...lines, failure]) if (line !== "") tooltip.appendMarkdown("\n\n").appendText(line);
  item.tooltip = tooltip;
  return item;
}
