/** VS Code's own language-model tools as a hand, in the real VS Code: those that are named, and what they answer. */
import { strict as assert } from "node:assert";
import type { Call, CallContext } from "../../../src/core/hand.ts";
import { createVscodeToolsProvider } from "../../../src/hands/vscodeTools/vscodeToolsProvider.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { createLanguageModelTools } from "../../../src/vscode/languageModelTools.ts";

const context: CallContext = { onOutput: async () => {}, willChange: async () => {} };
let calls = 0;

function callOf(name: string, input: Call["input"] = {}): Call {
  calls += 1;
  return { id: `sevt_lm_${calls}` as Call["id"], name, input };
}

describe("a hand of VS Code's language-model tools", () => {
  const provider = createVscodeToolsProvider({ clock: systemClock, tools: createLanguageModelTools() });
  const spec = { name: "editor", kind: "vscode-tools", options: { tools: ["terminal_*", "get_terminal_output"] } };
  const provision = provider.provision(spec, {
    sessionId: "sesn_tools00000",
    storagePath: "",
    previousInstance: null,
    signal: new AbortController().signal,
    onProgress: () => {},
  });

  it("offers those that its spec names and no other, each to be asked for", () => {
    const tools = provider.tools(spec);
    assert.deepEqual(
      tools.map(({ name }) => name).toSorted(),
      ["get_terminal_output", "terminal_last_command", "terminal_selection"].map((name) => `vscode__editor__${name}`),
    );
    assert.ok(tools.every(({ permission }) => permission === "always_ask"));
    assert.ok(tools.every(({ input_schema }) => input_schema["type"] === "object"));
    assert.deepEqual(provider.tools({ name: "editor", kind: "vscode-tools" }), []);
  });

  it("gives what a tool answers, the first answer to whoever asks twice, and its refusal as an error", async () => {
    const hand = await provision;
    const call = callOf("vscode__editor__terminal_last_command");
    const result = await hand.execute(call, context);
    assert.deepEqual([result.outcome, result.is_error], [{ kind: "exited", code: 0 }, false], result.text);
    assert.match(result.text, /terminal/i);
    assert.deepEqual(await hand.execute(call, context), result);
    const wrong = await hand.execute(callOf("vscode__editor__get_terminal_output", { id: "none" }), context);
    assert.match(wrong.text, /terminal|invalid|no /i);
    const gone = await hand.execute(callOf("vscode__editor__run_task"), context);
    assert.deepEqual(gone.outcome, { kind: "not_run" });
  });
});
