/** The list of hands in the side bar: those of the settings, those of open sessions, and what is wrong in the settings. */
import * as vscode from "vscode";
import type { HandInfo, HandUse } from "../core/handInfo.ts";
import { limits } from "../core/limits.ts";
import type { SessionService } from "../core/service.ts";
import { describeHand, describeUse, failureLine, specLine } from "./handText.ts";
import type { HandText } from "./handText.ts";
import { writtenNames } from "./handConfiguration.ts";
import { LOCAL_NAME } from "./handSettings.ts";
import type { HandProblem } from "./handSettings.ts";

/** Changes that come within this time are shown together, in milliseconds. */
const QUIET_MS = 150;

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

export class HandsTree implements vscode.TreeDataProvider<Item>, vscode.Disposable {
  readonly #ports: HandsTreePorts;
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  readonly #view: vscode.TreeView<Item>;
  readonly #listening: readonly { dispose(): void }[];
  #timer: NodeJS.Timeout | null = null;
  #pinging: NodeJS.Timeout | null = null;

  constructor(ports: HandsTreePorts) {
    this.#ports = ports;
    this.#view = vscode.window.createTreeView("manyHands.hands", { treeDataProvider: this, showCollapseAll: false });
    this.#listening = [
      ports.service.onDidChangeHands(() => this.refresh()),
      ports.service.onDidChangeSessions(() => this.refresh()),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.refresh()),
      this.#view.onDidChangeVisibility(({ visible }) => this.#pingWhile(visible)),
    ];
    this.#pingWhile(this.#view.visible);
  }

  get selected(): HandItem | null {
    return handOfItem(this.#view.selection[0]);
  }

  refresh(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#changed.fire(undefined);
    }, QUIET_MS);
  }

  dispose(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#pingWhile(false);
    for (const listening of this.#listening) listening.dispose();
    this.#changed.dispose();
    this.#view.dispose();
  }

  async getChildren(item?: Item): Promise<Item[]> {
    if (item === undefined) return this.#top();
    if (item.kind !== "hand") return [];
    return item.info.uses.map((use) => ({ kind: "use", info: item.info, use }));
  }

  async getTreeItem(item: Item): Promise<vscode.TreeItem> {
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
    const ping = (): void => {
      const { service, report } = this.#ports;
      service.pingHands().catch((thrown: unknown) => report("the hands could not be pinged", thrown));
    };
    this.#pinging = setInterval(ping, limits.handPingMs);
    ping();
  }
}

function problemItem(given: Extract<Item, { kind: "problem" }>): vscode.TreeItem {
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

function handItem(info: HandInfo): vscode.TreeItem {
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

function useItem(info: HandInfo, use: HandUse, title: string): vscode.TreeItem {
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
