/** What keeps a request from its way, by the codes of Node and of Chromium's network stack. */
import assert from "node:assert/strict";
import type { ErrorContext } from "../../../../src/brain/model/connectionErrors.ts";
import { errorOfThrown } from "../../../../src/brain/model/modelErrors.ts";
import { ManyHandsError } from "../../../../src/core/errors.ts";
import { parseModelEndpoint } from "../../../../src/core/modelEndpoint.ts";

function contextOf(baseUrl: string): ErrorContext {
  const parsed = parseModelEndpoint(baseUrl);
  assert.ok(parsed.ok);
  return { endpoint: parsed.endpoint, model: "m", redact: (text) => text, now: () => 0 };
}

function failedWith(code: string): Error {
  return new TypeError("fetch failed", { cause: Object.assign(new Error("no"), { code }) });
}

describe("a connection that fails", () => {
  const own = contextOf("http://models.example:8080/api");
  const cases: readonly (readonly [string, boolean, RegExp])[] = [
    ["ENOTFOUND", true, /name models\.example:8080 cannot be found.*manyHands\.model\.baseUrl/],
    ["EAI_AGAIN", true, /cannot be found/],
    ["ECONNREFUSED", true, /Nothing answers.*manyHands\.model\.baseUrl/],
    ["ECONNRESET", true, /was lost.*network/],
    ["UND_ERR_SOCKET", true, /was lost/],
    ["ENETUNREACH", true, /was lost/],
    ["UND_ERR_CONNECT_TIMEOUT", true, /did not answer in time/],
    ["ETIMEDOUT", true, /did not answer in time/],
    ["ERR_SSL_WRONG_VERSION_NUMBER", false, /does not speak TLS/],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", false, /certificate.*NODE_EXTRA_CA_CERTS/],
    ["SELF_SIGNED_CERT_IN_CHAIN", false, /certificate/],
    ["CERT_HAS_EXPIRED", false, /certificate.*clock/],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", false, /certificate/],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", false, /certificate/],
    ["ERR_TLS_CERT_ALTNAME_INVALID", false, /certificate/],
    ["HPE_INVALID_CONSTANT", false, /web server/],
  ];
  for (const [code, retryable, says] of cases) {
    it(`is named, and may be tried again if that can help: ${code}`, () => {
      const error = errorOfThrown(failedWith(code), own);
      assert.match(error.message, says);
      assert.deepEqual([error.retryable, error.origin], [retryable, "network"]);
    });
  }

  it("is known by the words of Chromium's network stack too", () => {
    const error = (code: string): string => errorOfThrown(new Error(`net::${code}`), own).message;
    assert.match(error("ERR_NAME_NOT_RESOLVED"), /cannot be found/);
    assert.match(error("ERR_CERT_AUTHORITY_INVALID"), /certificate/);
    assert.match(error("ERR_CONNECTION_REFUSED"), /Nothing answers/);
    assert.match(error("ERR_PROXY_CONNECTION_FAILED"), /proxy/);
    assert.match(error("ERR_INTERNET_DISCONNECTED"), /cannot be found/);
  });

  it("is known when each of several addresses failed", () => {
    const parts = ["::1", "127.0.0.1"].map((to) => Object.assign(new Error(to), { code: "ECONNREFUSED" }));
    const thrown = new TypeError("fetch failed", { cause: new AggregateError(parts) });
    assert.match(errorOfThrown(thrown, own).message, /Nothing answers/);
  });

  it("does not blame a setting for Anthropic's own address", () => {
    const { message } = errorOfThrown(failedWith("ENOTFOUND"), contextOf(""));
    assert.equal(message, "The name api.anthropic.com cannot be found. Check the network.");
  });

  it("is the vault's where the vault refused", () => {
    const missing = new ManyHandsError("key_missing", "vault", "No key is set.");
    const error = errorOfThrown(new Error("Connection error.", { cause: missing }), own);
    assert.deepEqual([error.message, error.origin, error.retryable], ["No key is set.", "vault", false]);
  });

  it("names no more of the address than its origin", () => {
    const { message } = errorOfThrown(failedWith("ECONNREFUSED"), contextOf("http://127.0.0.1:9/secret-token"));
    assert.ok(!message.includes("secret-token"), message);
  });
});

describe("the setting of the address", () => {
  it("is taken with the endings that people paste", () => {
    for (const text of [
      "https://h.example/a",
      " https://h.example/a/ ",
      "https://h.example/a/v1",
      "https://h.example/a/v1/messages/",
    ]) {
      assert.equal(contextOf(text).endpoint.baseUrl, "https://h.example/a", text);
    }
    assert.deepEqual(contextOf("").endpoint, {
      baseUrl: "https://api.anthropic.com",
      origin: "https://api.anthropic.com",
      isDefault: true,
    });
    assert.equal(contextOf("https://api.anthropic.com/v1").endpoint.baseUrl, "https://api.anthropic.com");
  });

  it("is refused with a reason that names it", () => {
    for (const text of [
      "localhost:8080",
      "nonsense",
      "ftp://h/",
      "http://",
      "https://me:key@h/",
      "https://h/?key=1",
      "https://h/#x",
    ]) {
      const parsed = parseModelEndpoint(text);
      assert.ok(!parsed.ok, text);
      assert.match(parsed.message, /manyHands\.model\.baseUrl/);
      assert.ok(!parsed.message.includes("key@"), "no part of it is quoted");
    }
  });
});
