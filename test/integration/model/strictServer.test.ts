/** The strict server as a server: its door, its scenarios, its count of the prompt cache, and itself as a process. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { JsonObject } from "../../../src/core/json.ts";
import type { ModelUsage } from "../../../src/core/events.ts";
import type { Scenario } from "../../fixtures/messages/scenario.ts";
import { startMessagesServer, TEST_KEY } from "../../fixtures/messages/strictServer.ts";
import type { MessagesServer, MessagesServerOptions } from "../../fixtures/messages/strictServer.ts";
import { askAt, requestOf } from "./askServer.ts";

async function withServer<T>(
  options: Partial<MessagesServerOptions>,
  run: (server: MessagesServer) => Promise<T>,
): Promise<T> {
  const server = await startMessagesServer({ scenario: { turns: [{}], afterwards: "repeat" }, ...options });
  try {
    return await run(server);
  } finally {
    await server.close();
  }
}

const goodHeaders = { "x-api-key": TEST_KEY, "anthropic-version": "2026-10-21", "content-type": "application/json" };

describe("the strict server's door", () => {
  const good = { ...requestOf(), stream: true };
  const cases: readonly (readonly [
    string,
    Record<string, string>,
    RequestInit & { path?: string },
    number,
    string,
    RegExp,
  ])[] = [
    ["no key", { "x-api-key": "" }, {}, 401, "authentication_error", /required/],
    ["a wrong key", { "x-api-key": "sk-other" }, {}, 401, "authentication_error", /invalid/],
    [
      "no version",
      { "anthropic-version": "" },
      {},
      400,
      "invalid_request_error",
      /anthropic-version: header is required/,
    ],
    [
      "a version that there is not",
      { "anthropic-version": "2020-01-01" },
      {},
      400,
      "invalid_request_error",
      /not a valid version/,
    ],
    ["a beta that it does not know", { "anthropic-beta": "x-1" }, {}, 400, "invalid_request_error", /anthropic-beta/],
    ["no JSON", {}, { body: "{" }, 400, "invalid_request_error", /not valid JSON/],
    ["another path", {}, { path: "/v1/v1/messages" }, 404, "not_found_error", /Not Found/],
    ["another method", {}, { method: "PUT" }, 405, "invalid_request_error", /Method/],
    [
      "a model that it does not serve",
      {},
      { body: JSON.stringify({ ...good, model: "claude-x" }) },
      404,
      "not_found_error",
      /^model: claude-x$/,
    ],
    ["no stream", {}, { body: JSON.stringify(requestOf()) }, 400, "invalid_request_error", /stream/],
  ];
  for (const [what, headers, init, status, type, says] of cases) {
    it(`refuses ${what}, in the API's form`, () =>
      withServer({}, async (server) => {
        const given = Object.fromEntries(
          Object.entries({ ...goodHeaders, ...headers }).filter(([, value]) => value !== ""),
        );
        const { path: place = "/v1/messages", ...rest } = init;
        const response = await fetch(server.url + place, {
          method: "POST",
          body: JSON.stringify(good),
          headers: given,
          ...rest,
        });
        const body = (await response.json()) as {
          type: string;
          error: { type: string; message: string };
          request_id: string;
        };
        assert.deepEqual([response.status, body.type, body.error.type], [status, "error", type]);
        assert.match(body.error.message, says);
        assert.equal(body.request_id, response.headers.get("request-id"));
        assert.equal(server.problems.length, 1);
      }));
  }

  it("does not count what a program asks that tries every port", () =>
    withServer({}, async (server) => {
      assert.equal((await fetch(`${server.url}/token/api/name/`)).status, 404);
      assert.deepEqual(server.requests, []);
    }));

  it("takes a bearer token as it takes the other header, and needs none where it is told so", async () => {
    await withServer({}, async ({ url }) => assert.equal((await askAt(url)).outcome.kind, "completed"));
    await withServer({ keys: [] }, async ({ url }) =>
      assert.equal((await askAt(url, { key: null })).outcome.kind, "completed"),
    );
  });

  it("keeps each request with its headers and body", () =>
    withServer({}, async (server) => {
      await askAt(server.url);
      const [request] = server.requests;
      assert.deepEqual(request?.body, { ...requestOf(), stream: true });
      assert.equal(request?.headers["authorization"], `Bearer ${TEST_KEY}`);
      assert.equal(request?.headers["anthropic-version"], "2026-10-21");
      assert.ok(!JSON.stringify(request).includes("held-by-the-vault"), "the placeholder stays at home");
    }));

  it("is asked in the same bytes for the same request", () =>
    withServer({}, async (server) => {
      await askAt(server.url);
      await askAt(server.url);
      assert.equal(server.requests[0]?.raw, server.requests[1]?.raw);
    }));
});

describe("the environment", () => {
  const variables = {
    ANTHROPIC_API_KEY: "sk-ant-from-the-environment",
    ANTHROPIC_AUTH_TOKEN: "token-from-the-environment",
    ANTHROPIC_BASE_URL: "http://127.0.0.1:1",
    ANTHROPIC_CUSTOM_HEADERS: "x-environment: 1\nauthorization: Bearer sk-ant-custom-header",
    ANTHROPIC_LOG: "debug",
  };
  const before = { ...process.env };

  afterEach(() => {
    for (const name of Object.keys(variables)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  });

  it("changes nothing about a request: neither key, nor address, nor headers", () =>
    withServer({}, async (server) => {
      Object.assign(process.env, variables);
      const logged: unknown[] = [];
      const { debug, info, log } = console;
      Object.assign(
        console,
        Object.fromEntries(["debug", "info", "log"].map((name) => [name, () => logged.push(name)])),
      );
      const { outcome } = await askAt(server.url);
      Object.assign(console, { debug, info, log });
      assert.equal(outcome.kind, "completed");
      assert.deepEqual(logged, [], "nor is anything written to the console");
      const sent = JSON.stringify(server.requests[0]?.headers);
      assert.ok(!/environment|custom/.test(sent), sent);
      assert.equal(server.requests[0]?.headers["authorization"], `Bearer ${TEST_KEY}`);
    }));
});

describe("a scenario", () => {
  const says = async (server: MessagesServer, words = "Hello", turns = 0): Promise<string> => {
    const talk = Array.from({ length: turns }, () => [text("user", "a"), text("assistant", "b")]).flat();
    const { outcome } = await askAt(server.url, { request: { messages: [...talk, text("user", words)] } });
    return outcome.kind === "completed" ? String((outcome.blocks[0] as JsonObject)["text"]) : JSON.stringify(outcome);
  };
  const text = (role: "user" | "assistant", words: string) => ({ role, content: [{ type: "text", text: words }] });

  it("gives its turns in order, and refuses when it has no more", () =>
    withServer({ scenario: { turns: [{ blocks: ["one"] }, { blocks: ["two"], times: 2 }] } }, async (server) => {
      assert.deepEqual([await says(server), await says(server), await says(server)], ["one", "two", "two"]);
      assert.match(await says(server), /no turn for this request/);
    }));

  it("gives a turn that matches the request before those in order", () =>
    withServer(
      { scenario: { turns: [{ blocks: ["first"] }, { match: { text: "title" }, blocks: ["A title"] }] } },
      async (server) => {
        assert.deepEqual(
          [await says(server, "a title?"), await says(server), await says(server, "title")],
          ["A title", "first", "A title"],
        );
      },
    ));

  it("finds its place by the transcript, so that a repeated request gets the same answer", () =>
    withServer(
      { scenario: { by: "transcript", turns: [{ blocks: ["zero"] }, [{ blocks: ["try 1"] }, { blocks: ["try 2"] }]] } },
      async (server) => {
        assert.deepEqual([await says(server), await says(server)], ["zero", "zero"]);
        assert.deepEqual(
          [await says(server, "x", 1), await says(server, "x", 1), await says(server, "x", 1)],
          ["try 1", "try 2", "try 2"],
        );
      },
    ));

  it("can be a function of the request", () =>
    withServer(
      { scenario: (body, index) => ({ blocks: [`${index}: ${String(body["max_tokens"])}`] }) },
      async (server) => {
        assert.deepEqual([await says(server), await says(server)], ["0: 1024", "1: 1024"]);
      },
    ));

  it("holds its answer until it is released", () =>
    withServer({ scenario: { turns: [{ blocks: ["held"], behaviour: { hold_after: 3 } }] } }, async (server) => {
      let answered = false;
      const saying = says(server).finally(() => (answered = true));
      await server.received(1);
      assert.equal(answered, false);
      server.release();
      assert.equal(await saying, "held");
    }));
});

describe("the count of the prompt cache", () => {
  const control = { cache_control: { type: "ephemeral" } };
  const block = (words: string, more: JsonObject = {}): JsonObject => ({ type: "text", text: words, ...more });
  const system = [block("You are an agent. ".repeat(20), control)];

  async function usages(...messages: { role: "user" | "assistant"; content: JsonObject[] }[][]): Promise<ModelUsage[]> {
    return withServer({}, async (server) => {
      for (const list of messages) await askAt(server.url, { request: { system, messages: list } });
      assert.deepEqual(server.problems, []);
      return server.requests.map(({ usage }) => usage!);
    });
  }

  it("writes a prefix once, and reads it when the next request begins with the same bytes", async () => {
    const first = { role: "user" as const, content: [block("Hello", control)] };
    const later = [
      { role: "user" as const, content: [block("Hello")] },
      { role: "assistant" as const, content: [block("Hi")] },
      { role: "user" as const, content: [block("Go on", control)] },
    ];
    const [one, two] = await usages([first], later);
    assert.ok(one!.cache_creation_input_tokens > 0 && one!.cache_read_input_tokens === 0);
    assert.equal(
      two!.cache_read_input_tokens,
      one!.cache_creation_input_tokens,
      "a breakpoint that moves on does not change the prefix",
    );
    assert.ok(two!.cache_creation_input_tokens > 0);
    assert.equal(two!.input_tokens, 0);
  });

  it("reads only as far as the bytes are the same", async () => {
    const [one, two] = await usages(
      [{ role: "user", content: [block("Hello, you", control)] }],
      [{ role: "user", content: [block("Hello, YOU", control)] }],
    );
    assert.ok(two!.cache_read_input_tokens > 0, "the system prompt is the same");
    assert.ok(two!.cache_read_input_tokens < one!.cache_creation_input_tokens);
  });

  it("counts everything as input where there is no breakpoint", () =>
    withServer({}, async (server) => {
      await askAt(server.url);
      await askAt(server.url);
      const usage = server.requests[1]?.usage;
      assert.deepEqual([usage?.cache_read_input_tokens, usage?.cache_creation_input_tokens], [0, 0]);
      assert.ok((usage?.input_tokens ?? 0) > 0);
    }));
});

describe("the strict server as a process", () => {
  it("serves a scenario from a file, and tells what it was asked", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "messages-"));
    const file = path.join(folder, "scenario.json");
    const scenario: Scenario = { turns: [{ blocks: ["from a file"] }] };
    await writeFile(file, JSON.stringify(scenario));
    const serve = path.resolve(import.meta.dirname, "../../fixtures/messages/serve.ts");
    const child = spawn(process.execPath, [serve, "--scenario", file, "--port", "0"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const [line] = (await once(child.stdout, "data")) as [Buffer];
      const url = line.toString().trim();
      const { outcome } = await askAt(url);
      assert.equal(outcome.kind === "completed" && (outcome.blocks[0] as JsonObject)["text"], "from a file");
      const requests = (await (await fetch(`${url}/__requests`)).json()) as { problem: unknown }[];
      assert.deepEqual(
        requests.map(({ problem }) => problem),
        [null],
      );
    } finally {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      assert.deepEqual(await exited, [0, null]);
      await rm(folder, { recursive: true });
    }
  });
});
