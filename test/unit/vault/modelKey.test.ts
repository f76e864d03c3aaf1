/** The model's key: stored, bound to one address, sent there and nowhere else, never shown. */
import assert from "node:assert/strict";
import { hasCode } from "../../../src/core/errors.ts";
import { Emitter } from "../../../src/core/listen.ts";
import type { SecretStore } from "../../../src/core/vault.ts";
import { createModelKeys, keyInEnvironment, parseModelKey } from "../../../src/vault/modelKey.ts";
import type { ModelKeys } from "../../../src/vault/modelKey.ts";
import { createRedactor } from "../../../src/vault/redactor.ts";
import type { Redactor } from "../../../src/vault/redactor.ts";

const KEY = "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz";
const LOCAL = "http://127.0.0.1:8080/models";

interface Sent {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly init: RequestInit;
}

class Fixture {
  readonly values = new Map<string, string>();
  readonly changed = new Emitter<string>();
  readonly sent: Sent[] = [];
  readonly redactor: Redactor = createRedactor();
  reads = 0;
  locked = false;
  readonly keys: ModelKeys;

  constructor() {
    const guard = (): void => {
      if (this.locked) throw new Error("the keyring is locked");
    };
    const secrets: SecretStore = {
      get: async (name) => {
        guard();
        this.reads += 1;
        return this.values.get(name);
      },
      store: async (name, value) => {
        guard();
        this.values.set(name, value);
      },
      delete: async (name) => void this.values.delete(name),
      keys: async () => [...this.values.keys()],
      onDidChange: this.changed.listen,
    };
    this.keys = createModelKeys({ secrets, redactor: this.redactor });
  }

  /** What goes out when the SDK asks with a placeholder. */
  async send(baseUrl: string, path = "/v1/messages", headers: Record<string, string> = {}): Promise<Sent | undefined> {
    const send = (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
      const sent = Object.fromEntries(new Headers(init?.headers));
      this.sent.push({ url: String(url), headers: sent, init: init ?? {} });
      return Promise.resolve(new Response("ok"));
    };
    const given = { authorization: "Bearer held-by-the-vault", "content-type": "application/json", ...headers };
    const url = path.startsWith("http") ? path : (baseUrl === "" ? "https://api.anthropic.com" : baseUrl) + path;
    await this.keys.fetchFor(baseUrl, send)(url, { method: "POST", body: "{}", headers: given });
    return this.sent.at(-1);
  }
}

