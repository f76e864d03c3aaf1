/** A person's terminal shows no stored credential, and what is typed is echoed without waiting for more. */
import assert from "node:assert/strict";
import type { HandTerminal } from "../../../src/core/hand.ts";
import { Emitter } from "../../../src/core/listen.ts";
import { redactedTerminal } from "../../../src/orchestrator/redactedTerminal.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { createRedactor } from "../../../src/vault/redactor.ts";

const SECRET = "terminal-secret-42";

class Shell implements HandTerminal {
  readonly #written = new Emitter<string>();
  readonly #ended = new Emitter<number | null>();
  readonly onDidWrite = this.#written.listen;
  readonly onDidEnd = this.#ended.listen;
  typed = "";

  print(text: string): void {
    this.#written.fire(text);
  }

  end(status: number): void {
    this.#ended.fire(status);
  }

  write(text: string): void {
    this.typed += text;
  }

  resize(): void {}
  close(): void {}
}

describe("a terminal of a hand for a person", () => {
  const redaction = createRedactor();
  redaction.add(SECRET);

  function open(): { shell: Shell; shown: string[]; statuses: (number | null)[]; terminal: HandTerminal } {
    const shell = new Shell();
    const terminal = redactedTerminal(shell, { redaction, clock: systemClock, report: () => {} });
    const shown: string[] = [];
    const statuses: (number | null)[] = [];
    terminal.onDidWrite((text) => shown.push(text));
    terminal.onDidEnd((status) => statuses.push(status));
    return { shell, shown, statuses, terminal };
  }

  it("shows a marker in the place of a credential, in whatever pieces it comes", () => {
    const { shell, shown, statuses } = open();
    for (const piece of ["$ cat it\r\nterm", "inal-sec", "ret-42\r\n$ ter"]) shell.print(piece);
    shell.end(3);
    assert.equal(shown.join(""), "$ cat it\r\n[redacted: credential]\r\n$ ter");
    assert.deepEqual(statuses, [3]);
  });

  it("shows the beginning of one after a moment, and passes on what is typed", async () => {
    const { shell, shown, terminal } = open();
    terminal.write("terminal");
    assert.equal(shell.typed, "terminal");
    for (const char of "terminal") shell.print(char);
    while (shown.join("") !== "terminal") await systemClock.sleep(5);
  });
});
