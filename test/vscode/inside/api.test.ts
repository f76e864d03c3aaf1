/** The API that other extensions get, inside the real extension host. */
import { strict as assert } from "node:assert";
import * as vscode from "vscode";
import type { ManyHandsApi } from "../../../src/api.ts";

describe("the extension API in the extension host", () => {
  let api: ManyHandsApi;

  before(async () => {
    const extension = vscode.extensions.getExtension<ManyHandsApi>("many-hands.many-hands");
    assert.ok(extension !== undefined, "the extension is installed");
    const settings = vscode.workspace.getConfiguration("manyHands");
    await settings.update("model.provider", "rehearsal", vscode.ConfigurationTarget.Global);
    api = await extension.activate();
  });

  it("runs a session to its end, and gives its events by position", async () => {
    const { id } = await api.createSession({
      message: "Find out why the test fails, and fix it.",
      permission: "allow",
    });
    await ended(api, id);
    const events = await api.getEvents(id, {});
    assert.equal(events[0]?.type, "session.created");
    assert.ok(events.filter(({ type }) => type === "agent.tool_result").length >= 4);
    const [second] = await api.getEvents(id, { from: 2, to: 2 });
    assert.equal(second?.seq, 2);
    const onlyMessages = await api.getEvents(id, { types: ["user.message"] });
    assert.deepEqual(
      onlyMessages.map(({ type }) => type),
      ["user.message"],
    );
  });

  it("takes an event with an id once", async () => {
    const { id } = await api.createSession({ title: "Twice", permission: "allow" });
    const event = {
      type: "user.message",
      id: "sevt_said_twice",
      content: [{ type: "text", text: "What can you show?" }],
    } as unknown as Parameters<ManyHandsApi["emitEvent"]>[1];
    const [first, again] = [await api.emitEvent(id, event), await api.emitEvent(id, event)];
    assert.equal(first.seq, again.seq);
    await ended(api, id);
    assert.equal((await api.getEvents(id, { types: ["user.message"] })).length, 1);
  });

  it("says what is wrong with an event that cannot be sent, and with a session that is not there", async () => {
    const { id } = await api.createSession({ title: "Wrong" });
    const wrong = { type: "agent.message", content: [] } as unknown as Parameters<ManyHandsApi["emitEvent"]>[1];
    await assert.rejects(api.emitEvent(id, wrong), /agent\.message.*no event that can be sent/);
    await assert.rejects(api.getSession("sesn_0000000000000000000000000X"), /no session/i);
    await api.deleteSession(id);
    await assert.rejects(api.getSession(id), /no session/i);
  });

  it("lets another extension bring a kind of hand", async () => {
    const pressed: string[] = [];
    const registered = api.registerHandProvider("counter", {
      tools: () => [
        {
          name: "glob",
          description: "Counts.",
          input_schema: { type: "object" },
          parallel: true,
          permission: "always_allow",
        },
      ],
      describe: () => "a counter",
      provision: async () => ({
        instance: "counter-1",
        description: "a counter",
        execute: async (call) => {
          pressed.push(call.name);
          const outcome = { kind: "exited", code: 0 } as const;
          return { outcome, text: `${pressed.length}`, is_error: false, output_bytes: 1, truncated: false };
        },
        attach: async () => ({ kind: "never_started" }),
        signal: async () => {},
        acknowledge: async () => {},
        onDidLose: () => ({ dispose: () => {} }),
        close: async () => {},
        destroy: async () => {},
      }),
    });
    const hands = [{ name: "counter", kind: "counter" }];
    const { id } = await api.createSession({ hands, message: "Find out why the test fails, and fix it." });
    await ended(api, id);
    assert.ok(pressed.includes("glob"), "the rehearsal's first call reached the hand of this test");
    registered.dispose();
  });
});

async function ended(api: ManyHandsApi, id: string): Promise<void> {
  for (const deadline = Date.now() + 90_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const { state } = await api.getSession(id);
    if (state.status === "idle" && state.stop_reason !== null && state.input_seq < state.idle_seq) return;
    if (Date.now() > deadline) throw new Error(`the session did not end: ${JSON.stringify(state)}`);
  }
}
