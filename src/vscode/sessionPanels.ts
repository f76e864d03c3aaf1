/** The pages of sessions: one panel each, revived after a reload from the log alone. */
import * as vscode from "vscode";
import type { ClientEvent, StreamEvent } from "../core/events.ts";
import { isObject, messageOf } from "../core/json.ts";
import type { FromPage, ToPage } from "../core/pageProtocol.ts";
import type { SessionService } from "../core/service.ts";
import { parseFromPage } from "./fromPage.ts";
import { LiveParts } from "./liveParts.ts";
import { OrphanedPages } from "./orphanedPages.ts";
import { pageHtml } from "./pageHtml.ts";
import { PAGE_VIEW_TYPE } from "./pageViewType.ts";
import { describeSession } from "./sessionText.ts";

/** Streamed parts that come within this time go to the page together, in milliseconds. */
const FRAME_MS = 30;

export interface SessionPanelsPorts {
  readonly service: SessionService;
  readonly extensionUri: vscode.Uri;
  readonly isRehearsal: () => boolean;
  readonly modelOf: (session: string | null) => string;
  readonly openDiff: (sessionId: string, toolUseId: string) => Promise<void>;
  readonly openOutput: (sessionId: string, toolUseId: string) => Promise<void>;
  /** What outlives the extension host, for this workspace. */
  readonly memory: vscode.Memento;
  readonly report: (what: string, thrown?: unknown) => void;
}

export class SessionPanels implements vscode.Disposable, vscode.WebviewPanelSerializer {
  readonly #ports: SessionPanelsPorts;
  readonly #panels = new Map<string, SessionPanel>();
  readonly #live: LiveParts;
  readonly #orphans: OrphanedPages;
  readonly #disposables: vscode.Disposable[];

  constructor(ports: SessionPanelsPorts) {
    this.#ports = ports;
    this.#live = new LiveParts(ports.service);
    const { service } = ports;
    const infoChanged = (id: string | null): void => {
      for (const [session, panel] of this.#panels) if (id === null || id === session) panel.infoChanged();
    };
    this.#orphans = new OrphanedPages({
      viewType: PAGE_VIEW_TYPE,
      memory: ports.memory,
      hasVisible: (column) => [...this.#panels.values()].some((panel) => panel.isVisible && panel.column === column),
      isOpen: (id) => this.#panels.has(id),
      reopen: (id, viewColumn, focus) => this.#create(id, { viewColumn, preserveFocus: !focus }, focus),
    });
    this.#disposables = [
      this.#orphans,
      service.onDidAppendEvent(({ session_id, event }) => this.#panels.get(session_id)?.appended(event)),
      service.onDidStream(({ session_id, event }) => this.#panels.get(session_id)?.streamed(event)),
      service.onDidChangeSessions(({ id }) => infoChanged(id)),
      vscode.workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration("manyHands.model")) infoChanged(null);
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => infoChanged(null)),
    ];
  }

  /** The session whose page has the focus, or null. */
  get active(): string | null {
    return [...this.#panels].find(([, panel]) => panel.isActive)?.[0] ?? null;
  }

  isVisible(sessionId: string): boolean {
    return this.#panels.get(sessionId)?.isVisible ?? false;
  }

  /** Shows the page of a session, with the cursor in its message box. */
  open(sessionId: string): void {
    const existing = this.#panels.get(sessionId);
    if (existing !== undefined) return existing.reveal();
    const column = vscode.window.activeTextEditor === undefined ? vscode.ViewColumn.Active : vscode.ViewColumn.Beside;
    this.#create(sessionId, { viewColumn: column, preserveFocus: false }, true);
  }

  async deserializeWebviewPanel(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    const sessionId = isObject(state) && typeof state["sessionId"] === "string" ? state["sessionId"] : "";
    const known = await this.#ports.service.getSession(sessionId).catch(() => null);
    if (known === null) return panel.dispose();
    this.#adopt(sessionId, panel, false);
  }

  dispose(): void {
    for (const disposable of this.#disposables) disposable.dispose();
    for (const panel of this.#panels.values()) panel.release();
    this.#live.dispose();
  }

  close(sessionId: string): void {
    this.#panels.get(sessionId)?.close();
  }

  #create(sessionId: string, where: Parameters<typeof vscode.window.createWebviewPanel>[2], focus: boolean): void {
    this.#adopt(sessionId, vscode.window.createWebviewPanel(PAGE_VIEW_TYPE, "Session", where), focus);
  }

  #adopt(sessionId: string, panel: vscode.WebviewPanel, focus: boolean): void {
    this.#panels.get(sessionId)?.close();
    const adopted = new SessionPanel(sessionId, panel, this.#ports, this.#live, {
      focus,
      onTitle: (title) => this.#orphans.remember(sessionId, title),
    });
    this.#panels.set(sessionId, adopted);
    panel.onDidDispose(() => {
      adopted.release();
      if (this.#panels.get(sessionId) !== adopted) return;
      this.#panels.delete(sessionId);
      this.#orphans.forget(sessionId);
    });
  }
}

