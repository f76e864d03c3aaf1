/** Hands that other extensions bring: the sample's machine in a session, over a reload, whose extension may come late. */
import assert from "node:assert/strict";
import { emulatorProvider } from "../../../samples/emulator/src/emulatorHand.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { isIdle, Kit, ofType, stateOf, textOf } from "./sessionKit.ts";

describe("a hand of another extension", function () {
  this.timeout(60_000);
  let kit: Kit;
  afterEach(() => kit.close());

  const hands = [{ name: "machine", kind: "emulator" }];
  const press = (key: string): JsonObject => ({ type: "tool_use", name: "press", input: { key } });
  const columnOf = (screen: string): number =>
    Math.max(
      ...screen
        .split("\n")
        .slice(4)
        .map((line) => line.search(/[▀▄]/)),
    );

  it("is the same machine after a reload, and a session waits for the extension that brings it", async () => {
    kit = await Kit.open({
      clock: systemClock,
      scenario: (_body, index) => ({ blocks: index % 2 === 0 ? [press("6")] : ["Moved."] }),
    });
    const first = await kit.window();
    first.registerHandProvider("emulator", emulatorProvider);
    const { id } = await first.createSession({ message: "To the right.", hands });
    await stateOf(first, id, isIdle);
    await first.close();

    const second = await kit.window();
    await second.emitEvent(id, { type: "user.message", content: [{ type: "text", text: "Once more." }] });
    await systemClock.sleep(200);
    assert.equal(kit.server.requests.length, 2, "the model is not asked as long as the hand's tools are not known");
    second.registerHandProvider("emulator", emulatorProvider);
    await stateOf(second, id, (state) => isIdle(state) && state.queued.length === 0);
    const events = await second.getEvents(id, {});
    assert.deepEqual(
      ofType(events, "agent.tool_result").map((result) => columnOf(textOf(result))),
      [34, 35],
    );
    assert.equal(ofType(events, "hand.provisioned").length, 1);
    assert.deepEqual(kit.server.problems, []);
  });

  it("gives the first result when a call is asked for twice", async () => {
    kit = await Kit.open();
    const spec = { name: "machine", kind: "emulator" };
    const context = {
      sessionId: "sesn_twice",
      storagePath: kit.folder,
      previousInstance: null,
      signal: new AbortController().signal,
      onProgress: () => {},
    };
    const hand = await emulatorProvider.provision(spec, context);
    const call = { id: "sevt_pressed_once" as never, name: "press", input: { key: "6" } };
    const ports = { onOutput: () => Promise.resolve(), willChange: () => Promise.resolve() };
    const result = await hand.execute(call, ports);
    const again = await emulatorProvider.provision(spec, context);
    assert.equal(again.instance, hand.instance);
    assert.deepEqual(await again.attach(call, ports), { kind: "result", result });
    assert.deepEqual(await again.execute(call, ports), result);
  });
});
