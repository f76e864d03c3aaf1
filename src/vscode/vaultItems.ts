/** How the rows of the vault look; loaded when the view is first seen. */
import * as vscode from "vscode";
import type { SessionId } from "../core/ids.ts";
import type { SessionService } from "../core/service.ts";
import { describeCredential, describeGrant, describeModelKey } from "./vaultText.ts";
import type { VaultText } from "./vaultText.ts";
import type { VaultItem } from "./vaultTree.ts";

/** Of a session; null where it is no more. */
export async function titleOf(service: SessionService, id: SessionId | null): Promise<string | null> {
  if (id === null) return null;
  return service.getSession(id).then(
    ({ state }) => (state.deleted ? null : state.title),
    () => null,
  );
}

export async function vaultItem(item: VaultItem, service: SessionService): Promise<vscode.TreeItem> {
  const { Expanded, None } = vscode.TreeItemCollapsibleState;
  switch (item.kind) {
    case "credential": {
      const { info, grants } = item;
      const title = await titleOf(service, info.last_used?.session_id ?? null);
      const words = ["credential", info.kind, info.last_used === null || title === null ? "" : "used"];
      const state = grants.length === 0 ? None : Expanded;
      // VS Code keeps a row as it was first shown: one that gets its first grant is to be another row, and open.
      const id = `credential:${info.id}:${grants.length === 0 ? "bare" : "granted"}`;
      return dressed(describeCredential(info, grants, title, Date.now()), id, words, state);
    }
    case "grant": {
      const { grant } = item;
      const title = await titleOf(service, grant.session_id);
      const words = ["grant", grant.session_id === null || title === null ? "" : "ofSession"];
      return dressed(describeGrant(grant, title), `grant:${grant.id}`, words, None);
    }
    case "modelKey": {
      const words = ["modelKey", item.key.isSet ? "set" : "missing"];
      return dressed(describeModelKey(item.key), "modelKey", words, None);
    }
  }
}

function dressed(
  text: VaultText,
  id: string,
  words: readonly string[],
  state: vscode.TreeItemCollapsibleState,
): vscode.TreeItem {
  const item = new vscode.TreeItem(text.label, state);
  item.id = id;
  item.description = text.description;
  item.iconPath = new vscode.ThemeIcon(text.icon, text.color === null ? undefined : new vscode.ThemeColor(text.color));
  item.contextValue = words.filter((word) => word !== "").join(".");
  item.accessibilityInformation = { label: `${text.label}, ${text.description}` };
  const tooltip = new vscode.MarkdownString();
  tooltip.appendText(text.label);
  for (const line of text.lines) tooltip.appendMarkdown("\n\n").appendText(line);
  item.tooltip = tooltip;
  return item;
}
