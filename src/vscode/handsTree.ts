/** The list of hands in the side bar: those of the settings, those of open sessions, and what is wrong in the settings. */
import * as vscode from "vscode";
import type { HandInfo, HandUse } from "../core/handInfo.ts";
import { limits } from "../core/limits.ts";
import type { SessionService } from "../core/service.ts";
import { LOCAL_NAME } from "./handSettings.ts";
import type { HandProblem } from "./handSettings.ts";
import { LateTree } from "./lateTree.ts";

type Item =
  | { readonly kind: "problem"; readonly problem: HandProblem }
  | { readonly kind: "hand"; readonly info: HandInfo }
  | { readonly kind: "use"; readonly info: HandInfo; readonly use: HandUse };

/** What a command is given by the tree: a hand, and the session whose far end is meant, if one is. */
export interface HandItem {
  readonly info: HandInfo;
  readonly use: HandUse | null;
}

export function handOfItem(item: unknown): HandItem | null {
  const candidate = item as Item | undefined;
  if (candidate?.kind === "hand") return { info: candidate.info, use: null };
  return candidate?.kind === "use" ? { info: candidate.info, use: candidate.use } : null;
}

export function problemOfItem(item: unknown): HandProblem | null {
  const candidate = item as Item | undefined;
  return candidate?.kind === "problem" ? candidate.problem : null;
}

export interface HandsTreePorts {
  readonly service: SessionService;
  readonly problems: () => Promise<readonly HandProblem[]>;
  readonly report: (what: string, thrown?: unknown) => void;
}

export class HandsTree extends LateTree<Item> {
  readonly #ports: HandsTreePorts;
  #pinging: NodeJS.Timeout | null = null;

  constructor(ports: HandsTreePorts) {
    super("manyHands.hands");
    this.#ports = ports;
    this.listen(
      ports.service.onDidChangeHands(() => this.refresh()),
      ports.service.onDidChangeSessions(() => this.refresh()),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.refresh()),
      this.view.onDidChangeVisibility(({ visible }) => this.#pingWhile(visible)),
    );
    this.#pingWhile(this.view.visible);
  }

  get selected(): HandItem | null {
    return handOfItem(this.view.selection[0]);
  }

  override dispose(): void {
    this.#pingWhile(false);
    super.dispose();
  }

  async getChildren(item?: Item): Promise<Item[]> {
    if (item === undefined) return this.#top();
    if (item.kind !== "hand") return [];
    return item.info.uses.map((use) => ({ kind: "use", info: item.info, use }));
  }

  async getTreeItem(item: Item): Promise<vscode.TreeItem> {
    const { handItem, problemItem, useItem } = await import("./handItems.ts");
    if (item.kind === "problem") return problemItem(item);
    if (item.kind === "hand") return handItem(item.info);
    const title = await this.#ports.service.getSession(item.use.session_id).then(
      ({ state }) => state.title,
      () => "",
    );
    return useItem(item.info, item.use, title);
  }

  /** Nothing where there is only the local hand that nobody uses yet: the view then says what it is for. */
  async #top(): Promise<Item[]> {
    if (!vscode.workspace.isTrusted) return [];
    const [infos, problems] = await Promise.all([this.#ports.service.listHands(), this.#ports.problems()]);
    const isBare = infos.every(
      (info) => info.spec.name === LOCAL_NAME && info.uses.length === 0 && info.spare === null,
    );
    const isLocalOnly = isBare && infos.every(({ test }) => test === null);
    return [
      ...problems.map((problem): Item => ({ kind: "problem", problem })),
      ...(isLocalOnly ? [] : infos.map((info): Item => ({ kind: "hand", info }))),
    ];
  }

  #pingWhile(visible: boolean): void {
    if (this.#pinging !== null) clearInterval(this.#pinging);
    this.#pinging = null;
    if (!visible) return;
    const { service, report } = this.#ports;
    let isUnderWay = false;
    const ping = (): void => {
      if (isUnderWay) return;
      isUnderWay = true;
      service
        .pingHands()
        .catch((thrown: unknown) => report("the hands could not be pinged", thrown))
        .finally(() => {
          isUnderWay = false;
        });
    };
    this.#pinging = setInterval(ping, limits.handPingMs);
    ping();
  }
}
