/** MCP hands whose servers are at an address: the reference server, and one of the tests that fails in every way. */
import assert from "node:assert/strict";
import { CreateMessageResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { HandFailed } from "../../../src/core/hand.ts";
import { limits } from "../../../src/core/limits.ts";
import { hasCode } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { freePort, startEverything } from "../../fixtures/mcp/everything.ts";
import type { EverythingServer } from "../../fixtures/mcp/everything.ts";
import { startOwnServer } from "../../fixtures/mcp/ownServer.ts";
import type { OwnServer, OwnServerOptions, OwnTool } from "../../fixtures/mcp/ownServer.ts";
import { callContext, callOf, createMcpKit } from "./mcpKit.ts";

describe("an MCP hand at an address", function () {
  this.timeout(60_000);
  let kit = createMcpKit();
  const servers: (OwnServer | EverythingServer)[] = [];
  beforeEach(() => {
    kit = createMcpKit();
  });
  afterEach(async () => {
    await kit.close();
    for (const server of servers.splice(0)) await ("kill" in server ? server.kill() : server.close());
  });

  const own = async (options: OwnServerOptions): Promise<OwnServer> => {
    const server = await startOwnServer(options);
    servers.push(server);
    return server;
  };
  const everything = async (transport: "streamableHttp" | "sse", port?: number): Promise<EverythingServer> => {
    const server = await startEverything(transport, port);
    servers.push(server);
    return server;
  };

  for (const transport of ["streamableHttp", "sse"] as const) {
    it(`has the reference server's tools, resources and prompts over ${transport}`, async () => {
      const { url } = await everything(transport);
      const spec = { name: "all", kind: "mcp", options: { url } };
      assert.equal(kit.provider.knowsTools?.(spec), false);
      const hand = await kit.open(spec);
      const names = new Set(kit.provider.tools(spec).map(({ name }) => name));
      for (const name of ["echo", "get-sum", "list_resources", "read_resource", "get_prompt"]) {
        assert.ok(names.has(`mcp__all__${name}`), name);
      }
      assert.ok(kit.provider.tools(spec).every(({ permission }) => permission === "always_ask"));
      assert.match(hand.description, /^the MCP server at http:\/\/127\.0\.0\.1/);
      const run = async (name: string, input = {}): Promise<string> => {
        const result = await hand.execute(callOf(`mcp__all__${name}`, input), callContext());
        assert.deepEqual(result.outcome, { kind: "exited", code: 0 }, result.text);
        return result.text;
      };
      assert.equal(await run("echo", { message: "hello" }), "Echo: hello");
      assert.match(await run("get-sum", { a: 2, b: 40 }), /42/);
      assert.match(await run("list_resources"), /"resource_templates":\[\{/);
      const uri = "demo://resource/dynamic/text/1";
      assert.match(
        await run("read_resource", { uri }),
        /^\[resource demo:\/\/resource\/dynamic\/text\/1, text\/plain\]\n/,
      );
      assert.match(await run("get_prompt", { name: "args-prompt", arguments: { city: "Ulm" } }), /Ulm/);
      assert.ok(((await hand.ping?.()) ?? -1) >= 0);
    });
  }

  it("gives images as images, links and structured content as text, and no text twice", async () => {
    const { url } = await everything("streamableHttp");
    const hand = await kit.open({ name: "all", kind: "mcp", options: { url } });
    const image = await hand.execute(callOf("mcp__all__get-tiny-image"), callContext());
    assert.deepEqual(
      image.content?.map((block) => block.type),
      ["text", "image"],
    );
    const links = await hand.execute(callOf("mcp__all__get-resource-links", { count: 2 }), callContext());
    assert.match(links.text, /\[resource demo:\/\/resource\/dynamic\/\w+\/1: /);
    const structured = await hand.execute(
      callOf("mcp__all__get-structured-content", { location: "New York" }),
      callContext(),
    );
    assert.equal(structured.text.match(/temperature/g)?.length, 1);
  });

  it("shows progress while a call runs, and stops it when it is told to", async () => {
    const { url } = await everything("streamableHttp");
    const hand = await kit.open({ name: "all", kind: "mcp", options: { url } });
    const quick = callContext();
    const name = "mcp__all__trigger-long-running-operation";
    await hand.execute(callOf(name, { duration: 1, steps: 2 }), quick);
    assert.match(quick.printed(), /^progress: 1 of 2\nprogress: 2 of 2\nLong running operation completed/);
    const slow = callContext();
    const call = callOf(name, { duration: 60, steps: 60 });
    const running = hand.execute(call, slow);
    while (slow.printed() === "") await systemClock.sleep(20);
    await hand.signal(call.id, "TERM");
    const stopped = await running;
    assert.deepEqual(stopped.outcome, { kind: "unknown" });
    assert.match(stopped.text, /was stopped.*unknown whether/);
  });

  it("gives the first result when a call is asked for twice, and says unknown of one that it never saw", async () => {
    const server = await own({ tools: [{ name: "count" }] });
    const hand = await kit.open({ name: "own", kind: "mcp", options: { url: server.url } });
    const call = callOf("mcp__own__count", { hand: "kept" });
    const first = await hand.execute(call, callContext());
    assert.deepEqual(await hand.execute(call, callContext()), first);
    assert.deepEqual(await hand.attach(call, callContext()), { kind: "result", result: first });
    assert.equal(server.calls.length, 1);
    const attached = await hand.attach(callOf("mcp__own__count"), callContext());
    assert.equal(attached.kind === "result" && attached.result.outcome.kind, "unknown");
    assert.equal(server.calls.length, 1);
  });

  it("says what the server says is wrong, and is no failure of the hand", async () => {
    const run = async (): Promise<unknown> => ({ content: [{ type: "text", text: "no such city" }], isError: true });
    const server = await own({ tools: [{ name: "weather", run }] });
    const hand = await kit.open({ name: "own", kind: "mcp", options: { url: server.url } });
    const failures: HandFailed[] = [];
    hand.onDidFail?.((failure) => failures.push(failure));
    const result = await hand.execute(callOf("mcp__own__weather"), callContext());
    assert.deepEqual([result.text, result.is_error], ["no such city", true]);
    assert.deepEqual(failures, []);
  });

  it("leaves out tools that the API would refuse, keeps names within bounds, and says so", async () => {
    const long = "a".repeat(90);
    let deep: unknown = { type: "string" };
    for (let level = 0; level < 60; level += 1) deep = { type: "array", items: deep };
    const huge = { type: "object", properties: { x: { enum: Array.from({ length: 20_000 }, (_, at) => `v${at}`) } } };
    const server = await own({
      tools: [
        { name: "fine", annotations: { readOnlyHint: true } },
        { name: long },
        { name: `${long}b` },
        { name: "with space" },
        { name: "with_space" },
        { name: "either", inputSchema: { type: "object", anyOf: [{ required: ["a"] }] } },
        { name: "odd", inputSchema: { type: "object", properties: { "a b": {} } } },
        { name: "deep", inputSchema: { type: "object", properties: { deep } } },
        { name: "huge", inputSchema: huge },
        { name: "elsewhere", inputSchema: { type: "object", properties: { a: { $ref: "https://example.com/a" } } } },
      ],
    });
    const spec = { name: "own", kind: "mcp", options: { url: server.url } };
    const hand = await kit.open(spec);
    const tools = kit.provider.tools(spec);
    assert.equal(tools.length, 5);
    assert.equal(new Set(tools.map(({ name }) => name)).size, 5);
    for (const { name } of tools) assert.match(name, /^mcp__own__[a-zA-Z0-9_-]{1,55}$/);
    assert.deepEqual(
      tools.map(({ parallel }) => parallel),
      [true, false, false, false, false],
    );
    for (const name of ["either", "odd", "deep", "huge", "elsewhere"]) {
      assert.ok(kit.reports.join().includes(`${name} (`), name);
    }
    assert.match(hand.description, /5 tools; left out: either/);
    const result = await hand.execute(callOf(tools[2]!.name), callContext());
    assert.match(result.text, /^a{90}b /);
  });

  it("follows a list of tools that changes, and remembers it for the next session", async () => {
    const server = await own({ tools: [{ name: "one" }] });
    const spec = { name: "own", kind: "mcp", options: { url: server.url } };
    await kit.open(spec);
    const changed = new Promise<void>((resolve) => kit.provider.onDidChangeTools?.(() => resolve()));
    await server.setTools([{ name: "one" }, { name: "two" }]);
    await changed;
    const names = ["mcp__own__one", "mcp__own__two"];
    assert.deepEqual(
      kit.provider.tools(spec).map(({ name }) => name),
      names,
    );
    const later = createMcpKit({ toolsMemory: { get: (key) => kit.memory.get(key), set: () => {} } });
    assert.deepEqual(
      later.provider.tools(spec).map(({ name }) => name),
      names,
    );
    assert.equal(later.provider.knowsTools?.({ ...spec, options: { url: `${server.url}/other` } }), false);
    kit.memory.set([...kit.memory.keys()][0]!, [{ name: "bash", action: "call" }]);
    const misled = createMcpKit({ toolsMemory: { get: (key) => kit.memory.get(key), set: () => {} } });
    assert.deepEqual(misled.provider.tools(spec), []);
  });

  it("says that a server is not there, waits longer and longer before it asks again, and finds it when it is", async () => {
    let now = 0;
    kit = createMcpKit({ clock: { ...systemClock, now: () => now } });
    const port = await freePort();
    const spec = { name: "own", kind: "mcp", options: { url: `http://127.0.0.1:${port}/mcp` } };
    const refused = async (): Promise<unknown> =>
      kit.open(spec).then(
        () => null,
        (thrown: unknown) => thrown,
      );
    for (const tries of [1, 2]) {
      const thrown = await refused();
      assert.ok(thrown instanceof HandFailed, String(tries));
      assert.equal(thrown.type, "mcp_connection_failed_error");
      assert.match(thrown.message, /cannot be reached: nobody listens at that address/);
    }
    const early = await refused();
    assert.ok(hasCode(early, "hand_unavailable") && !(early instanceof HandFailed));
    assert.match(early.message, /tried again after 1 s/);
    await own({ tools: [{ name: "one" }], port });
    now += limits.mcpRetryMs;
    await kit.open(spec);
  });

  it("tells a refusal from a failure, and passes on what the credential proxy says", async () => {
    const server = await own({
      tools: [],
      gate: (request, response) => {
        response.writeHead(request.url === "/mcp" ? 401 : 403, { "content-type": "text/plain" });
        response.end("Many Hands: no grant covers this. Ask the developer.\n");
        return true;
      },
    });
    const open = (path: string): Promise<unknown> =>
      kit.open({ name: "own", kind: "mcp", options: { url: server.url.replace("/mcp", path) } });
    const type = "mcp_authentication_failed_error";
    await assert.rejects(open("/mcp"), { type, message: /HTTP status 401.*Store a credential/ });
    await assert.rejects(open("/granted"), { type, message: /was not asked: no grant covers this/ });
  });

  it("begins a new session where the server has forgotten it, runs the call once, and says so", async () => {
    const port = await freePort();
    const first = await own({ tools: [{ name: "one" }], port });
    const hand = await kit.open({ name: "own", kind: "mcp", options: { url: first.url } });
    await hand.execute(callOf("mcp__own__one"), callContext());
    await first.close();
    servers.pop();
    const second = await own({ tools: [{ name: "one" }], port });
    while (!kit.reports.join().includes("disconnected")) await systemClock.sleep(5);
    const result = await hand.execute(callOf("mcp__own__one"), callContext());
    assert.match(result.text, /begun a new session before this call.*\none \{\}/);
    assert.equal(second.calls.length, 1);
  });

  it("goes on with a server that was started anew and says in its own way that it knows no such session", async () => {
    const first = await everything("streamableHttp");
    const hand = await kit.open({ name: "all", kind: "mcp", options: { url: first.url } });
    await first.kill();
    servers.pop();
    await everything("streamableHttp", first.port);
    const result = await hand.execute(callOf("mcp__all__echo", { message: "hello" }), callContext());
    assert.match(result.text, /begun a new session before this call.*\nEcho: hello/);
  });

  it("says that it is unknown what became of a call whose connection is cut, and that one did not run that never left", async () => {
    const port = await freePort();
    const began = Promise.withResolvers<void>();
    const run = (): Promise<unknown> => {
      began.resolve();
      return new Promise(() => {});
    };
    const server = await own({ tools: [{ name: "hang", run }], port });
    const hand = await kit.open({ name: "own", kind: "mcp", options: { url: server.url } });
    const failures: string[] = [];
    hand.onDidFail?.(({ type }) => failures.push(type));
    const running = hand.execute(callOf("mcp__own__hang"), callContext());
    await began.promise;
    await server.close();
    servers.pop();
    const cut = await running;
    assert.deepEqual([cut.outcome, cut.is_error], [{ kind: "unknown" }, true]);
    assert.match(cut.text, /connection was cut.*unknown whether the call ran/);
    const later = await hand.execute(callOf("mcp__own__hang"), callContext());
    assert.deepEqual(later.outcome, { kind: "not_run" });
    assert.match(later.text, /nobody listens.*did not run/);
    assert.deepEqual(failures, ["mcp_connection_failed_error", "mcp_connection_failed_error"]);
  });

  it("does not answer what a server has no business to ask, and passes on what it logs", async () => {
    const run: OwnTool["run"] = async (_input, _left, server) => {
      await server.sendLoggingMessage({ level: "warning", data: "looking around" });
      const asked = { method: "sampling/createMessage" as const, params: { messages: [], maxTokens: 1 } };
      const said = await server.request(asked, CreateMessageResultSchema).catch((thrown: Error) => thrown.message);
      return { content: [{ type: "text", text: String(said) }] };
    };
    const server = await own({ tools: [{ name: "curious", run }] });
    const hand = await kit.open({ name: "own", kind: "mcp", options: { url: server.url } });
    const context = callContext();
    const result = await hand.execute(callOf("mcp__own__curious"), context);
    assert.match(result.text, /-32601|not found|does not support sampling/i);
    assert.match(context.printed(), /^warning: looking around\n/);
  });

  it("cuts what is too long for the model and keeps it whole", async () => {
    const long = `begin ${"x".repeat(limits.modelOutputBytesMax * 2)} end`;
    const run = async (): Promise<unknown> => ({ content: [{ type: "text", text: long }] });
    const server = await own({ tools: [{ name: "long", run }] });
    const hand = await kit.open({ name: "own", kind: "mcp", options: { url: server.url } });
    const context = callContext();
    const result = await hand.execute(callOf("mcp__own__long"), context);
    assert.equal(result.truncated, true);
    assert.ok(Buffer.byteLength(result.text) < limits.modelOutputBytesMax + 300);
    assert.match(result.text, /bytes left out here/);
    assert.equal(context.printed(), long);
  });

  it("ends its session at the server when it is ended, and not when it is let go of", async () => {
    const server = await own({ tools: [{ name: "one" }] });
    const spec = { name: "own", kind: "mcp", options: { url: server.url } };
    await (await kit.open(spec)).close();
    assert.deepEqual(server.ended, []);
    await (await kit.open(spec)).destroy();
    assert.equal(server.ended.length, 1);
  });
});
