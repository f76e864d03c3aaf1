/** HTTP APIs by name: what goes out and what comes back, against real servers over HTTPS. */
import assert from "node:assert/strict";
import { gunzipSync, gzipSync } from "node:zlib";
import { startHttpsServer } from "../../fixtures/httpsServer.ts";
import type { TestServer } from "../../fixtures/httpsServer.ts";
import { ProxyKit, TOKEN } from "./proxyKit.ts";
import type { Door } from "./proxyKit.ts";

describe("an API by name", () => {
  let kit: ProxyKit;
  let server: TestServer;
  let door: Door;

  beforeEach(async () => {
    kit = new ProxyKit();
    server = await startHttpsServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const url = new URL(request.url ?? "", "http://x");
        const body = Buffer.concat(chunks).toString();
        switch (url.pathname) {
          case "/v1/away":
            return response.writeHead(302, { location: url.searchParams.get("to") ?? "" }).end("moved");
          case "/v1/zipped":
            response.writeHead(200, { "content-encoding": "gzip", "set-cookie": "a=b", "x-kept": "yes" });
            return response.end(gzipSync(`zipped ${String(request.headers.authorization)}`));
          case "/v1/missing":
            return response.writeHead(404).end("nothing here");
          default:
            response.setHeader("content-type", "application/json");
            return response.end(
              JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }),
            );
        }
      });
    });
    kit.proxy({ ca: server.ca });
    kit.apis.push({ name: "things", base_url: `${server.origin}/v1`, credential: "key" });
    kit.authority.grants.push({ name: "key", origin: server.origin, path_prefix: "/v1" });
    door = await kit.enter();
  });

  afterEach(async () => {
    await kit.close();
    await server.close();
  });

  it("gets its credential on the way out, and the hand's own are dropped", async () => {
    const answer = await door.ask(door.api("things/list?a=1&b=%2F"), {
      method: "POST",
      body: "hello",
      headers: {
        authorization: "Bearer mine",
        cookie: "c=1",
        referer: "http://127.0.0.1/secret",
        "proxy-authorization": "Basic x",
        "x-many-hands": "x",
        "x-http-method-override": "DELETE",
        "x-forwarded-host": "other",
        x_original_url: "/admin",
        connection: "keep-alive, x-listed",
        "x-listed": "1",
        "x-own": "yes",
      },
    });
    assert.equal(answer.status, 200);
    const [seen] = server.seen;
    assert.equal(seen?.url, "/v1/list?a=1&b=%2F");
    assert.equal(seen?.headers.authorization, `Bearer ${TOKEN}`);
    const { accept: _, ...headers } = seen.headers;
    assert.deepEqual(Object.keys(headers).toSorted(), [
      "accept-encoding",
      "authorization",
      "connection",
      "content-length",
      "host",
      "x-own",
    ]);
    assert.equal(JSON.parse(answer.text).body, "hello");
    assert.ok(!answer.text.includes(TOKEN));
    assert.ok(answer.text.includes("*".repeat(TOKEN.length)));
  });

  it("is asked for exactly the path that was decided on", async () => {
    await door.ask(door.api("things/a%7Eb/%e2%82%ac/c;d=1/"));
    assert.equal(kit.authority.asked.at(-1)?.path, "/v1/a~b/%E2%82%AC/c;d=1/");
    assert.equal(server.seen.at(-1)?.url, "/v1/a~b/%E2%82%AC/c;d=1/");
  });

  it("is not asked where it is not granted, and the hand reads why", async () => {
    kit.authority.grants.length = 0;
    const answer = await door.ask(door.api("things/list"), { method: "DELETE" });
    assert.equal(answer.status, 403);
    assert.match(answer.text, /^Many Hands: DELETE https:\S+ is not granted/);
    assert.equal(server.connections(), 0);
  });

  it("has no other name", async () => {
    assert.equal((await door.ask(door.api("others/list"))).status, 404);
    assert.equal((await door.ask(`/${door.token}/else/list`)).status, 404);
    assert.equal(server.connections(), 0);
  });

  it("passes statuses, and decodes what it searches", async () => {
    assert.equal((await door.ask(door.api("things/missing"))).status, 404);
    const zipped = await door.ask(door.api("things/zipped"), { headers: { "accept-encoding": "gzip, zstd" } });
    assert.equal(server.seen.at(-1)?.headers["accept-encoding"], "gzip");
    assert.equal(zipped.text, `zipped Bearer ${"*".repeat(TOKEN.length)}`);
    assert.equal(zipped.headers["content-encoding"], undefined);
    assert.equal(zipped.headers["set-cookie"], undefined);
    assert.equal(zipped.headers["x-kept"], "yes");
    assert.throws(() => gunzipSync(zipped.bytes));
  });

  it("sends nobody elsewhere with the credential", async () => {
    const inside = await door.ask(door.api("things/away?to=/v1/next%3Fpage=2"));
    assert.equal(inside.headers.location, `/${door.token}/api/things/next?page=2`);
    const beside = await door.ask(door.api("things/away?to=/other"));
    assert.equal(beside.headers.location, `${server.origin}/other`);
    const away = await door.ask(door.api(`things/away?to=https://evil.example/${TOKEN}`));
    assert.equal(away.headers.location, `https://evil.example/${"*".repeat(TOKEN.length)}`);
    assert.equal(server.seen.length, 3);
  });

  it("puts the value where a placeholder is named, and nowhere else", async () => {
    kit.apis.unshift({
      name: "filled",
      base_url: `${server.origin}/v1`,
      credential: "key",
      placeholders: [
        { in: "header", name: "X-Key" },
        { in: "body", name: "/auth/token" },
        { in: "body", name: "token" },
      ],
    });
    kit.authority.grants.unshift({ name: "key", origin: server.origin, path_prefix: "/v1", headers: {} });
    let body = "";
    const listen = async (type: string, text: string): Promise<void> => {
      const headers = { "content-type": type, "x-key": "k={{credential}}", "x-else": "{{credential}}" };
      const answer = await door.ask(door.api("filled/x"), { method: "POST", headers, body: text });
      body = String(JSON.parse(answer.text).body);
      assert.equal(server.seen.at(-1)?.headers["x-key"], `k=${TOKEN}`);
      assert.equal(server.seen.at(-1)?.headers["x-else"], "{{credential}}");
    };
    const hidden = "*".repeat(TOKEN.length);
    await listen("application/json", '{"auth":{"token":"{{credential}}"},"note":"{{credential}}"}');
    assert.deepEqual(JSON.parse(body), { auth: { token: hidden }, note: "{{credential}}" });
    await listen("application/x-www-form-urlencoded", "token=%7B%7Bcredential%7D%7D&note=%7B%7Bcredential%7D%7D");
    assert.match(body, /^token=\*+&note=%7B%7Bcredential%7D%7D$/);
    await listen("text/plain", "token={{credential}}");
    assert.equal(body, "token={{credential}}");
    assert.equal(server.seen.at(-1)?.headers.authorization, undefined);
  });

  it("is asked once more with a renewed token", async () => {
    let asked = 0;
    const other = await startHttpsServer((request, response) => {
      asked += 1;
      const isNew = request.headers.authorization === "Bearer renewed-token-0123456789";
      response.writeHead(isNew ? 200 : 401);
      request.pipe(response);
    });
    const own = new ProxyKit();
    try {
      own.proxy({ ca: other.ca });
      own.apis.push({ name: "x", base_url: other.origin, credential: "key" });
      const grant = { origin: other.origin, path_prefix: "/" };
      own.authority.grants.push(grant);
      own.authority.renew = () => Promise.resolve(own.authority.allow({ ...grant, value: "renewed-token-0123456789" }));
      const entered = await own.enter();
      const answer = await entered.ask(entered.api("x/"), { method: "POST", body: "again" });
      assert.deepEqual([answer.status, answer.text, asked], [200, "again", 2]);
      own.authority.renew = () => Promise.resolve(own.authority.allow(grant));
      const still = await entered.ask(entered.api("x/"), { method: "POST", body: "again" });
      assert.deepEqual([still.status, asked], [401, 4]);
    } finally {
      await own.close();
      await other.close();
    }
  });

  it("is not asked without a certificate that is known", async () => {
    const own = new ProxyKit();
    try {
      own.apis.push(...kit.apis);
      own.authority.grants.push(...kit.authority.grants);
      const entered = await own.enter();
      const answer = await entered.ask(entered.api("things/list"));
      assert.equal(answer.status, 502);
      assert.match(
        answer.text,
        /^Many Hands: https:\/\/127\.0\.0\.1:\d+ could not be asked: .*(SELF_SIGNED|UNABLE_TO)/,
      );
      assert.equal(server.seen.length, 0);
    } finally {
      await own.close();
    }
  });

  it("is cut when the grant is revoked", async () => {
    const slow = await startHttpsServer((_, response) => {
      response.writeHead(200);
      response.write("begun");
    });
    const own = new ProxyKit();
    try {
      own.proxy({ ca: slow.ca });
      own.apis.push({ name: "x", base_url: slow.origin, credential: "key" });
      own.authority.grants.push({ origin: slow.origin, path_prefix: "/" });
      const entered = await own.enter();
      const answer = entered.ask(entered.api("x/"));
      while (slow.seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
      own.authority.revoked.abort();
      // Before or after the answer has begun.
      await answer.then(
        ({ status }) => assert.equal(status, 403),
        (thrown: unknown) => assert.match(String(thrown), /aborted|socket hang up|ECONNRESET/),
      );
    } finally {
      await own.close();
      await slow.close();
    }
  });
});
