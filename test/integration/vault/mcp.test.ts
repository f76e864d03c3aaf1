/** MCP servers by name: streams flow at once, sessions and addresses hold, for hands and for the harness's own fetch. */
import assert from "node:assert/strict";
import http from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { duplexPair } from "node:stream";
import { hasCode } from "../../../src/core/errors.ts";
import { createVaultFetch } from "../../../src/vault/proxy/vaultFetch.ts";
import type { VaultFetchOptions } from "../../../src/vault/proxy/vaultFetch.ts";
import { plain, startHttpsServer } from "../../fixtures/httpsServer.ts";
import type { TestServer } from "../../fixtures/httpsServer.ts";
import { ProxyKit, SESSION, TOKEN } from "./proxyKit.ts";
import type { Door } from "./proxyKit.ts";

/** The answer as soon as its head is there, and its chunks one by one. */
async function open(door: Door, path: string): Promise<{ response: IncomingMessage; next: () => Promise<string> }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    http
      .get(
        { port: door.port, host: "127.0.0.1", path, agent: false, headers: { accept: "text/event-stream" } },
        resolve,
      )
      .once("error", reject);
  });
  const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  return {
    response,
    next: async () => {
      const { value } = (await chunks.next()) as { value?: Buffer };
      return value?.toString() ?? "";
    },
  };
}

