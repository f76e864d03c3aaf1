/** The course of a session: past the model's window, interrupted, with messages that wait, and with two windows. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { isIdle, Kit, ofType, stateOf, textOf } from "./sessionKit.ts";
import type { Scenario, TurnFunction } from "../../fixtures/messages/scenario.ts";

const bash = (command: string): { type: string; name: string; input: { command: string } } => ({
  type: "tool_use",
  name: "bash",
  input: { command },
});

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("the course of a session", function () {
  this.timeout(60_000);
  let kit: Kit | null = null;

  afterEach(async () => {
    await kit?.close();
    kit = null;
  });

  async function open(scenario: Scenario | TurnFunction, contextWindow?: number): Promise<Kit> {
    kit = await Kit.open({ scenario, ...(contextWindow === undefined ? {} : { contextWindow }) });
    return kit;
  }

  it("goes on past the model's window: old results leave the request, then older turns are summarised, the log stays whole", async () => {
    const TURNS = 40;
    let asked = 0;
    const { server } = await open((body) => {
      const last = JSON.stringify((body["messages"] as readonly unknown[]).at(-1));
      if (last.includes("about to leave your context")) return { blocks: ["Summary: turns were taken, one by one."] };
      asked += 1;
      if (asked > TURNS) return { blocks: ["All turns are taken."] };
      const remark = `Turn ${asked}. ${"A word on what was seen. ".repeat(30)}`;
      return { blocks: [remark, bash(`seq ${asked * 1000} ${asked * 1000 + 900}`)] };
    }, 20_000);
    const service = await (kit as Kit).window();
    const { id } = await service.createSession({ message: "Take your turns.", permission: "allow" });
    const state = await stateOf(service, id, isIdle);
    assert.equal(state.stop_reason?.type, "end_turn");
    const compactions = ofType(await service.getEvents(id, {}), "agent.thread_context_compacted");
    assert.equal(compactions[0]?.strategy, "clear_tool_results");
    assert.ok(compactions.some(({ strategy, summary }) => strategy === "summarise" && summary?.startsWith("Summary:")));
    const results = ofType(await service.getEvents(id, {}), "agent.tool_result");
    assert.equal(results.length, TURNS);
    assert.ok(results.every((result, at) => textOf(result).startsWith(`${(at + 1) * 1000}\n`)));
    assert.deepEqual(server.problems, []);
  });

  it("goes on when a summary fails", async () => {
    let asked = 0;
    let summaries = 0;
    const { server } = await open((body) => {
      const last = JSON.stringify((body["messages"] as readonly unknown[]).at(-1));
      if (last.includes("about to leave your context")) {
        summaries += 1;
        if (summaries === 1) return { error: { status: 529, type: "overloaded_error", message: "Overloaded" } };
        return { blocks: ["Summary: it went on."] };
      }
      asked += 1;
      return { blocks: asked > 30 ? ["Over."] : [`Turn ${asked}. ${"Words. ".repeat(300)}`, bash("true")] };
    }, 20_000);
    const service = await (kit as Kit).window();
    const { id } = await service.createSession({ message: "Begin.", permission: "allow" });
    const state = await stateOf(service, id, isIdle);
    assert.equal(state.stop_reason?.type, "end_turn");
    assert.ok(summaries >= 2);
    assert.deepEqual(
      server.problems.map(({ message }) => message),
      [],
    );
  });

  it("keeps what the model had said when it is interrupted while it writes", async () => {
    const scenario: Scenario = {
      turns: [
        { blocks: ["This is a long answer that is never finished."], behaviour: { hold_after: 8, piece_chars: 4 } },
        { blocks: ["I stopped."] },
      ],
    };
    const { server } = await open(scenario);
    const service = await (kit as Kit).window();
    const said = Promise.withResolvers<void>();
    service.onDidStream(({ event }) => {
      if (event.type === "event_delta") said.resolve();
    });
    const { id } = await service.createSession({ message: "Write.", permission: "allow" });
    await said.promise;
    await service.emitEvent(id, { type: "user.interrupt" });
    await stateOf(service, id, isIdle);
    const [message] = ofType(await service.getEvents(id, {}), "agent.message");
    assert.ok(message === undefined || "This is a long answer".startsWith(message.content[0]?.text.slice(0, 4) ?? ""));
    server.release();
    await service.emitEvent(id, { type: "user.message", content: [{ type: "text", text: "What happened?" }] });
    await stateOf(service, id, (state) => isIdle(state) && state.queued.length === 0);
    assert.deepEqual(server.problems, []);
  });

  it("ends a command and what it started when it is interrupted", async () => {
    const scenario: Scenario = {
      turns: [{ blocks: [bash("echo $$ >leader; sleep 600 & wait")] }, { blocks: ["Done."] }],
    };
    const { workspace, server } = await open(scenario);
    const service = await (kit as Kit).window();
    const { id } = await service.createSession({ message: "Sleep.", permission: "allow" });
    let leader = "";
    while (leader === "") leader = (await readFile(path.join(workspace, "leader"), "utf8").catch(() => "")).trim();
    await service.emitEvent(id, { type: "user.interrupt" });
    await stateOf(service, id, isIdle);
    const [result] = ofType(await service.getEvents(id, {}), "agent.tool_result");
    assert.equal(result?.is_error, true);
    // What has ended stays in its group until the system has taken note of it.
    while (lives(-Number(leader))) await systemClock.sleep(10);
    assert.deepEqual(server.problems, []);
  });

  it("asks before a command, runs none that was denied, and passes the reason on", async () => {
    const scenario: Scenario = { turns: [{ blocks: [bash("echo x >never")] }, { blocks: ["As you wish."] }] };
    const { workspace, server } = await open(scenario);
    const service = await (kit as Kit).window();
    const { id } = await service.createSession({ message: "Do it." });
    const state = await stateOf(service, id, ({ stop_reason }) => stop_reason?.type === "requires_action");
    const [use] = state.unanswered;
    assert.ok(use !== undefined);
    const confirmation = { type: "user.tool_confirmation", tool_use_id: use.id, result: "deny" } as const;
    await service.emitEvent(id, { ...confirmation, deny_message: "Not on a Friday." });
    await stateOf(service, id, isIdle);
    const [result] = ofType(await service.getEvents(id, {}), "agent.tool_result");
    assert.match(textOf(result), /Not on a Friday\./);
    await assert.rejects(readFile(path.join(workspace, "never")));
    assert.deepEqual(server.problems, []);
  });

  it("runs calls of one turn side by side where their tools allow it", async () => {
    const read = (name: string): object => ({ type: "tool_use", name: "read", input: { file_path: name } });
    const scenario: Scenario = {
      turns: [{ blocks: [read("a"), read("b"), read("c")] as never }, { blocks: ["Read."] }],
    };
    const { server } = await open(scenario);
    const service = await (kit as Kit).window();
    const { id } = await service.createSession({ message: "Read.", permission: "allow" });
    await stateOf(service, id, isIdle);
    const order = (await service.getEvents(id, {})).map(({ type }) => type);
    assert.ok(order.lastIndexOf("hand.call_started") < order.indexOf("agent.tool_result"), order.join(" "));
    assert.deepEqual(server.problems, []);
  });

  it("takes messages that came while it worked in their order", async () => {
    const { server } = await open((_body, index) =>
      index === 0 ? { blocks: [bash("until [ -e go ]; do sleep 0.02; done")] } : { blocks: ["Yes."] },
    );
    const service = await (kit as Kit).window();
    const { id } = await service.createSession({ message: "Wait.", permission: "allow" });
    await stateOf(service, id, ({ unanswered }) => unanswered.length === 1);
    for (const text of ["first", "second", "third"]) {
      await service.emitEvent(id, { type: "user.message", content: [{ type: "text", text }] });
    }
    await writeFile(path.join((kit as Kit).workspace, "go"), "");
    await stateOf(service, id, (state) => isIdle(state) && state.queued.length === 0);
    const body = JSON.stringify(server.requests.at(-1)?.body?.["messages"]);
    assert.ok(body.indexOf("first") < body.indexOf("second") && body.indexOf("second") < body.indexOf("third"));
    assert.deepEqual(server.problems, []);
  });

  it("is read by a second window while the first one runs it, and is taken over without anything running twice", async () => {
    const command = "echo run >>runs; until [ -e go ]; do sleep 0.02; done; echo over";
    const { server, workspace } = await open({
      turns: [{ blocks: [bash(command)] }, { blocks: ["Over."] }],
      by: "transcript",
    });
    const first = await (kit as Kit).window("the first");
    const { id } = await first.createSession({ message: "Run it.", permission: "allow" });
    while ((await readFile(path.join(workspace, "runs"), "utf8").catch(() => "")) === "") await systemClock.sleep(10);
    const second = await (kit as Kit).window("the second");
    assert.equal((await second.getSession(id)).writer.kind, "other");
    const message = { type: "user.message", content: [{ type: "text", text: "Hello" }] } as const;
    await assert.rejects(second.emitEvent(id, message), /Take it over/);
    await second.takeOver(id);
    await assert.rejects(first.emitEvent(id, message), /Take it over/);
    await writeFile(path.join(workspace, "go"), "");
    await stateOf(second, id, isIdle);
    const events = await second.getEvents(id, {});
    assert.deepEqual(
      ofType(events, "agent.tool_result").map((result) => textOf(result).startsWith("over")),
      [true],
    );
    assert.equal(await readFile(path.join(workspace, "runs"), "utf8"), "run\n");
    assert.deepEqual(server.problems, []);
  });
});
