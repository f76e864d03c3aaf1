/** Terminals that show what the agent runs in a hand, live. They show; they do not execute. */
import * as vscode from "vscode";
import type { StoredEvent } from "../core/events.ts";
import type { SessionService } from "../core/service.ts";
import { isKnown } from "../core/sessionState.ts";
import type { AnyEvent } from "../core/sessionState.ts";
import { essentialOf } from "./callText.ts";

/** Calls of the past that a new terminal begins with. */
const REPLAYED_EVENTS = 200;

export class AgentTerminals implements vscode.Disposable {
  readonly #service: SessionService;
  readonly #terminals = new Map<string, vscode.Terminal>();
  readonly #closing: vscode.Disposable;

  constructor(service: SessionService) {
    this.#service = service;
    this.#closing = vscode.window.onDidCloseTerminal((closed) => {
      for (const [key, terminal] of this.#terminals) if (terminal === closed) this.#terminals.delete(key);
    });
  }

  /** `hand`: its name; by default the session's first. */
  async show(sessionId: string, hand?: string): Promise<void> {
    const { state } = await this.#service.getSession(sessionId);
    const name = hand ?? state.hands[0]?.name ?? "local";
    const key = `${sessionId} ${name}`;
    let terminal = this.#terminals.get(key);
    if (terminal === undefined) {
      const title = state.title === "" ? "session" : state.title;
      const pty = new AgentPty(this.#service, sessionId, name);
      terminal = vscode.window.createTerminal({
        name: state.hands.length > 1 ? `Many Hands: ${title} (${name})` : `Many Hands: ${title}`,
        pty,
        iconPath: new vscode.ThemeIcon("hubot"),
      });
      this.#terminals.set(key, terminal);
    }
    terminal.show(true);
  }

  dispose(): void {
    this.#closing.dispose();
    for (const terminal of this.#terminals.values()) terminal.dispose();
  }
}

class AgentPty implements vscode.Pseudoterminal {
  readonly #service: SessionService;
  readonly #sessionId: string;
  readonly #hand: string;
  readonly #write = new vscode.EventEmitter<string>();
  readonly onDidWrite = this.#write.event;
  #listening: readonly { dispose(): void }[] = [];
  /** Calls of this hand that were shown, and whether output of them was. */
  readonly #calls = new Map<string, { hasOutput: boolean }>();
  #lastSeq = 0;

  constructor(service: SessionService, sessionId: string, hand: string) {
    this.#service = service;
    this.#sessionId = sessionId;
    this.#hand = hand;
  }

  open(): void {
    this.#listening = [
      this.#service.onDidAppendEvent(({ session_id, event }) => {
        if (session_id === this.#sessionId && this.#lastSeq > 0) this.#show(event);
      }),
      this.#service.onDidStream(({ session_id, event }) => {
        if (session_id !== this.#sessionId || event.type !== "call_output") return;
        const call = this.#calls.get(event.tool_use_id);
        if (call === undefined) return;
        call.hasOutput = true;
        this.#print(event.text);
      }),
    ];
    this.#line(
      "\u001b[2mWhat the agent runs in this hand. It shows only: open a terminal of your own to type.\u001b[0m",
    );
    void this.#replay();
  }

  close(): void {
    for (const listening of this.#listening) listening.dispose();
    this.#write.dispose();
  }

  handleInput(data: string): void {
    if (data === "\r") this.#line("\u001b[2m(this terminal only shows)\u001b[0m");
  }

  async #replay(): Promise<void> {
    const events = await this.#service.getEvents(this.#sessionId, { order: "desc", limit: REPLAYED_EVENTS });
    for (const event of events) this.#show(event);
    this.#lastSeq = Math.max(this.#lastSeq, 1);
  }

  #show(event: AnyEvent): void {
    if (event.seq <= this.#lastSeq || !isKnown(event)) return;
    this.#lastSeq = event.seq;
    if (event.type === "agent.tool_use" && event.hand === this.#hand) {
      this.#calls.set(event.id, { hasOutput: false });
      this.#line(`\u001b[36m${event.name}\u001b[0m \u001b[1m${plain(essentialOf(event.input))}\u001b[0m`);
    } else if (event.type === "agent.tool_result") this.#end(event);
  }

  #end(event: StoredEvent<"agent.tool_result">): void {
    const call = this.#calls.get(event.tool_use_id);
    if (call === undefined) return;
    this.#calls.delete(event.tool_use_id);
    if (!call.hasOutput) {
      this.#print(`${event.content.map((block) => (block.type === "text" ? block.text : "")).join("\n")}\n`);
    }
    const { outcome } = event;
    const words =
      outcome.kind === "exited"
        ? `exit ${outcome.code}`
        : outcome.kind === "signalled"
          ? `ended by ${outcome.signal}`
          : outcome.kind;
    this.#line(`\r\u001b[${event.is_error ? 31 : 32}m[${words}]\u001b[0m`);
  }

  #print(text: string): void {
    this.#write.fire(text.replaceAll(/\r?\n/g, "\r\n"));
  }

  #line(text: string): void {
    this.#write.fire(`${text.replaceAll(/\r?\n/g, "\r\n")}\r\n`);
  }
}

/** Commands come from a model: their control characters must not move the cursor. */
function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f]/g, "\u00b7");
}
