/** A shell of a hand as a terminal of VS Code: passes on what is typed and shown, from the moment it is opened. */
import type { HandTerminal } from "../core/hand.ts";
import { messageOf } from "../core/json.ts";
import { Emitter } from "../core/listen.ts";

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Where VS Code does not know the size yet. */
const USUAL_SIZE: TerminalSize = { columns: 80, rows: 24 };

/** In the shape of a `vscode.Pseudoterminal`. */
export class HandPty {
  readonly #openTerminal: (size: TerminalSize) => Promise<HandTerminal>;
  readonly #written = new Emitter<string>();
  readonly #closed = new Emitter<number | void>();
  readonly onDidWrite = this.#written.listen;
  readonly onDidClose = this.#closed.listen;
  #terminal: HandTerminal | null = null;
  #size: TerminalSize = USUAL_SIZE;
  /** What is typed before the shell is there. */
  #early = "";
  #isClosed = false;

  constructor(openTerminal: (size: TerminalSize) => Promise<HandTerminal>) {
    this.#openTerminal = openTerminal;
  }

  open(size: TerminalSize | undefined): void {
    this.#size = size ?? USUAL_SIZE;
    void this.#begin();
  }

  close(): void {
    this.#isClosed = true;
    this.#terminal?.close();
  }

  handleInput(text: string): void {
    if (this.#terminal === null) this.#early += text;
    else this.#terminal.write(text);
  }

  setDimensions(size: TerminalSize): void {
    this.#size = size;
    this.#terminal?.resize(size.columns, size.rows);
  }

  async #begin(): Promise<void> {
    const asked = this.#size;
    try {
      const terminal = await this.#openTerminal(asked);
      if (this.#isClosed) return terminal.close();
      terminal.onDidWrite((text) => this.#written.fire(text));
      terminal.onDidEnd((status) => this.#end(status));
      this.#terminal = terminal;
      if (this.#size !== asked) terminal.resize(this.#size.columns, this.#size.rows);
      if (this.#early !== "") terminal.write(this.#early);
      this.#early = "";
    } catch (thrown) {
      // It stays open, so that the reason can be read.
      this.#written.fire(`\u001b[31m${messageOf(thrown).replaceAll(/\r?\n/g, "\r\n")}\u001b[0m\r\n`);
    }
  }

  #end(status: number | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closed.fire(status ?? undefined);
  }
}
