/** A hand's shell as a terminal of VS Code, between a person who types early and a far end that is slow. */
import { strict as assert } from "node:assert";
import type { HandTerminal } from "../../../src/core/hand.ts";
import { Emitter } from "../../../src/core/listen.ts";
import { HandPty } from "../../../src/vscode/handPty.ts";
import type { TerminalSize } from "../../../src/vscode/handPty.ts";

class FarTerminal implements HandTerminal {
  readonly written = new Emitter<string>();
  readonly ended = new Emitter<number | null>();
  readonly onDidWrite = this.written.listen;
  readonly onDidEnd = this.ended.listen;
  readonly seen: string[] = [];
  write(text: string): void {
    this.seen.push(`write ${text}`);
  }
  resize(columns: number, rows: number): void {
    this.seen.push(`resize ${columns} ${rows}`);
  }
  close(): void {
    this.seen.push("close");
  }
}

describe("a hand's shell in a terminal", () => {
  let far: FarTerminal;
  let pty: HandPty;
  let asked: TerminalSize | null;
  let answer: () => void;
  let shown: string[];
  let closed: (number | void)[];

  beforeEach(() => {
    far = new FarTerminal();
    asked = null;
    shown = [];
    closed = [];
    pty = new HandPty((size) => {
      asked = size;
      return new Promise((resolve) => {
        answer = () => resolve(far);
      });
    });
    pty.onDidWrite((text) => shown.push(text));
    pty.onDidClose((status) => closed.push(status));
  });

  const there = async (): Promise<void> => {
    answer();
    await new Promise((resolve) => setImmediate(resolve));
  };

  it("gets what was typed and how large it was made before it was there", async () => {
    pty.open({ columns: 100, rows: 30 });
    pty.handleInput("l");
    pty.handleInput("s\r");
    pty.setDimensions({ columns: 120, rows: 40 });
    await there();
    assert.deepEqual(asked, { columns: 100, rows: 30 });
    assert.deepEqual(far.seen, ["resize 120 40", "write ls\r"]);
    pty.handleInput("x");
    far.written.fire("out");
    assert.equal(far.seen.at(-1), "write x");
    assert.deepEqual(shown, ["out"]);
  });

  it("ends with the shell's status, once", async () => {
    pty.open(undefined);
    await there();
    assert.deepEqual(asked, { columns: 80, rows: 24 });
    far.ended.fire(3);
    far.ended.fire(null);
    assert.deepEqual(closed, [3]);
  });

  it("leaves no shell behind when it was closed before that was there", async () => {
    pty.open(undefined);
    pty.close();
    await there();
    assert.deepEqual(far.seen, ["close"]);
  });

  it("shows why there is none, and stays open for it to be read", async () => {
    const failing = new HandPty(() => Promise.reject(new Error("No route.\nTry later.")));
    failing.onDidWrite((text) => shown.push(text));
    failing.onDidClose((status) => closed.push(status));
    failing.open(undefined);
    await new Promise((resolve) => setImmediate(resolve));
    assert.match(shown.join(""), /No route\.\r\nTry later\./);
    assert.deepEqual(closed, []);
  });
});