class SessionPanel {
  readonly #id: string;
  readonly #panel: vscode.WebviewPanel;
  readonly #ports: SessionPanelsPorts;
  readonly #live: LiveParts;
  readonly #listening: vscode.Disposable;
  readonly #onTitle: (title: string) => void;
  #isReady = false;
  #wantsFocus: boolean;
  #pending: ToPage[] = [];
  #timer: NodeJS.Timeout | null = null;
  #infoIsStale = false;

  constructor(
    id: string,
    panel: vscode.WebviewPanel,
    ports: SessionPanelsPorts,
    live: LiveParts,
    { focus, onTitle }: { readonly focus: boolean; readonly onTitle: (title: string) => void },
  ) {
    this.#id = id;
    this.#panel = panel;
    this.#ports = ports;
    this.#live = live;
    this.#wantsFocus = focus;
    this.#onTitle = onTitle;
    const icon = (name: string): vscode.Uri => vscode.Uri.joinPath(ports.extensionUri, "media", name);
    panel.iconPath = { light: icon("tab-light.svg"), dark: icon("tab-dark.svg") };
    panel.webview.options = {
      enableScripts: true,
      localResourceRoots: ["dist", "media"].map((folder) => vscode.Uri.joinPath(ports.extensionUri, folder)),
    };
    this.#listening = panel.webview.onDidReceiveMessage((message: unknown) => void this.#receive(message));
    const addressOf = (...path: string[]): string =>
      panel.webview.asWebviewUri(vscode.Uri.joinPath(ports.extensionUri, ...path)).toString();
    panel.webview.html = pageHtml({ cspSource: panel.webview.cspSource, addressOf });
  }

  get isActive(): boolean {
    return this.#panel.active;
  }

  get isVisible(): boolean {
    return this.#panel.visible;
  }

  get column(): vscode.ViewColumn | undefined {
    return this.#panel.viewColumn;
  }

  reveal(): void {
    this.#panel.reveal();
    this.#post({ type: "focus_input" });
  }

  close(): void {
    this.#panel.dispose();
  }

  release(): void {
    this.#isReady = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#listening.dispose();
  }

  appended(event: Extract<ToPage, { type: "appended" }>["events"][number]): void {
    const last = this.#pending.at(-1);
    if (last?.type === "appended") {
      this.#pending[this.#pending.length - 1] = { ...last, events: [...last.events, event] };
    } else this.#later({ type: "appended", events: [event] });
    this.#infoIsStale = true;
    this.#schedule();
  }

  streamed(event: StreamEvent): void {
    const last = this.#pending.at(-1);
    if (last?.type === "stream" && last.event.type === "call_output" && event.type === "call_output") {
      if (last.event.tool_use_id === event.tool_use_id) {
        const joined = { ...last.event, text: last.event.text + event.text };
        this.#pending[this.#pending.length - 1] = { type: "stream", event: joined };
        return;
      }
    }
    this.#later({ type: "stream", event });
  }

  infoChanged(): void {
    this.#infoIsStale = true;
    this.#schedule();
  }

