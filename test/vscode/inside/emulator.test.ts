/** The sample extension's hand, used by a session in the real VS Code: the harness does not know what a hand is. */
import { strict as assert } from "node:assert";
import * as vscode from "vscode";
import type { ManyHandsApi } from "../../../src/api.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { startMessagesServer } from "../../fixtures/messages/strictServer.ts";

describe("the hand of the sample extension", () => {
  it("is pressed and read by a session, in a machine of its own", async () => {
    const press = (key: string): JsonObject => ({ type: "tool_use", name: "press", input: { key } });
    const turns = [
      { blocks: [press("6"), press("6"), press("8")] },
      { blocks: [{ type: "tool_use", name: "screen", input: {} }] },
      { blocks: ["The dot has moved three times."] },
    ];
    const server = await startMessagesServer({ keys: [], scenario: { turns } });
    const settings = vscode.workspace.getConfiguration("manyHands");
    const set = async (provider?: string, baseUrl?: string): Promise<void> => {
      await settings.update("model.provider", provider, vscode.ConfigurationTarget.Global);
      await settings.update("model.baseUrl", baseUrl, vscode.ConfigurationTarget.Global);
    };
    await set("anthropic", server.url);
    try {
      const extension = vscode.extensions.getExtension<ManyHandsApi>("many-hands.many-hands");
      const api = (await extension?.activate()) as ManyHandsApi;
      const hands = [{ name: "machine", kind: "emulator" }];
      const { id } = await api.createSession({ hands, message: "Move the dot." });
      const results = await resultsOf(api, id, 4);
      const screen = results.at(-1) ?? "";
      assert.match(screen, /^\|█▀▀█ █▀▀█ ▀▀▀█/, "the count shows three moves");
      const row = screen.split("\n").findIndex((line) => /^\| {34}[▀▄█] +\|$/.test(line));
      assert.ok(row > 0, `the dot is two to the right of where it was:\n${screen}`);
      assert.deepEqual(server.problems, []);
      const tools = (server.requests[0]?.body?.["tools"] ?? []) as readonly { name: string }[];
      assert.deepEqual(
        tools.map(({ name }) => name),
        ["press", "step", "screen", "reset"],
      );
    } finally {
      await set("rehearsal");
      await server.close();
    }
  });
});

async function resultsOf(api: ManyHandsApi, id: string, count: number): Promise<readonly string[]> {
  for (;;) {
    const events = await api.getEvents(id, { types: ["agent.tool_result", "session.error"] });
    const failure = events.find(({ type }) => type === "session.error");
    if (failure !== undefined) throw new Error(JSON.stringify(failure));
    const results = events as unknown as readonly { readonly content: readonly { readonly text: string }[] }[];
    if (results.length >= count) return results.map(({ content }) => content[0]?.text ?? "");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
