/** A tree in the side bar that is drawn again a moment after something has changed, once for all that did. */
import * as vscode from "vscode";

/** Changes that come within this time are shown together, in milliseconds. */
const QUIET_MS = 150;

export abstract class LateTree<Item> implements vscode.TreeDataProvider<Item>, vscode.Disposable {
  protected readonly view: vscode.TreeView<Item>;
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  readonly #listening: vscode.Disposable[] = [];
  #timer: NodeJS.Timeout | null = null;

  /** `id`: of the view in the manifest. */
  protected constructor(id: string) {
    this.view = vscode.window.createTreeView(id, { treeDataProvider: this, showCollapseAll: false });
  }

  abstract getChildren(item?: Item): Promise<Item[]>;
  abstract getTreeItem(item: Item): vscode.TreeItem | Promise<vscode.TreeItem>;

  /** Until the tree is disposed of. */
  protected listen(...listening: readonly vscode.Disposable[]): void {
    this.#listening.push(...listening);
  }

  refresh(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#changed.fire(undefined);
    }, QUIET_MS);
  }

  dispose(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const listening of this.#listening) listening.dispose();
    this.#changed.dispose();
    this.view.dispose();
  }
}
