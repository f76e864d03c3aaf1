/** Signing in to MCP servers: a real provider of others, and servers that lie. */
import assert from "node:assert/strict";
import { Emitter } from "../../../src/core/listen.ts";
import { loopbackRedirect } from "../../../src/vault/oauth/loopbackRedirect.ts";
import { createOauth } from "../../../src/vault/oauth/oauth.ts";
import type { Oauth, OauthPorts } from "../../../src/vault/oauth/oauth.ts";
import { startOauthWorld } from "../../fixtures/oauth/provider.ts";
import type { OauthWorld, OauthWorldOptions } from "../../fixtures/oauth/provider.ts";
import { createMcpKit } from "../mcp/mcpKit.ts";

const ID = "vcrd_mcp";

describe("signing in to an MCP server", function () {
  this.timeout(60_000);
  let world: OauthWorld;
  let now = 0;
  const values = new Map<string, string>();
  let seen: string[] = [];
  let reports: string[] = [];
  const made: Oauth[] = [];

  beforeEach(() => {
    now = Date.now();
    values.clear();
    seen = [];
    reports = [];
  });
  afterEach(async () => {
    for (const oauth of made.splice(0)) oauth.dispose();
    await world?.close();
  });

  const open = async (options: OauthWorldOptions = {}): Promise<void> => {
    world = await startOauthWorld(options);
  };
  const changed = new Emitter<string>();
  const client = (change: Partial<OauthPorts> = {}): Oauth => {
    const oauth = createOauth({
      secrets: {
        get: async (name) => values.get(name),
        store: async (name, value) => {
          values.set(name, value);
          changed.fire(name);
        },
        delete: async (name) => {
          values.delete(name);
          changed.fire(name);
        },
        keys: async () => [...values.keys()],
        onDidChange: changed.listen,
      },
      clock: { now: () => now },
      fetch: (input, init) => fetch(input, init),
      openBrowser: (url) => world.browse(url),
      redirects: [loopbackRedirect],
      onSecret: (value) => void seen.push(value),
      report: (what) => void reports.push(what),
      ...change,
    });
    made.push(oauth);
    return oauth;
  };
  const tokenRequests = (): number => world.requests.filter((request) => request === "POST /token").length;

  it("discovers the provider, registers a client, and gives a token that the server takes", async () => {
    await open();
    const oauth = client();
    await oauth.authorise(world.server.url, { credentialId: ID });
    const { value, expires_at } = await oauth.accessToken(ID);
    assert.ok(expires_at !== null && expires_at > now);
    const send: typeof fetch = (input, init) => {
      const headers = new Headers(init?.headers);
      headers.set("authorization", `Bearer ${value}`);
      return fetch(input, { ...init, headers });
    };
    const kit = createMcpKit({ fetchFor: () => send });
    const spec = { name: "own", kind: "mcp", options: { url: world.server.url } };
    await kit.open(spec);
    await kit.close();
    await assert.rejects(createMcpKit().open(spec), { type: "mcp_authentication_failed_error" });
    assert.deepEqual([...values.keys()], [`manyHands.oauth:${ID}`]);
    assert.ok(seen.includes(value), "each secret is told, to be taken out of texts");
    const kept = JSON.parse(values.get(`manyHands.oauth:${ID}`)!) as { tokens: { refresh_token: string } };
    assert.ok(seen.includes(kept.tokens.refresh_token));
  });

  it("renews a token once for all who ask, and in the other window too", async () => {
    await open({ lifetime: 300 });
    const first = client();
    const second = client();
    await first.authorise(world.server.url, { credentialId: ID });
    const before = await first.accessToken(ID);
    await second.accessToken(ID);
    assert.equal(tokenRequests(), 1);
    now += 280_000;
    const asked = await Promise.all([1, 2, 3].map(() => first.accessToken(ID)));
    assert.equal(tokenRequests(), 2);
    assert.equal(new Set(asked.map(({ value }) => value)).size, 1);
    assert.notEqual(asked[0]?.value, before.value);
    assert.deepEqual(await second.accessToken(ID), asked[0]);
    assert.equal(tokenRequests(), 2);
    const again = await first.refresh(ID);
    assert.notEqual(again.value, asked[0]?.value);
    assert.equal(tokenRequests(), 3);
  });

  it("uses what another window has renewed a moment before", async () => {
    await open();
    const first = client();
    await first.authorise(world.server.url, { credentialId: ID });
    // This one hears of nothing that others change.
    const deaf = client({
      secrets: {
        get: async (name) => values.get(name),
        store: async (name, value) => void values.set(name, value),
        delete: async (name) => void values.delete(name),
        keys: async () => [...values.keys()],
        onDidChange: new Emitter<string>().listen,
      },
    });
    await deaf.accessToken(ID);
    const renewed = await first.refresh(ID);
    assert.deepEqual(await deaf.refresh(ID), renewed);
    assert.equal(tokenRequests(), 2);
  });

  it("asks for a new sign-in when the provider gives no other token, and uses its client again", async () => {
    await open();
    const oauth = client();
    await oauth.authorise(world.server.url, { credentialId: ID });
    const name = `manyHands.oauth:${ID}`;
    const kept = JSON.parse(values.get(name)!) as { tokens: { refresh_token: string }; client: { client_id: string } };
    kept.tokens.refresh_token = "not-one-of-theirs";
    values.set(name, JSON.stringify(kept));
    changed.fire(name);
    await assert.rejects(oauth.refresh(ID), {
      code: "key_missing",
      message: /signed in to 127\.0\.0\.1:\d+: sign in again/,
    });
    await assert.rejects(oauth.accessToken(ID), { code: "key_missing" });
    await oauth.authorise(world.server.url, { credentialId: ID });
    await oauth.accessToken(ID);
    const clients = world.requests.filter((request) => request === "POST /reg").length;
    const after = JSON.parse(values.get(name)!) as { client: { client_id: string } };
    assert.deepEqual([clients, after.client.client_id], [1, kept.client.client_id]);
  });

  it("has the tokens revoked when they are forgotten, and forgets them even where nobody answers", async () => {
    await open();
    const oauth = client();
    await oauth.authorise(world.server.url, { credentialId: ID });
    const { value } = await oauth.accessToken(ID);
    assert.equal(await world.knows(value), true);
    await oauth.forget(ID);
    assert.equal(await world.knows(value), false);
    assert.equal(values.size, 0);
    await assert.rejects(oauth.accessToken(ID), { code: "key_missing" });
    await oauth.authorise(world.server.url, { credentialId: ID });
    const cut = client({ fetch: () => Promise.reject(new TypeError("fetch failed")) });
    await cut.forget(ID);
    assert.equal(values.size, 0);
    assert.match(reports.join(), /could not be revoked/);
  });

  it("says that it was denied, not opened, given up", async () => {
    await open();
    const closed = client({ openBrowser: () => Promise.resolve(false) });
    await assert.rejects(closed.authorise(world.server.url, { credentialId: ID }), {
      code: "cancelled",
      message: /not opened/,
    });
    const giveUp = new AbortController();
    const waiting = client({
      openBrowser: async () => {
        setTimeout(() => giveUp.abort(), 20);
        return true;
      },
    });
    const signal = giveUp.signal;
    await assert.rejects(waiting.authorise(world.server.url, { credentialId: ID, signal }), { code: "cancelled" });
    world.deny();
    await assert.rejects(client().authorise(world.server.url, { credentialId: ID }), {
      code: "cancelled",
      message: /denied/,
    });
    assert.equal(values.size, 0);
  });

  it("takes no answer for another state, and none of another issuer", async () => {
    await open();
    const tampered = (change: (found: URLSearchParams) => void): Partial<OauthPorts> => ({
      redirects: [
        {
          open: async (before) => {
            const opened = await loopbackRedirect.open(before);
            const wait: typeof opened.wait = async (state, signal) => {
              const found = await opened.wait(state, signal);
              change(found);
              return found;
            };
            return { ...opened, wait };
          },
        },
      ],
    });
    const tries: readonly [(found: URLSearchParams) => void, string][] = [
      [(found) => found.set("state", "theirs"), "sign_in_failed"],
      [(found) => found.set("iss", "https://evil.example.com"), "not_trusted"],
      [(found) => found.delete("iss"), "not_trusted"],
      [(found) => found.set("code", "theirs"), "key_missing"],
    ];
    for (const [change, code] of tries) {
      const oauth = client(tampered(change));
      await assert.rejects(oauth.authorise(world.server.url, { credentialId: ID }), { code });
      assert.equal(values.size, 0);
    }
  });

  it("distrusts a server that is somebody else, or names others without the right to", async () => {
    const tries: readonly [OauthWorldOptions, RegExp][] = [
      [
        { resource: (metadata) => ({ ...metadata, resource: "https://bank.example.com/mcp" }) },
        /its tokens would be for another server/,
      ],
      [
        { resource: (metadata) => ({ ...metadata, authorization_servers: ["http://issuer.example.com"] }) },
        /not reached by https/,
      ],
      [
        {
          gate: (request, response, issuer) => {
            if (request.url?.startsWith("/.well-known/") !== true) return false;
            const endpoints = { authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` };
            const metadata = { issuer: "http://127.0.0.1:1", ...endpoints, response_types_supported: ["code"] };
            response.writeHead(200, { "content-type": "application/json" });
            response.end(JSON.stringify(metadata));
            return true;
          },
        },
        /answered for another server/,
      ],
      [
        {
          gate: (request, response, issuer) => {
            if (request.url?.startsWith("/.well-known/") !== true) return false;
            const endpoints = {
              authorization_endpoint: `${issuer}/auth`,
              token_endpoint: "http://tokens.example.com/",
            };
            const pkce = { code_challenge_methods_supported: ["S256"] };
            response.writeHead(200, { "content-type": "application/json" });
            response.end(JSON.stringify({ issuer, ...endpoints, ...pkce, response_types_supported: ["code"] }));
            return true;
          },
        },
        /token endpoint of 127.*not reached by https/,
      ],
    ];
    for (const [options, message] of tries) {
      await open(options);
      await assert.rejects(client().authorise(world.server.url, { credentialId: ID }), {
        code: "not_trusted",
        message,
      });
      await world.close();
    }
    await open();
  });

  it("goes on with no provider without PKCE, and with none that registers nobody unless a client is given", async () => {
    const metadata = (issuer: string): object => ({
      issuer,
      authorization_endpoint: `${issuer}/auth`,
      token_endpoint: `${issuer}/token`,
      response_types_supported: ["code"],
    });
    const gate =
      (more: object): NonNullable<OauthWorldOptions["gate"]> =>
      (request, response, issuer) => {
        if (request.url?.startsWith("/.well-known/") !== true) return false;
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify({ ...metadata(issuer), ...more }));
        return true;
      };
    await open({ gate: gate({}) });
    await assert.rejects(client().authorise(world.server.url, { credentialId: ID }), { message: /PKCE/ });
    await world.close();
    const given = {
      client_id: "known",
      redirect_uris: ["http://127.0.0.1/oauth"],
      application_type: "native" as const,
      token_endpoint_auth_method: "none" as const,
      grant_types: ["authorization_code", "refresh_token"],
    };
    await open({ gate: gate({ code_challenge_methods_supported: ["S256"] }), configuration: { clients: [given] } });
    const oauth = client();
    await assert.rejects(oauth.authorise(world.server.url, { credentialId: ID }), { message: /give its client id/ });
    await oauth.authorise(world.server.url, { credentialId: ID, client: { client_id: "known" } });
    await oauth.accessToken(ID);
  });

  it("reaches into no private network on the word of a server outside of it", async () => {
    const asked: string[] = [];
    const hosts: Readonly<Record<string, readonly string[]>> = {
      "mcp.example.com": ["93.184.216.34"],
      "inside.example.com": ["10.0.0.5"],
      "mapped.example.com": ["::ffff:192.168.1.1"],
    };
    for (const inside of [
      "https://inside.example.com",
      "https://mapped.example.com",
      "https://169.254.169.254",
      "https://[fd00::1]",
      "http://localhost",
    ]) {
      const oauth = client({
        lookup: async (host) => hosts[host] ?? ["127.0.0.1"],
        fetch: async (input) => {
          const url = new URL(String(input));
          asked.push(url.host);
          const resource = "https://mcp.example.com/mcp";
          if (!url.pathname.startsWith("/.well-known/")) return new Response(null, { status: 401 });
          return Response.json({ resource, authorization_servers: [inside] });
        },
      });
      await assert.rejects(oauth.authorise("https://mcp.example.com/mcp", { credentialId: ID }), {
        code: "not_trusted",
        message: /in a private network, and mcp\.example\.com is not/,
      });
    }
    assert.deepEqual([...new Set(asked)], ["mcp.example.com"]);
    await open();
  });

  it("reads no endless answer, follows no redirect to another origin, and holds no value in an error", async () => {
    await open();
    const endless = client({
      fetch: async () => new Response(new ReadableStream({ pull: (stream) => stream.enqueue(new Uint8Array(65_536)) })),
    });
    await assert.rejects(endless.authorise(world.server.url, { credentialId: ID }), {
      message: /more than a sign-in needs/,
    });
    const away = client({
      fetch: async (input, init) =>
        String(input).includes("/.well-known/oauth-protected-resource")
          ? new Response(null, { status: 302, headers: { location: "http://127.0.0.1:9/stolen" } })
          : fetch(input, init),
    });
    await assert.rejects(away.authorise(world.server.url, { credentialId: ID }), { code: "sign_in_failed" });
    const oauth = client();
    await oauth.authorise(world.server.url, { credentialId: ID });
    const { value } = await oauth.accessToken(ID);
    const echo = client({
      fetch: async (_input, init) => new Response(String(init?.body), { status: 500, headers: { "x-echo": value } }),
    });
    await assert.rejects(echo.refresh(ID), (thrown: Error) => {
      const all = `${thrown.message}${thrown.stack ?? ""}${String(thrown.cause)}`;
      return seen.every((secret) => !all.includes(secret));
    });
  });
});