describe("the model's key", () => {
  it("goes to Anthropic's API as a bearer token, in place of the placeholder", async () => {
    const fixture = new Fixture();
    await fixture.keys.set("", KEY);
    const sent = await fixture.send("");
    assert.equal(sent?.headers["authorization"], `Bearer ${KEY}`);
    assert.equal(sent?.headers["x-api-key"], undefined);
    assert.deepEqual([sent?.init.method, sent?.init.body, sent?.init.redirect], ["POST", "{}", "manual"]);
  });

  it("goes to gateways and local servers in both headers that they read", async () => {
    const fixture = new Fixture();
    await fixture.keys.set(LOCAL, KEY);
    const sent = await fixture.send(LOCAL);
    assert.deepEqual([sent?.headers["authorization"], sent?.headers["x-api-key"]], [`Bearer ${KEY}`, KEY]);
  });

  it("is not sent to an address that it was not set for, when the setting is changed", async () => {
    const fixture = new Fixture();
    await fixture.keys.set("", KEY);
    const sent = await fixture.send(LOCAL);
    assert.ok(sent !== undefined && !JSON.stringify(sent.headers).includes(KEY));
    assert.equal(sent.headers["authorization"], undefined, "nor is the placeholder");
  });

  it("is not sent, and nothing is, when the request is for another origin", async () => {
    const fixture = new Fixture();
    await fixture.keys.set("", KEY);
    for (const url of [
      "https://api.anthropic.com.evil.example/v1",
      "http://api.anthropic.com/v1",
      "https://api.anthropic.com:8443/v1",
    ]) {
      await assert.rejects(fixture.send("", url), (thrown) => hasCode(thrown, "not_trusted"));
    }
    assert.deepEqual(fixture.sent, []);
  });

  it("is missed before anything is sent to Anthropic's API, while other addresses may need none", async () => {
    const fixture = new Fixture();
    await assert.rejects(
      fixture.send(""),
      (thrown) => hasCode(thrown, "key_missing") && /Set API Key/.test(thrown.message),
    );
    assert.deepEqual(fixture.sent, []);
    assert.deepEqual([await fixture.keys.isMissing(""), await fixture.keys.isMissing(LOCAL)], [true, false]);
    assert.equal((await fixture.send(LOCAL))?.url, `${LOCAL}/v1/messages`);
  });

  it("takes no headers along that the environment slips in", async () => {
    const fixture = new Fixture();
    await fixture.keys.set("", KEY);
    const sent = await fixture.send("", "/v1/messages", {
      "x-custom": "1",
      cookie: "a=b",
      "x-api-key": "old",
      "anthropic-version": "2026-10-21",
    });
    assert.deepEqual(Object.keys(sent?.headers ?? {}).toSorted(), [
      "anthropic-version",
      "authorization",
      "content-type",
    ]);
  });

  it("is read once, and anew when it changes in any window", async () => {
    const fixture = new Fixture();
    await fixture.keys.set("", KEY);
    await fixture.send("");
    await fixture.send("");
    assert.equal(fixture.reads, 1);
    for (const [name] of fixture.values) {
      fixture.values.set(name, "sk-ant-api03-anotherwindow");
      fixture.changed.fire(name);
    }
    assert.equal((await fixture.send(""))?.headers["authorization"], "Bearer sk-ant-api03-anotherwindow");
    await fixture.keys.clear("");
    assert.equal(await fixture.keys.isSet(""), false);
  });

  it("says that the secret storage cannot be reached, and works when it can again", async () => {
    const fixture = new Fixture();
    await fixture.keys.set("", KEY);
    fixture.locked = true;
    await assert.rejects(
      fixture.send(""),
      (thrown) => hasCode(thrown, "secrets_unavailable") && /keyring/.test(thrown.message),
    );
    fixture.locked = false;
    assert.ok((await fixture.send("")) !== undefined);
  });

  it("is taken as it is pasted, and refused without being quoted", async () => {
    for (const text of [
      KEY,
      `  ${KEY}\n`,
      `"${KEY}"`,
      `Bearer ${KEY}`,
      `export ANTHROPIC_API_KEY=${KEY}`,
      `ANTHROPIC_API_KEY='${KEY}'`,
    ]) {
      assert.deepEqual(parseModelKey(text), { ok: true, key: KEY }, text);
    }
    const fixture = new Fixture();
    for (const text of ["", "  ", "two words", "sk-ant-ü", `${KEY}\u0000`, "x".repeat(5_000)]) {
      await assert.rejects(fixture.keys.set("", text), (thrown) => {
        assert.ok(hasCode(thrown, "key_invalid"));
        assert.ok(text.trim() === "" || !thrown.message.includes(text));
        return true;
      });
    }
    assert.equal(fixture.values.size, 0);
  });

  it("is found in the environment, to be offered", () => {
    assert.deepEqual(keyInEnvironment({ ANTHROPIC_API_KEY: KEY }), { variable: "ANTHROPIC_API_KEY", key: KEY });
    assert.equal(keyInEnvironment({ ANTHROPIC_API_KEY: " " }), undefined);
    assert.equal(keyInEnvironment({}), undefined);
  });

  it("is taken out of texts from the moment that it passes through", async () => {
    const fixture = new Fixture();
    assert.match(fixture.redactor.redact(KEY), /sk-ant/);
    await fixture.keys.set("", KEY);
    assert.equal(fixture.redactor.redact(`key ${KEY}!`), "key [redacted: credential]!");
    await fixture.keys.clear("");
    assert.equal(fixture.redactor.redact(KEY), "[redacted: credential]", "also after it was removed");
  });
});

describe("the redactor", () => {
  const value = 'p/w "ü"+%&\\key';

  it("finds a value raw, URL-encoded and JSON-escaped, once and twice", () => {
    const redactor = createRedactor();
    redactor.add(value);
    const json = JSON.stringify({ value });
    for (const text of [value, encodeURIComponent(value), json, JSON.stringify({ json })]) {
      const clean = redactor.redact(`a ${text} b`);
      assert.ok(clean.includes("[redacted: credential]") && !clean.includes("key"), clean);
    }
  });

  it("finds a value in base64 wherever it stands in what was encoded", () => {
    const redactor = createRedactor();
    redactor.add(KEY);
    for (const before of ["", "a", "ab", "abc", "user:"]) {
      for (const after of ["", "x", "xy", "\n"]) {
        for (const encoding of ["base64", "base64url"] as const) {
          const text = Buffer.from(before + KEY + after).toString(encoding);
          const clean = redactor.redact(text);
          assert.ok(clean.includes("[redacted: credential]"), `${before}|${after}`);
          const rest = clean.replace("[redacted: credential]", "");
          assert.ok(rest.length <= Math.ceil(((before.length + after.length + 4) * 8) / 6) + 4, clean);
        }
      }
    }
  });

  it("leaves texts alone that hold nothing secret, and does not take short values", () => {
    const redactor = createRedactor();
    redactor.add("abc");
    redactor.add(KEY);
    assert.equal(redactor.redact("abc sk-ant-api03"), "abc sk-ant-api03");
  });
});
