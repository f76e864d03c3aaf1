/** What a person sees of text that a model or a program wrote. */
import assert from "node:assert/strict";
import { plainly, terminalText } from "../../../src/webview/safeText.ts";

describe("text that a person is asked to allow", () => {
  it("is shown as it is where nothing is hidden in it", () => {
    const text = 'printf "%s\\n" "Grüße, 世界 👋" | tee out.txt\n\tls';
    assert.equal(plainly(text), text);
  });

  it("shows each hidden character by its number", () => {
    assert.equal(plainly("rm\u200b -rf"), "rm⟨U+200B⟩ -rf");
    assert.equal(plainly("a\u202eb"), "a⟨U+202E⟩b");
    assert.equal(plainly("a\rb\u001b[8m"), "a⟨U+000D⟩b⟨U+001B⟩[8m");
    assert.equal(plainly("x\u{e0041}y"), "x⟨U+E0041⟩y");
  });
});

describe("output of a program", () => {
  it("loses its terminal codes", () => {
    assert.equal(terminalText("\u001b[1;31mred\u001b[0m \u001b]8;;https://x\u0007link\u001b]8;;\u0007"), "red link");
    assert.equal(terminalText("\u001b(Bplain\u0007"), "plain");
  });

  it("keeps the last of the lines that overwrite each other", () => {
    assert.equal(terminalText("10 %\r50 %\r100 %\ndone\r\nnext\r\n"), "100 %\ndone\nnext\n");
  });
});
