/** MCP servers as hands of a session: asked for, down and back, with other tools, in another hand, over a reload. */
import assert from "node:assert/strict";
import type { HandSpec } from "../../../src/core/config.ts";
import type { StoredEvent } from "../../../src/core/events.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import type { LocalSessionService } from "../../../src/orchestrator/localSessionService.ts";
import { createMcpProvider } from "../../../src/hands/mcp/mcpProvider.ts";
import { limits } from "../../../src/core/limits.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { everythingProgram, freePort, startEverything } from "../../fixtures/mcp/everything.ts";
import { startOwnServer } from "../../fixtures/mcp/ownServer.ts";
import type { OwnServer, OwnServerOptions } from "../../fixtures/mcp/ownServer.ts";
import { isIdle, Kit, ofType, stateOf, textOf } from "./sessionKit.ts";

const use = (name: string, input: JsonObject = {}): JsonObject => ({ type: "tool_use", name, input });
const message = (text: string): Parameters<LocalSessionService["emitEvent"]>[1] => ({
  type: "user.message",
  content: [{ type: "text", text }],
});

describe("MCP servers in a session", function () {
  this.timeout(60_000);
  let kit: Kit;
  let ended: (() => Promise<void>)[] = [];
  const memory = new Map<string, unknown>();
  beforeEach(() => memory.clear());
  afterEach(async () => {
    await kit.close();
    for (const end of ended) await end();
    ended = [];
  });

  const own = async (options: OwnServerOptions): Promise<OwnServer> => {
    const server = await startOwnServer(options);
    ended.push(() => server.close().catch(() => {}));
    return server;
  };
  const window = async (send: typeof globalThis.fetch = globalThis.fetch): Promise<LocalSessionService> => {
    const service = await kit.window();
    const set = (key: string, tools: unknown): void => void memory.set(key, JSON.parse(JSON.stringify(tools)));
    const provider = createMcpProvider({
      clock: systemClock,
      fetchFor: () => send,
      toolsMemory: { get: (key) => memory.get(key), set },
      report: () => {},
    });
    service.registerHandProvider("mcp", provider);
    return service;
  };
  const local = (): HandSpec => ({ name: "local", kind: "local", options: { cwd: kit.workspace } });
  const offered = (index: number): readonly string[] => {
    const tools = kit.server.requests[index]?.body?.["tools"] as readonly { readonly name: string }[];
    return tools.map(({ name }) => name).filter((name) => name.startsWith("mcp__"));
  };
  const said = (index: number): string => JSON.stringify(kit.server.requests[index]?.body?.["messages"]);
  const resultsOf = async (service: LocalSessionService, id: string): Promise<StoredEvent<"agent.tool_result">[]> => [
    ...ofType(await service.getEvents(id, {}), "agent.tool_result"),
  ];
  const allow = async (service: LocalSessionService, id: string): Promise<void> => {
    const asks = await stateOf(service, id, (state) => state.stop_reason?.type === "requires_action");
    const [tool_use_id] = asks.unanswered.map((pending) => pending.id);
    await service.emitEvent(id, { type: "user.tool_confirmation", tool_use_id: tool_use_id!, result: "allow" });
  };

  it("has the tools of a server in its first request, asks before it calls one, and gives images on", async () => {
    const server = await startEverything("streamableHttp");
    ended.push(() => server.kill());
    kit = await Kit.open({
      clock: systemClock,
      scenario: { turns: [{ blocks: [use("mcp__all__get-tiny-image")] }, { blocks: ["Seen."] }] },
    });
    const service = await window();
    const hands = [local(), { name: "all", kind: "mcp", options: { url: server.url } }];
    const { id } = await service.createSession({ message: "Show me.", hands });
    await allow(service, id);
    await stateOf(service, id, isIdle);
    assert.ok(offered(0).includes("mcp__all__echo"));
    const tools = kit.server.requests[0]?.body?.["tools"] as readonly { name: string; input_schema: JsonObject }[];
    const hasHand = (name: string): boolean =>
      "hand" in ((tools.find((tool) => tool.name === name)?.input_schema["properties"] ?? {}) as JsonObject);
    assert.deepEqual([hasHand("bash"), hasHand("mcp__all__echo")], [true, false]);
    const [result] = await resultsOf(service, id);
    assert.deepEqual(
      result?.content.map((block) => block.type),
      ["text", "image"],
    );
    assert.match(said(1), /"type":"image"/);
    const events = await service.getEvents(id, {});
    assert.deepEqual(
      ofType(events, "hand.provisioned").map(({ hand }) => hand),
      ["all"],
    );
    assert.deepEqual(ofType(events, "session.error"), []);
    assert.deepEqual(kit.server.problems, []);
  });

  it("goes on without a server that is down, says so, and has its tools once it is there", async () => {
    kit = await Kit.open({ clock: systemClock, scenario: () => ({ blocks: ["Done."] }) });
    const port = await freePort();
    const service = await window();
    const hands = [local(), { name: "own", kind: "mcp", options: { url: `http://127.0.0.1:${port}/mcp` } }];
    const { id } = await service.createSession({ message: "Hello.", hands });
    await stateOf(service, id, isIdle);
    assert.deepEqual(offered(0), []);
    const [error] = ofType(await service.getEvents(id, {}), "session.error");
    assert.equal(error?.error.type, "mcp_connection_failed_error");
    assert.match(error.error.message, /nobody listens/);
    await own({ tools: [{ name: "one" }], port });
    await service.emitEvent(id, message("And now?"));
    await stateOf(service, id, (state) => isIdle(state) && state.queued.length === 0);
    assert.deepEqual(offered(1), ["mcp__own__one"]);
    assert.match(said(1), /have changed:\\n- own \(mcp\): new: mcp__own__one/);
    assert.deepEqual(kit.server.problems, []);
  });

  it("does not wait long for a server that takes its time, and tells the model when its tools have come", async () => {
    const server = await own({ tools: [{ name: "one" }] });
    const answers = Promise.withResolvers<void>();
    kit = await Kit.open({
      scenario: (_body, index) => {
        if (index > 0) return { blocks: ["Done."] };
        answers.resolve();
        return { blocks: [use("bash", { hand: "local", command: "sleep 1" })] };
      },
    });
    const service = await window(async (input, init) => {
      await answers.promise;
      return fetch(input, init);
    });
    const hands = [local(), { name: "own", kind: "mcp", options: { url: server.url } }];
    const { id } = await service.createSession({ message: "Hello.", hands, permission: "allow" });
    await stateOf(service, id, isIdle);
    assert.deepEqual([offered(0), offered(1)], [[], ["mcp__own__one"]]);
    assert.match(said(1), /new: mcp__own__one/);
    assert.deepEqual(kit.server.problems, []);
  });

  it("says in the result that a server is down in a call, and calls it when it is back", async () => {
    kit = await Kit.open({
      clock: systemClock,
      scenario: (_body, index) => ({ blocks: index % 2 === 0 ? [use("mcp__own__one")] : ["Hm."] }),
    });
    const port = await freePort();
    const server = await own({ tools: [{ name: "one" }], port });
    const service = await window();
    const hands = [{ name: "own", kind: "mcp", options: { url: server.url } }];
    const { id } = await service.createSession({ message: "Call.", hands, permission: "allow" });
    await stateOf(service, id, isIdle);
    await server.close();
    await service.emitEvent(id, message("Again."));
    await stateOf(service, id, (state) => isIdle(state) && state.queued.length === 0);
    const again = await own({ tools: [{ name: "one" }], port });
    await service.emitEvent(id, message("Once more."));
    await stateOf(service, id, (state) => isIdle(state) && state.queued.length === 0);
    const results = await resultsOf(service, id);
    assert.deepEqual(
      results.map(({ is_error }) => is_error),
      [false, true, false],
    );
    assert.match(textOf(results[1]), /own|MCP server.*(nobody listens|was cut)/);
    assert.match(textOf(results[2]), /begun a new session.*\none \{\}/);
    assert.equal(again.calls.length, 1);
    const errors = ofType(await service.getEvents(id, {}), "session.error").map(({ error }) => error.type);
    assert.deepEqual(errors, ["mcp_connection_failed_error"]);
  });

  it("offers new tools in mid-session and tells the model of them", async () => {
    const server = await own({
      tools: [
        {
          name: "grow",
          run: async () => {
            await server.setTools([{ name: "grow" }, { name: "grown" }]);
            await systemClock.sleep(500);
            return { content: [{ type: "text", text: "Grown." }] };
          },
        },
      ],
    });
    kit = await Kit.open({
      clock: systemClock,
      scenario: {
        turns: [{ blocks: [use("mcp__own__grow")] }, { blocks: [use("mcp__own__grown")] }, { blocks: ["Ok."] }],
      },
    });
    const service = await window();
    const hands = [{ name: "own", kind: "mcp", options: { url: server.url } }];
    const { id } = await service.createSession({ message: "Grow.", hands, permission: "allow" });
    await stateOf(service, id, isIdle);
    assert.deepEqual(offered(1), ["mcp__own__grow", "mcp__own__grown"]);
    assert.match(said(1), /new: mcp__own__grown/);
    assert.equal(textOf((await resultsOf(service, id))[1]), "grown {}");
    assert.deepEqual(kit.server.problems, []);
  });

  it("runs a server in another hand, starts it anew when it was killed, and ends it with the session", async () => {
    kit = await Kit.open({
      clock: systemClock,
      scenario: (_body, index) => ({ blocks: index % 2 === 0 ? [use("mcp__all__echo", { message: "hi" })] : ["Hm."] }),
    });
    const service = await window();
    const program = everythingProgram("local");
    const mark = `mark-${process.pid}-${Date.now()}`;
    const options = { ...program, args: [...program.args, mark], env: { MARK: "x" } };
    const hands = [local(), { name: "all", kind: "mcp", options }];
    const { id } = await service.createSession({ message: "Echo.", hands, permission: "allow" });
    await stateOf(service, id, isIdle);
    const pidsOf = async (): Promise<readonly number[]> => {
      const { readdir, readFile } = await import("node:fs/promises");
      const found: number[] = [];
      for (const name of (await readdir("/proc")).filter((each) => /^\d+$/.test(each))) {
        const line = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
        if (line.includes(mark)) found.push(Number(name));
      }
      return found;
    };
    const [first, ...others] = await pidsOf();
    assert.equal(others.length, 0);
    process.kill(first!, "SIGKILL");
    const stateNow = async (): Promise<string | undefined> =>
      (await service.listHands()).find(({ spec }) => spec.name === "all")?.uses[0]?.state;
    while ((await stateNow()) !== "lost") await systemClock.sleep(10);
    await service.emitEvent(id, message("Again."));
    await stateOf(service, id, (state) => isIdle(state) && state.queued.length === 0);
    const events = await service.getEvents(id, {});
    assert.deepEqual(
      ofType(events, "agent.tool_result").map((result) => textOf(result)),
      ["Echo: hi", "Echo: hi"],
    );
    const provisioned = ofType(events, "hand.provisioned").map(({ hand }) => hand);
    assert.deepEqual(provisioned, ["local", "all", "all"]);
    assert.equal(new Set(ofType(events, "hand.provisioned").map(({ instance }) => instance)).size, 3);
    assert.equal((await pidsOf()).length, 1);
    await service.deleteSession(id);
    while ((await pidsOf()).length > 0) await systemClock.sleep(20);
  });

  it("says that it is unknown what became of a call that was under way when the window was reloaded", async () => {
    const began = Promise.withResolvers<void>();
    const run = (): Promise<unknown> => {
      began.resolve();
      return new Promise(() => {});
    };
    const server = await own({ tools: [{ name: "hang", run }] });
    kit = await Kit.open({
      clock: systemClock,
      scenario: { turns: [{ blocks: [use("mcp__own__hang")] }, { blocks: ["I will look."] }] },
    });
    const first = await window();
    const hands = [{ name: "own", kind: "mcp", options: { url: server.url } }];
    const { id } = await first.createSession({ message: "Hang.", hands, permission: "allow" });
    await began.promise;
    await first.close();
    const second = await window();
    await stateOf(second, id, isIdle);
    const [result] = await resultsOf(second, id);
    assert.deepEqual([result?.outcome, result?.is_error], [{ kind: "unknown" }, true]);
    assert.match(textOf(result), /before the window was reloaded.*unknown whether/);
    assert.equal(server.calls.length, 1);
  });

  it("does not wait for a server when the person has stopped it", async () => {
    const asked = Promise.withResolvers<void>();
    kit = await Kit.open({ clock: systemClock, scenario: () => ({ blocks: ["Hello."] }) });
    const service = await window(() => {
      asked.resolve();
      return new Promise(() => {});
    });
    const hands = [local(), { name: "own", kind: "mcp", options: { url: "http://127.0.0.1:9/mcp" } }];
    const { id } = await service.createSession({ message: "Hello.", hands });
    await asked.promise;
    const began = systemClock.now();
    await service.emitEvent(id, { type: "user.interrupt" });
    await stateOf(service, id, (state) => state.interrupt_seq === null && state.status === "idle");
    assert.ok(systemClock.now() - began < limits.handToolsWaitMs / 2);
  });

  it("stops a call that the person stops", async () => {
    const left = Promise.withResolvers<void>();
    const began = Promise.withResolvers<void>();
    const server = await own({
      tools: [
        {
          name: "hang",
          run: (_input, gone) => {
            gone.addEventListener("abort", () => left.resolve());
            began.resolve();
            return new Promise(() => {});
          },
        },
      ],
    });
    kit = await Kit.open({ clock: systemClock, scenario: { turns: [{ blocks: [use("mcp__own__hang")] }] } });
    const service = await window();
    const hands = [{ name: "own", kind: "mcp", options: { url: server.url } }];
    const { id } = await service.createSession({ message: "Hang.", hands, permission: "allow" });
    await began.promise;
    await service.emitEvent(id, { type: "user.interrupt" });
    await left.promise;
    await stateOf(service, id, isIdle);
    const [result] = await resultsOf(service, id);
    assert.match(textOf(result), /was stopped/);
  });
});
