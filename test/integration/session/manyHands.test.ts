/** Several hands in one session: each call runs where it says, and hands come and go in the middle of it. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { HandSpec } from "../../../src/core/config.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { createCommandProvider } from "../../../src/hands/command/commandProvider.ts";
import type { LocalSessionService } from "../../../src/orchestrator/localSessionService.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import type { TurnFunction } from "../../fixtures/messages/scenario.ts";
import { isIdle, Kit, ofType, stateOf, textOf } from "./sessionKit.ts";

interface Asked {
  readonly tools?: readonly { readonly name: string; readonly input_schema: { readonly properties: object } }[];
  readonly messages?: unknown;
}

describe("a session with many hands", function () {
  this.timeout(60_000);
  let kit: Kit;

  async function open(scenario: TurnFunction): Promise<LocalSessionService> {
    kit = await Kit.open({ scenario });
    const service = await kit.window();
    const environment = (): NodeJS.ProcessEnv => ({ ...process.env, HOME: kit.folder });
    service.registerHandProvider("command", createCommandProvider({ clock: systemClock, environment }));
    for (const name of ["east", "west"]) await mkdir(path.join(kit.folder, name));
    return service;
  }
  afterEach(() => kit.close());

  const handIn = (name: string): HandSpec => ({
    name,
    kind: "command",
    options: { argv: ["sh"], cwd: path.join(kit.folder, name) },
  });
  const bash = (command: string, hand?: string): JsonObject => ({
    type: "tool_use",
    name: "bash",
    input: { command, ...(hand === undefined ? {} : { hand }) },
  });

  it("runs each call on the hand that it names, and none without a name", async () => {
    const service = await open((_body, index) =>
      index === 0
        ? { blocks: [bash("pwd", "east"), bash("pwd", "west"), bash("echo run >>anywhere"), bash("pwd", "north")] }
        : { blocks: ["Done."] },
    );
    const { id } = await service.createSession({
      message: "Look.",
      permission: "allow",
      hands: [handIn("east"), handIn("west")],
    });
    await stateOf(service, id, isIdle);
    const events = await service.getEvents(id, {});
    const uses = ofType(events, "agent.tool_use");
    const results = uses.map((use) => ofType(events, "agent.tool_result").find((one) => one.tool_use_id === use.id));
    assert.match(textOf(results[0]), /\/east$/);
    assert.match(textOf(results[1]), /\/west$/);
    for (const result of results.slice(2)) {
      assert.deepEqual(result?.outcome, { kind: "not_run" });
      assert.match(textOf(result), /"hand" must be one of "east", "west"/);
    }
    assert.deepEqual(uses.map(({ hand }) => hand).slice(0, 2), ["east", "west"]);
    for (const name of ["east", "west"]) assert.equal(existsSync(path.join(kit.folder, name, "anywhere")), false);
    assert.deepEqual(kit.server.problems, []);
  });

  it("is given another hand in the middle, is told so, and uses it", async () => {
    const service = await open((body, index) => {
      const { tools = [] } = body as Asked;
      const hasHand = tools.some(({ name, input_schema }) => name === "bash" && "hand" in input_schema.properties);
      if (index === 0) return { blocks: [bash("echo 1 >>trace; pwd")] };
      if (index === 1) return { blocks: ["Here."] };
      if (index === 2) return { blocks: hasHand ? [bash("echo 2 >>trace; pwd", "west")] : ["I see one hand only."] };
      return { blocks: ["There."] };
    });
    const { id } = await service.createSession({ message: "Look.", permission: "allow", hands: [handIn("east")] });
    await stateOf(service, id, isIdle);
    await service.updateSession(id, { hands: [handIn("east"), handIn("west")] });
    await service.emitEvent(id, { type: "user.message", content: [{ type: "text", text: "Now look there." }] });
    await stateOf(service, id, (state) => isIdle(state) && state.queued.length === 0);
    assert.equal(await readFile(path.join(kit.folder, "west", "trace"), "utf8"), "2\n");
    assert.equal(await readFile(path.join(kit.folder, "east", "trace"), "utf8"), "1\n");
    const told = JSON.stringify(kit.server.requests[2]?.body?.["messages"]);
    assert.match(told, /changed the hands of this session/);
    assert.match(told, /west \(command\), new/);
    assert.deepEqual(kit.server.problems, []);
  });

  it("takes up another hand while it works, without losing a turn", async () => {
    const service = await open((body, index) => {
      const { tools = [] } = body as Asked;
      const hasHand = tools.some(({ name, input_schema }) => name === "bash" && "hand" in input_schema.properties);
      if (index === 0) return { blocks: [bash("until [ -e go ]; do sleep 0.02; done; echo gone")] };
      return { blocks: index === 1 && hasHand ? [bash("echo there", "west")] : ["Done."] };
    });
    const { id } = await service.createSession({ message: "Wait.", permission: "allow", hands: [handIn("east")] });
    await stateOf(service, id, ({ unanswered }) => unanswered.some(({ started }) => started !== null));
    await service.updateSession(id, { hands: [handIn("east"), handIn("west")] });
    const hand = await service.openHand(id, "east");
    await hand.files?.write(path.join(kit.folder, "east", "go"), (async function* () {})());
    await stateOf(service, id, isIdle);
    const texts = ofType(await service.getEvents(id, {}), "agent.tool_result").map(textOf);
    assert.deepEqual(texts, ["gone", "there"]);
    assert.equal(kit.server.requests.length, 3);
    assert.deepEqual(kit.server.problems, []);
  });

  it("ends a hand that is taken away, and refuses to as long as a call runs there", async () => {
    const service = await open((_body, index) =>
      index === 0
        ? { blocks: [bash("echo $$ >pid; until [ -e go ]; do sleep 0.02; done", "west")] }
        : { blocks: ["Done."] },
    );
    const hands = [handIn("east"), handIn("west")];
    const { id } = await service.createSession({ message: "Wait.", permission: "allow", hands });
    await stateOf(service, id, ({ unanswered }) => unanswered.some(({ started }) => started !== null));
    await assert.rejects(service.updateSession(id, { hands: [handIn("east")] }), /A call runs on the hand "west"/);
    const hand = await service.openHand(id, "west");
    await hand.files?.write(path.join(kit.folder, "west", "go"), (async function* () {})());
    await stateOf(service, id, isIdle);
    const journals = path.join(kit.folder, ".many-hands");
    await service.updateSession(id, { hands: [handIn("east")] });
    const { state } = await service.getSession(id);
    assert.deepEqual(Object.keys(state.instances), []);
    const answers = (): Promise<boolean> =>
      (hand.ping?.() ?? Promise.reject(new Error("no ping"))).then(
        () => true,
        () => false,
      );
    while (await answers()) await systemClock.sleep(10);
    assert.ok(existsSync(journals));
    await assert.rejects(service.openHand(id, "west"), { code: "hand_unknown" });
    await assert.rejects(service.updateSession(id, { hands: [] }), /at least one hand/);
    await assert.rejects(service.updateSession(id, { hands: [handIn("east"), handIn("east")] }), /Two hands/);
  });
});