describe("an MCP server by name", () => {
  let kit: ProxyKit;
  let server: TestServer;
  let door: Door;
  let streams: ServerResponse[];

  beforeEach(async () => {
    kit = new ProxyKit();
    streams = [];
    server = await startHttpsServer((request, response) => {
      if (request.method === "GET") {
        response.writeHead(200, { "content-type": "text/event-stream", "mcp-session-id": "s-1" });
        response.flushHeaders();
        streams.push(response);
      } else {
        response.writeHead(request.headers.authorization === `Bearer ${TOKEN}` ? 200 : 401, {
          "mcp-session-id": "s-1",
          location: "/mcp/there",
        });
        request.pipe(response);
      }
    }, plain);
    kit.mcpServers.push({ name: "tools", url: `${server.origin}/mcp?tenant=1` });
    kit.authority.grants.push({ kind: "mcp", origin: server.origin, path_prefix: "/mcp" });
    kit.authority.grants.push({ kind: "http", origin: server.origin, path_prefix: "/mcp" });
    door = await kit.enter();
  });

  afterEach(async () => {
    await kit.close();
    await server.close();
  });

  it("is asked with its credential, and its session goes both ways", async () => {
    const headers = { "mcp-session-id": "s-0", "mcp-protocol-version": "2025-11-25", "last-event-id": "7" };
    const answer = await door.ask(`/${door.token}/mcp/tools`, { method: "POST", headers, body: '{"id":1}' });
    assert.deepEqual([answer.status, answer.text], [200, '{"id":1}']);
    assert.equal(answer.headers["mcp-session-id"], "s-1");
    assert.equal(answer.headers.location, `/${door.token}/mcp/tools/mcp/there`);
    const [seen] = server.seen;
    assert.equal(seen?.url, "/mcp?tenant=1");
    assert.equal(seen.headers["mcp-session-id"], "s-0");
    assert.equal(seen.headers["last-event-id"], "7");
    assert.deepEqual(kit.authority.asked, [
      { session_id: SESSION, hand: "local", kind: "http", origin: server.origin, path: "/mcp", method: "POST" },
    ]);
  });

  it("sends each event on at once, for as long as the stream lasts", async () => {
    const { response, next } = await open(door, `/${door.token}/mcp/tools`);
    assert.equal(response.statusCode, 200);
    const [stream] = streams;
    for (const event of ["event: message\ndata: 1\n\n", ": still here\n\n", `data: ${TOKEN}\n\n`]) {
      stream?.write(event);
      assert.equal(await next(), event.replace(TOKEN, "*".repeat(TOKEN.length)));
    }
    stream?.end();
    assert.equal(await next(), "");
  });

  it("is told when the hand is gone", async () => {
    const { response } = await open(door, `/${door.token}/mcp/tools`);
    const closed = new Promise((resolve) => streams[0]?.once("close", resolve));
    response.destroy();
    await closed;
  });

  it("over SSE: what the client is to post to is at the proxy", async () => {
    const { next } = await open(door, `/${door.token}/mcp/tools`);
    const [stream] = streams;
    stream?.write("event: endp");
    stream?.write("oint\ndata: /mcp/messages?id=5\n\n");
    assert.equal(await next(), `event: endpoint\ndata: /${door.token}/mcp/tools/mcp/messages?id=5\n\n`);
    const posted = await door.ask(`/${door.token}/mcp/tools/mcp/messages?id=5`, { method: "POST", body: "x" });
    assert.equal(posted.status, 200);
    assert.equal(server.seen.at(-1)?.url, "/mcp/messages?id=5");
    const other = await door.ask(`/${door.token}/mcp/tools/admin`, { method: "POST", body: "x" });
    assert.equal(other.status, 403);
    assert.equal(server.seen.length, 2);
  });

  it("is not reached by a hand under what was granted to the harness, whose calls a person confirms", async () => {
    kit.authority.grants.pop();
    const answer = await door.ask(`/${door.token}/mcp/tools`, { method: "POST", body: '{"method":"tools/call"}' });
    assert.equal(answer.status, 403);
    assert.equal(server.seen.length, 0);
  });

  it("is reached over any stream of bytes, not only over sockets", async () => {
    const [near, far] = duplexPair();
    door.entrance.accept(far);
    near.write(`POST /${door.token}/mcp/tools HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi`);
    const chunks: Buffer[] = [];
    for await (const chunk of near) chunks.push(chunk as Buffer);
    assert.match(Buffer.concat(chunks).toString(), /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n(?:2\r\n)?hi/);
  });

  describe("for the harness", () => {
    const fetchFor = (more: Partial<VaultFetchOptions> = {}): typeof fetch =>
      createVaultFetch({
        authority: kit.authority,
        session_id: SESSION,
        kind: "mcp",
        url: `${server.origin}/mcp`,
        ...more,
      });

    it("gets its credential in this process", async () => {
      const init = { method: "POST", body: "hi", headers: { Authorization: "Bearer mine", "mcp-session-id": "s-0" } };
      const answer = await fetchFor()(`${server.origin}/mcp`, init);
      assert.deepEqual([answer.status, await answer.text()], [200, "hi"]);
      assert.equal(server.seen[0]?.headers["mcp-session-id"], "s-0");
      assert.equal(kit.authority.asked[0]?.hand, null);
    });

    it("asks no other origin, no other path, and follows nobody", async () => {
      const refused = async (url: string): Promise<void> => {
        await assert.rejects(fetchFor()(url), (thrown) => hasCode(thrown, "not_trusted"));
      };
      await refused("https://evil.example/mcp");
      await refused(`${server.origin}/admin`);
      await refused(`${server.origin}/mcp/%2e%2e%2fadmin`);
      await refused(`${server.origin.replace("//", "//a:b@")}/mcp`);
      assert.equal(server.seen.length, 0);
      let sent: RequestInit | undefined;
      const send: typeof fetch = (_, init) => {
        sent = init;
        return Promise.resolve(new Response("ok"));
      };
      await fetchFor({ send })(`${server.origin}/mcp`);
      assert.equal(sent?.redirect, "manual");
    });

    it("renews a token once", async () => {
      const [grant] = kit.authority.grants;
      assert.ok(grant !== undefined);
      kit.authority.grants[0] = { ...grant, value: "an-older-token-0123" };
      kit.authority.renew = () => Promise.resolve(kit.authority.allow(grant));
      const answer = await fetchFor()(`${server.origin}/mcp`, { method: "POST", body: "hi" });
      assert.deepEqual([answer.status, server.seen.length], [200, 2]);
      kit.authority.renew = () => Promise.resolve(null);
      const still = await fetchFor()(`${server.origin}/mcp`, { method: "POST", body: "hi" });
      assert.deepEqual([still.status, server.seen.length], [401, 3]);
    });

    it("goes without where there is no credential and none is needed, and not where it was refused", async () => {
      const message = "There is none.";
      let reason: "no_credential" | "not_granted" = "no_credential";
      const authority = { decide: () => Promise.resolve({ allowed: false as const, reason, message }) };
      const options = { authority, isOptional: true };
      assert.equal((await fetchFor(options)(`${server.origin}/mcp`, { method: "POST" })).status, 401);
      assert.equal(server.seen.at(-1)?.headers.authorization, undefined);
      reason = "not_granted";
      await assert.rejects(fetchFor(options)(`${server.origin}/mcp`), /There is none/);
      assert.equal(server.seen.length, 1);
    });
  });
});
