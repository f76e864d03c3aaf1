/** The adapter against the strict server and against what is no API: each failure says what to do, and whether another try helps. */
import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import type { ModelError, ModelOutcome } from "../../../src/core/model.ts";
import type { Turn } from "../../fixtures/messages/scenario.ts";
import { startMessagesServer, TEST_KEY } from "../../fixtures/messages/strictServer.ts";
import { askAt, askOnce } from "./askServer.ts";

function failed(outcome: ModelOutcome): ModelError {
  assert.equal(outcome.kind, "failed", JSON.stringify(outcome));
  return outcome.error;
}

interface Expected extends Partial<Omit<ModelError, "message">> {
  readonly says: RegExp;
}

function assertError(error: ModelError, { says, ...expected }: Expected): void {
  assert.match(error.message, says);
  const found = Object.fromEntries(Object.keys(expected).map((name) => [name, error[name as keyof ModelError]]));
  assert.deepEqual(found, expected);
}

function refusal(status: number, type: string, message: string, headers: Record<string, string> = {}): Turn {
  return { error: { status, type, message, headers } };
}

const retryable = { type: "model_request_failed_error", retryable: true } as const;
const final = { type: "model_request_failed_error", retryable: false } as const;

describe("what the API refuses", () => {
  const cases: readonly (readonly [string, Turn, Expected])[] = [
    [
      "a key that is wrong",
      refusal(401, "authentication_error", "invalid x-api-key"),
      { ...final, says: /Many Hands: Set API Key/ },
    ],
    [
      "a key without permission",
      refusal(403, "permission_error", "no access"),
      { ...final, says: /\(no access\).*Set API Key/ },
    ],
    [
      "a model that it does not know",
      refusal(404, "not_found_error", "model: claude-sonnet-5-5"),
      { ...final, says: /"claude-sonnet-5-5".*manyHands\.model\.id/ },
    ],
    [
      "fields that it does not know",
      refusal(400, "invalid_request_error", "foo: Extra inputs are not permitted"),
      { ...final, says: /foo: Extra inputs/ },
    ],
    [
      "a prompt that is too long",
      refusal(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
      { ...final, context_exceeded: true, says: /210000 tokens/ },
    ],
    [
      "a request that is too large",
      refusal(413, "request_too_large", "Request exceeds the maximum size"),
      { ...final, context_exceeded: true, says: /larger/ },
    ],
    [
      "an account without credit",
      refusal(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
      { type: "billing_error", retryable: false, says: /billing/ },
    ],
    [
      "an account that cannot pay",
      refusal(402, "billing_error", "Payment failed"),
      { type: "billing_error", retryable: false, says: /Payment failed/ },
    ],
    [
      "a spending limit",
      {
        error: {
          status: 429,
          type: "rate_limit_error",
          message: "Limit",
          details: { error_code: "enforced_spend_limit_reached" },
        },
      },
      { type: "billing_error", retryable: false, says: /Limit/ },
    ],
    [
      "too many requests",
      refusal(429, "rate_limit_error", "Slow down", { "retry-after": "7" }),
      { type: "model_rate_limited_error", retryable: true, retry_after_ms: 7_000, says: /Slow down/ },
    ],
    [
      "too many requests until a date",
      refusal(429, "rate_limit_error", "Slow down", { "retry-after": "Sat, 21 Nov 2026 10:00:30 GMT" }),
      { type: "model_rate_limited_error", retryable: true, retry_after_ms: 30_000, says: /Slow down/ },
    ],
    [
      "too many requests until a date that is past",
      refusal(429, "rate_limit_error", "Slow down", { "retry-after": "Sat, 21 Nov 2026 09:00:00 GMT" }),
      { retryable: true, retry_after_ms: 0, says: /Slow down/ },
    ],
    [
      "a delay in milliseconds",
      refusal(529, "overloaded_error", "Overloaded", { "retry-after-ms": "250", "retry-after": "9" }),
      { type: "model_overloaded_error", retryable: true, retry_after_ms: 250, says: /overloaded/ },
    ],
    [
      "an error inside of the API",
      refusal(500, "api_error", "Internal server error"),
      { ...retryable, says: /500.*Internal server error/ },
    ],
    ["a time-out of the API", refusal(504, "timeout_error", "Timed out"), { ...retryable, says: /504/ }],
    ["a conflict", refusal(409, "conflict_error", "Busy"), { ...retryable, says: /Busy/ }],
    [
      "an error that it says not to repeat",
      refusal(500, "api_error", "Broken", { "x-should-retry": "false" }),
      { ...final, says: /Broken/ },
    ],
  ];
  for (const [what, turn, expected] of cases) {
    it(`is told: ${what}`, async () => {
      const now = (): number => Date.parse("2026-11-21T10:00:00Z");
      assertError(failed((await askOnce(turn, { now })).outcome), expected);
    });
  }

  it("is asked once only: another try is not the adapter's business", async () => {
    const server = await startMessagesServer({
      scenario: { turns: [refusal(529, "overloaded_error", "Overloaded")], afterwards: "repeat" },
    });
    failed((await askAt(server.url)).outcome);
    await server.close();
    assert.equal(server.requests.length, 1);
  });

  it("is refused by the strict server itself: a wrong key, an unknown model, a full window", async () => {
    const wrong = await askOnce({}, { key: "sk-ant-wrong-0123456789" });
    assertError(failed(wrong.outcome), { ...final, says: /Set API Key/ });
    const unknown = await askOnce({}, { request: { model: "claude-nobody-1" } });
    assertError(failed(unknown.outcome), { ...final, says: /"claude-nobody-1".*manyHands\.model\.id/ });
    const full = await askOnce({}, { server: { contextWindow: 10 } });
    assertError(failed(full.outcome), { ...final, context_exceeded: true, says: /> 10 maximum/ });
  });

  it("never shows the key, even if the server repeats it", async () => {
    const encoded = Buffer.from(`Bearer ${TEST_KEY}`).toString("base64");
    const { outcome } = await askOnce(refusal(401, "authentication_error", `Incorrect key ${TEST_KEY} (${encoded})`));
    const { message } = failed(outcome);
    assert.ok(!message.includes(TEST_KEY) && !message.includes(encoded), message);
    assert.match(message, /Incorrect key \[redacted: credential\]/);
  });
});

describe("a stream that breaks", () => {
  const network = { ...retryable, origin: "network" } as const;
  const cases: readonly (readonly [string, Turn, Expected])[] = [
    [
      "cut after its first frame",
      { blocks: ["Hello"], behaviour: { cut_after: 1 } },
      { ...network, says: /broke off/ },
    ],
    [
      "cut in the middle of a block",
      { blocks: ["Hello, world, again"], behaviour: { cut_after: 4 } },
      { ...network, says: /broke off/ },
    ],
    ["cut before message_stop", { blocks: ["Hello"], behaviour: { cut_after: 6 } }, { ...network, says: /broke off/ }],
    ["cut before its first frame", { behaviour: { cut_after: 0 } }, { ...network, says: /connection/i }],
    [
      "ended as if it were whole",
      { blocks: ["Hello, world, again"], behaviour: { end_after: 4 } },
      { ...network, says: /broke off/ },
    ],
    [
      "overloaded in mid-stream",
      { blocks: ["Hello"], behaviour: { error_after: { frames: 4, type: "overloaded_error", message: "Overloaded" } } },
      { type: "model_overloaded_error", retryable: true, says: /overloaded/ },
    ],
    [
      "an error of the API in mid-stream",
      { blocks: ["Hello"], behaviour: { error_after: { frames: 2, type: "api_error", message: "Internal" } } },
      { ...retryable, says: /Internal/ },
    ],
    [
      "a limit in mid-stream",
      { blocks: ["Hello"], behaviour: { error_after: { frames: 2, type: "rate_limit_error", message: "Slow" } } },
      { type: "model_rate_limited_error", retryable: true, says: /Slow/ },
    ],
    [
      "an invalid request in mid-stream",
      { blocks: ["Hello"], behaviour: { error_after: { frames: 1, type: "invalid_request_error", message: "No" } } },
      { ...final, says: /\(No\)/ },
    ],
  ];
  for (const [what, turn, expected] of cases) {
    it(`is a failure: ${what}`, async () => {
      assertError(failed((await askOnce(turn)).outcome), expected);
    });
  }

  it("has stalled when no byte comes for the limit, and the connection is given up", async () => {
    const { outcome, server } = await askOnce({ blocks: ["Hello"], behaviour: { stall_after: 3 } }, { stallMs: 100 });
    assertError(failed(outcome), { ...network, says: /has sent nothing for/ });
    assert.equal(server.requests[0]?.finished, false);
  });

  it("has stalled when not even headers come for the limit of the first byte", async () => {
    const { outcome } = await askOnce({ behaviour: { hold_before: true } }, { firstByteMs: 100, stallMs: 60_000 });
    assertError(failed(outcome), { ...network, says: /has sent nothing for/ });
  });

  it("is garbled when a frame is no JSON", async () => {
    const body = 'event: message_start\ndata: {"type":"message_start","message":{}}\n\nevent: x\ndata: {oops\n\n';
    const { outcome } = await askOnce({ raw: { status: 200, headers: { "content-type": "text/event-stream" }, body } });
    assertError(failed(outcome), { ...retryable, says: /garbled/ });
  });
});

describe("an address that is no Messages API", () => {
  const html = { "content-type": "text/html" };
  const json = { "content-type": "application/json" };
  const raw = (status: number, headers: Record<string, string>, body: string): Turn => ({
    raw: { status, headers, body },
  });
  const cases: readonly (readonly [string, Turn, Expected])[] = [
    [
      "a web page",
      raw(200, html, "<!doctype html><title>Hi</title>"),
      { ...final, says: /text\/html.*manyHands\.model\.baseUrl/ },
    ],
    [
      "a page that is not found",
      raw(404, html, "<h1>Not found</h1>"),
      { ...final, says: /404.*manyHands\.model\.baseUrl/ },
    ],
    [
      "JSON of another kind",
      raw(200, json, '{"hello":"world"}'),
      { ...final, says: /application\/json.*manyHands\.model\.baseUrl/ },
    ],
    [
      "an error in a success",
      raw(200, json, '{"error":{"type":"overloaded_error","message":"Busy"}}'),
      { type: "model_overloaded_error", says: /Busy/ },
    ],
    [
      "a path that the API does not have",
      refusal(404, "not_found_error", "Not Found"),
      { ...final, says: /manyHands\.model\.baseUrl, and .*manyHands\.model\.id/ },
    ],
    [
      "JSON without the API's error",
      raw(404, json, '{"detail":"Not Found"}'),
      { ...final, says: /\(Not Found\).*manyHands\.model\.baseUrl/ },
    ],
    [
      "a stream of another kind",
      raw(200, { "content-type": "text/event-stream" }, 'data: {"choices":[]}\n\ndata: [DONE]\n\n'),
      { ...final, says: /manyHands\.model\.baseUrl/ },
    ],
    [
      "a redirect elsewhere",
      raw(302, { location: "https://login.example.com/?from=x" }, ""),
      { ...final, says: /redirects to https:\/\/login\.example\.com\. .*manyHands\.model\.baseUrl/ },
    ],
    ["a gateway that is down", raw(502, html, "<h1>Bad gateway</h1>"), { ...retryable, says: /502/ }],
    [
      "a gateway that is full",
      raw(503, html, "<h1>Later</h1>"),
      { type: "model_overloaded_error", retryable: true, says: /503/ },
    ],
    ["a page that wants a login", raw(401, html, "<h1>Login</h1>"), { ...final, says: /Set API Key/ }],
    [
      "a local server's own error",
      raw(
        400,
        json,
        '{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}',
      ),
      { ...final, context_exceeded: true, says: /longer than the model can hold/ },
    ],
    ["an error as plain text", raw(400, json, '{"error":"model not loaded"}'), { ...final, says: /model not loaded/ }],
  ];
  for (const [what, turn, expected] of cases) {
    it(`is told: ${what}`, async () => {
      const { outcome, server } = await askOnce(turn);
      const error = failed(outcome);
      assertError(error, expected);
      assert.ok(!error.message.includes("<"), "no markup in the message");
      assert.equal(server.requests.length, 1, "redirects are not followed");
    });
  }

  it("is told: nothing listens there", async () => {
    const server = await startMessagesServer({ scenario: { turns: [] } });
    await server.close();
    const error = failed((await askAt(server.url)).outcome);
    assertError(error, {
      ...retryable,
      origin: "network",
      says: /Nothing answers at 127\.0\.0\.1:\d+\..*manyHands\.model\.baseUrl/,
    });
  });

  it("is told: https where there is only http", async () => {
    const server = await startMessagesServer({ scenario: { turns: [] } });
    const error = failed((await askAt(server.url.replace("http:", "https:"))).outcome);
    await server.close();
    assertError(error, { ...final, origin: "network", says: /does not speak TLS/ });
  });

  it("is told: a server that does not speak HTTP", async () => {
    const server = createTcpServer((socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"));
    const error = failed((await askAt(await listen(server))).outcome);
    server.close();
    assertError(error, { ...final, origin: "network", says: /does not answer as a web server/ });
  });

  it("is told: a setting that is no address, without asking anybody", async () => {
    const { createAnthropicModel } = await import("../../../src/brain/model/anthropicModel.ts");
    const fetch = (): never => assert.fail("nothing is asked");
    const port = createAnthropicModel({ fetch, baseUrl: "localhost:8080/v1" });
    const outcome = await port.ask({} as never, new AbortController().signal, () => {});
    assertError(failed(outcome), { ...final, says: /manyHands\.model\.baseUrl must begin with http/ });
  });

  it("is not led elsewhere: the target of a redirect never sees the key", async () => {
    const seen: unknown[] = [];
    const target = createHttpServer((request, response) => {
      seen.push(request.headers);
      response.end();
    });
    const location = `${await listen(target)}/v1/messages`;
    const { outcome } = await askOnce(raw(307, { location }, ""));
    target.close();
    assertError(failed(outcome), { ...final, says: /redirects to/ });
    assert.deepEqual(seen, []);
  });
});

function listen(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
}