  #later(message: ToPage): void {
    if (!this.#isReady) return;
    this.#pending.push(message);
    this.#schedule();
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.#flush();
    }, FRAME_MS);
  }

  async #flush(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    if (!this.#isReady) return;
    for (const message of pending) this.#post(message);
    if (!this.#infoIsStale) return;
    this.#infoIsStale = false;
    try {
      this.#post({ type: "info", ...(await this.#facts()) });
    } catch (thrown) {
      this.#ports.report("a page could not be brought up to date", thrown);
    }
  }

  #post(message: ToPage): void {
    // False or a rejection mean that the page is gone: it asks for what it missed when it is back.
    this.#panel.webview.postMessage(message).then(undefined, () => {});
  }

  async #facts(): Promise<Pick<Extract<ToPage, { type: "info" }>, "info" | "rehearsal" | "model" | "trusted">> {
    const info = await this.#ports.service.getSession(this.#id);
    const { label, status } = describeSession(info, Date.now());
    this.#panel.title = status === "" || status === "new" ? label : `${label} (${status})`;
    this.#onTitle(this.#panel.title);
    const rehearsal = this.#ports.isRehearsal();
    return { info, rehearsal, model: this.#ports.modelOf(info.state.model), trusted: vscode.workspace.isTrusted };
  }

  async #receive(raw: unknown): Promise<void> {
    try {
      await this.#act(parseFromPage(raw));
    } catch (thrown) {
      this.#post({ type: "notice", level: "error", message: messageOf(thrown) });
    }
  }

  async #act(message: FromPage): Promise<void> {
    const { service } = this.#ports;
    switch (message.type) {
      case "ready":
        return this.#init();
      case "slice":
        return this.#slice(message);
      case "images":
        return this.#images(message.seq);
      case "emit":
        return this.#emit(message.event);
      case "take_over":
        return service.takeOver(this.#id);
      case "wake":
        return service.wake(this.#id);
      case "open_diff":
        return this.#ports.openDiff(this.#id, message.tool_use_id);
      case "open_output":
        return this.#ports.openOutput(this.#id, message.tool_use_id);
      case "copy":
        return vscode.env.clipboard.writeText(message.text);
      case "open_link":
        return openLink(message.href);
      default:
        await runCommandOf(message, this.#id);
    }
  }

  async #init(): Promise<void> {
    this.#pending = [];
    const facts = await this.#facts();
    // From here on everything is passed on; what was appended before is in the slices that the page asks for.
    this.#isReady = true;
    this.#post({ type: "init", ...facts, last_seq: facts.info.state.seq, live: this.#live.of(this.#id) });
    if (this.#wantsFocus) this.#post({ type: "focus_input" });
    this.#wantsFocus = false;
  }

  async #slice({ request_id, type: _type, ...slice }: Extract<FromPage, { type: "slice" }>): Promise<void> {
    try {
      const events = await this.#ports.service.getEvents(this.#id, slice);
      const { info } = await this.#facts();
      this.#post({ type: "slice", request_id, events, last_seq: info.state.seq });
    } catch (thrown) {
      this.#post({ type: "slice_failed", request_id, message: messageOf(thrown) });
    }
  }

  async #images(seq: number): Promise<void> {
    const slice = { from: seq, to: seq, resolve: true };
    const [event] = await this.#ports.service.getEvents(this.#id, slice).catch(() => []);
    const isWhole = event !== undefined && event.payload_error === undefined && "content" in event;
    const content = isWhole && Array.isArray(event.content) ? event.content : [];
    const images = content.flatMap((block) => (block.type === "image" ? [block.source] : []));
    this.#post({ type: "images", seq, images });
  }

  async #emit(event: ClientEvent): Promise<void> {
    const event_id = String(event.id ?? "");
    try {
      await this.#ports.service.emitEvent(this.#id, event);
      this.#post({ type: "emitted", event_id, ok: true });
    } catch (thrown) {
      this.#post({ type: "emitted", event_id, ok: false, message: messageOf(thrown) });
    }
  }
}

async function openLink(href: string): Promise<void> {
  const uri = vscode.Uri.parse(href);
  // What a model wrote opens nothing but web pages, and VS Code asks before it does.
  if (uri.scheme !== "https" && uri.scheme !== "http") throw new Error(`Only web addresses are opened: ${href}`);
  await vscode.env.openExternal(uri);
}

async function runCommandOf(message: FromPage, sessionId: string): Promise<void> {
  switch (message.type) {
    case "rename":
      return vscode.commands.executeCommand("manyHands.renameSession", sessionId);
    case "set_api_key":
      return vscode.commands.executeCommand("manyHands.setApiKey");
    case "open_settings":
      return vscode.commands.executeCommand("workbench.action.openSettings", message.query);
    case "manage_trust":
      return vscode.commands.executeCommand("workbench.trust.manage");
    case "show_terminal":
      return vscode.commands.executeCommand("manyHands.showTerminal", sessionId, message.hand);
    case "open_file":
      await vscode.window.showTextDocument(vscode.Uri.file(message.path));
      return;
    default:
      return undefined;
  }
}
