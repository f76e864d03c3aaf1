/**
 * Pages whose extension host died under them. VS Code starts the host again and keeps the tabs, but connects them to
 * nothing and tells nobody: they would show for ever what was true when the host died. Each is replaced when it is seen.
 */
import * as vscode from "vscode";

const STATE_KEY = "manyHands.pages";
/** How long VS Code may take to hand over a tab that it restores, in milliseconds. */
const SETTLE_MS = 2_000;

export interface OrphanedPagesPorts {
  readonly viewType: string;
  readonly memory: vscode.Memento;
  /** True when this host has the page that is in view in this column. */
  readonly hasVisible: (column: vscode.ViewColumn) => boolean;
  readonly isOpen: (sessionId: string) => boolean;
  readonly reopen: (sessionId: string, column: vscode.ViewColumn, focus: boolean) => void;
}

export class OrphanedPages implements vscode.Disposable {
  readonly #ports: OrphanedPagesPorts;
  readonly #listening: vscode.Disposable;
  #timer: NodeJS.Timeout | null = null;

  constructor(ports: OrphanedPagesPorts) {
    this.#ports = ports;
    const { tabGroups } = vscode.window;
    this.#listening = vscode.Disposable.from(
      tabGroups.onDidChangeTabs(() => this.#lookLater()),
      tabGroups.onDidChangeTabGroups(() => this.#lookLater()),
    );
    this.#lookLater();
  }

  /** A tab shows nothing of itself but its title: titles are remembered, so that a tab can be told from another. */
  remember(sessionId: string, title: string): void {
    if (this.#titles()[sessionId] !== title) this.#store({ ...this.#titles(), [sessionId]: title });
  }

  forget(sessionId: string): void {
    const { [sessionId]: _closed, ...rest } = this.#titles();
    this.#store(rest);
  }

  dispose(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#listening.dispose();
  }

  #titles(): Readonly<Record<string, string>> {
    return this.#ports.memory.get<Record<string, string>>(STATE_KEY, {});
  }

  #store(titles: Readonly<Record<string, string>>): void {
    void this.#ports.memory.update(STATE_KEY, titles);
  }

  #orphans(): readonly { readonly tab: vscode.Tab; readonly group: vscode.TabGroup }[] {
    return vscode.window.tabGroups.all.flatMap((group) => {
      const tab = group.activeTab;
      const isPage = tab?.input instanceof vscode.TabInputWebview && tab.input.viewType.endsWith(this.#ports.viewType);
      return isPage && !this.#ports.hasVisible(group.viewColumn) ? [{ tab, group }] : [];
    });
  }

  #lookLater(): void {
    if (this.#orphans().length === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      for (const { tab, group } of this.#orphans()) void this.#replace(tab, group);
    }, SETTLE_MS);
  }

  async #replace(tab: vscode.Tab, group: vscode.TabGroup): Promise<void> {
    const titles = Object.entries(this.#titles());
    const own = titles.find(([id, title]) => title === tab.label && !this.#ports.isOpen(id));
    const { isActive, viewColumn } = group;
    if (own !== undefined) this.#ports.reopen(own[0], viewColumn, isActive);
    await vscode.window.tabGroups.close(tab, true);
  }
}
