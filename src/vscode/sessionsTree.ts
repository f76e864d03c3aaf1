/** The list of sessions in the side bar. */
import * as vscode from "vscode";
import type { SessionInfo, SessionService } from "../core/service.ts";
import { LateTree } from "./lateTree.ts";
import { describeSession, isWaiting } from "./sessionText.ts";
import type { SessionGroup } from "./sessionText.ts";

type Item =
  { readonly kind: "group"; readonly group: SessionGroup } | { readonly kind: "session"; readonly info: SessionInfo };

const GROUPS: readonly { readonly group: SessionGroup; readonly label: string }[] = [
  { group: "waiting", label: "Waiting for You" },
  { group: "running", label: "Running" },
  { group: "recent", label: "Recent" },
  { group: "archived", label: "Archived" },
];

/** What commands are given by the tree: the session of an item. */
export function sessionOfItem(item: unknown): SessionInfo | null {
  const candidate = item as Item | undefined;
  return candidate?.kind === "session" ? candidate.info : null;
}

export class SessionsTree extends LateTree<Item> {
  readonly #service: SessionService;
  #infos: readonly SessionInfo[] = [];

  constructor(service: SessionService) {
    super("manyHands.sessions");
    this.#service = service;
    this.listen(
      service.onDidChangeSessions(() => this.refresh()),
      service.onDidAppendEvent(({ event }) => {
        if (/^(session|user|vault)\./.test(event.type)) this.refresh();
      }),
    );
  }

  get selected(): SessionInfo | null {
    return sessionOfItem(this.view.selection[0]);
  }

  async getChildren(item?: Item): Promise<Item[]> {
    if (item === undefined) {
      this.#infos = await this.#service.listSessions();
      this.#showBadge();
      const now = Date.now();
      const groups = new Set(this.#infos.map((info) => describeSession(info, now).group));
      if (groups.size === 1 && groups.has("recent")) return this.#infos.map((info) => ({ kind: "session", info }));
      return GROUPS.filter(({ group }) => groups.has(group)).map(({ group }) => ({ kind: "group", group }));
    }
    if (item.kind === "session") return [];
    const now = Date.now();
    return this.#infos
      .filter((info) => describeSession(info, now).group === item.group)
      .map((info) => ({ kind: "session", info }));
  }

  getTreeItem(item: Item): vscode.TreeItem {
    if (item.kind === "group") {
      const label = GROUPS.find(({ group }) => group === item.group)?.label ?? "";
      const folded = item.group === "archived";
      const { Collapsed, Expanded } = vscode.TreeItemCollapsibleState;
      const group = new vscode.TreeItem(label, folded ? Collapsed : Expanded);
      group.id = `group:${item.group}`;
      return group;
    }
    const { info } = item;
    const text = describeSession(info, Date.now());
    const treeItem = new vscode.TreeItem(text.label);
    treeItem.id = info.id;
    treeItem.description = text.description;
    treeItem.iconPath = new vscode.ThemeIcon(
      text.icon,
      text.color === null ? undefined : new vscode.ThemeColor(text.color),
    );
    treeItem.tooltip = tooltipOf(info, text.status);
    treeItem.contextValue = `session.${text.group}${info.writer.kind === "other" ? ".elsewhere" : ""}`;
    treeItem.accessibilityInformation = { label: `${text.label}, ${text.description}` };
    treeItem.command = { command: "manyHands.openSession", title: "Open Session", arguments: [item] };
    return treeItem;
  }

  #showBadge(): void {
    const waiting = this.#infos.filter((info) => isWaiting(info) && !info.state.archived).length;
    const tooltip = waiting === 1 ? "1 session waits for you" : `${waiting} sessions wait for you`;
    this.view.badge = waiting === 0 ? undefined : { value: waiting, tooltip };
  }
}

function tooltipOf(info: SessionInfo, status: string): vscode.MarkdownString {
  const { state } = info;
  const tooltip = new vscode.MarkdownString();
  tooltip.appendText(state.title === "" ? "New session" : state.title);
  const hands = state.hands.map((hand) => `${hand.name} (${hand.kind})`).join(", ");
  const lines = [
    status === "" ? "" : `Status: ${status}`,
    info.unreadable ?? "",
    info.damage.length === 0 ? "" : `Log damaged at ${info.damage.length} places; everything readable is shown`,
    hands === "" ? "" : `Hands: ${hands}`,
    `Events: ${state.seq}`,
    state.created_at === "" ? "" : `Begun: ${new Date(state.created_at).toLocaleString()}`,
  ];
  for (const line of lines) if (line !== "") tooltip.appendMarkdown("\n\n").appendText(line);
  return tooltip;
}
