/** The vault's settings as they are in force. */
import * as vscode from "vscode";
import { parseApiSettings } from "./apiSettings.ts";
import type { ApiSetting } from "./apiSettings.ts";

const told = new Set<string>();

/** What is wrong is reported once. */
export function readApiSettings(report: (what: string) => void): readonly ApiSetting[] {
  const { apis, problems } = parseApiSettings(vscode.workspace.getConfiguration("manyHands").get("apis"));
  for (const problem of problems.filter((each) => !told.has(each))) {
    told.add(problem);
    report(problem);
  }
  return apis;
}
