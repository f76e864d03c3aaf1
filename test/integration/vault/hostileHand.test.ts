/** A hand that tries to get more than it was granted: other tokens, paths, methods, headers, and two requests in one. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { ManyHandsError } from "../../../src/core/errors.ts";
import { limits } from "../../../src/core/limits.ts";
import { startHttpsServer } from "../../fixtures/httpsServer.ts";
import type { TestServer } from "../../fixtures/httpsServer.ts";
import { ProxyKit, TOKEN } from "./proxyKit.ts";
import type { Door } from "./proxyKit.ts";

/** Each of them means `/v1/admin`, `/admin` or another host to some server. */
const PATHS = [
  "/../admin",
  "/./../admin",
  "/%2e%2e/admin",
  "/%2E%2e/admin",
  "/.%2e/admin",
  "/..%2fadmin",
  "/%2e%2e%2fadmin",
  "/..%5cadmin",
  "/..\\admin",
  "/\\..\\admin",
  "/%252e%252e/admin",
  "/%252e%252e%252fadmin",
  "/..;/admin",
  "/..;a=b/admin",
  "/%c0%ae%c0%ae/admin",
  "/%e0%80%ae%e0%80%ae/admin",
  "/%uff0e%uff0e/admin",
  "/%ef%bc%8e%ef%bc%8e/admin",
  "//admin",
  "///admin",
  "/%2fadmin",
  "/%00/../admin",
  "/..%00/admin",
  "/..%09/admin",
  "/..%20/admin",
  "/..%0d%0aX-Injected:%201",
  "@evil.example/",
  ":@evil.example/",
  ".evil.example/",
  "\\@evil.example/",
  "/../../../../etc/passwd",
  "/read/../../admin",
  "/read/%2e%2e/%2e%2e/admin",
];

/** What one server takes for one request and another for two. `B` is a body that is a request by itself. */
const B = "GET /v1/admin HTTP/1.1\r\nHost: x\r\n\r\n";
const chunked = `${B.length.toString(16)}\r\n${B}\r\n0\r\n\r\n`;
const SMUGGLED: readonly (readonly [heads: string, body: string])[] = [
  [`Content-Length: ${chunked.length}\r\nTransfer-Encoding: chunked`, chunked],
  [`Transfer-Encoding: chunked\r\nContent-Length: 4`, chunked],
  [`Content-Length: 0\r\nTransfer-Encoding: chunked`, chunked],
  ["Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", chunked],
  ["Transfer-Encoding: identity, chunked", chunked],
  ["Transfer-Encoding: chunked, identity", chunked],
  ["Transfer-Encoding: xchunked", chunked],
  ["Transfer-Encoding : chunked", chunked],
  ["Transfer-Encoding:\tchunked", chunked],
  ["Transfer-Encoding: \x0bchunked", chunked],
  ["Transfer_Encoding: chunked\r\nContent-Length: 0", chunked],
  [" Transfer-Encoding: chunked", chunked],
  ["X: y\r\n Transfer-Encoding: chunked", chunked],
  ["X: y\nTransfer-Encoding: chunked", chunked],
  ["X: y\rTransfer-Encoding: chunked", chunked],
  ["Transfer-Encoding: chunked\0", chunked],
  ["Transfer-Encoding: cow\r\nTransfer-Encoding: chunked", chunked],
  [`Content-Length: 0\r\nContent-Length: ${B.length}`, B],
  [`Content-Length: ${B.length}\r\nContent-Length: 0`, B],
  [`Content-Length: 0, ${B.length}`, B],
  [`Content-Length: +${B.length}`, B],
  [`Content-Length: -${B.length}`, B],
  [`Content-Length: 0x${B.length.toString(16)}`, B],
  [`Content-Length: ${B.length}.0`, B],
  ["Content-Length: ", B],
  ["Content-Length: 99999999999999999999", B],
  ["Content-Length : 0", B],
  ["Content-Length: 0\r\nX: \0", B],
  ["Transfer-Encoding: chunked", `0\r\n\r\n${B}`],
  ["Transfer-Encoding: chunked", `0;${"e".repeat(20_000)}\r\n\r\n${B}`],
  ["Transfer-Encoding: chunked", `0\n\n${B}`],
  ["Transfer-Encoding: chunked", `0x0\r\n\r\n${B}`],
  ["Transfer-Encoding: chunked", `fffffffffffffffff\r\n${B}`],
  ["Transfer-Encoding: chunked", `-1\r\n${B}`],
  ["Transfer-Encoding: chunked", `1\r\nab\r\n0\r\n\r\n${B}`],
  ["Transfer-Encoding: chunked", `0\r\nX-Trailer: ${TOKEN}\r\nHost: evil\r\n\r\n${B}`],
  ["Host: evil.example", B],
  ["Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", B],
  [
    "Connection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==",
    B,
  ],
];

describe("a hostile hand", () => {
  let kit: ProxyKit;
  let server: TestServer;
  let door: Door;

  beforeEach(async () => {
    kit = new ProxyKit();
    server = await startHttpsServer((request, response) => {
      request.resume();
      request.on("end", () => response.end("done"));
    });
    kit.proxy({ ca: server.ca });
    kit.apis.push({ name: "things", base_url: `${server.origin}/v1/public`, credential: "key" });
    kit.authority.grants.push({
      name: "key",
      origin: server.origin,
      path_prefix: "/v1/public",
      methods: ["GET", "POST"],
    });
    door = await kit.enter();
  });

  afterEach(async () => {
    // Whatever was tried: the server saw what was decided on, one by one, and nothing else.
    const seen = server.seen.map(({ method, url }) => `${method} ${url.split("?")[0]}`);
    const allowed = kit.authority.allowed.map(({ method, path }) => `${method} ${path}`);
    await kit.close();
    await server.close();
    // A request may be cut between its decision and the server.
    let from = 0;
    for (const line of seen) {
      from = allowed.indexOf(line, from) + 1;
      assert.notEqual(from, 0, `${line} was not decided on`);
    }
    assert.ok(server.seen.every(({ url }) => url.startsWith("/v1/public")));
    assert.ok(server.seen.every(({ headers }) => headers.host === `127.0.0.1:${server.port}`));
    assert.deepEqual(kit.reports, []);
  });

  it("has no use for another token", async () => {
    const other = await kit.enter(null, "other");
    const tokens = [
      "",
      "x",
      other.token,
      door.token.slice(1),
      `${door.token}A`,
      door.token.toUpperCase(),
      "%00",
      "null",
    ];
    tokens.push(`${door.token}%20`, `%20${door.token}`, `${door.token};x`, "git", "api", "__proto__", "constructor");
    for (const token of tokens) {
      const { status, text } = await door.ask(`/${token}/api/things/read`);
      assert.ok([400, 401].includes(status), `${token}: ${status}`);
      assert.match(text, /^Many Hands: /);
    }
    const headers = { "x-many-hands": door.token, authorization: `Bearer ${door.token}` };
    assert.equal((await door.ask("/api/things/read", { headers })).status, 401);
    assert.equal((await door.ask("/", { headers })).status, 401);
    assert.equal((await door.ask("*", { method: "OPTIONS" })).status, 400);
    assert.equal((await door.ask("/git/github.com/a/b", { headers: { "x-many-hands": other.token } })).status, 401);
    assert.deepEqual(kit.authority.asked, []);
  });

  it("has no use for its token when the entrance is closed", async () => {
    assert.equal((await door.ask(door.api("things/read"))).status, 200);
    door.entrance.close();
    await assert.rejects(door.ask(door.api("things/read")));
    const other = await kit.enter(null, "other");
    assert.equal((await other.ask(door.api("things/read"))).status, 401);
  });

  it("does not get out of the granted path", async () => {
    for (const path of PATHS) {
      const text = await door.raw(`GET ${door.api(`things${path}`)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      assert.match(text, /^HTTP\/1\.1 (?:400|403|404) /, path);
    }
    assert.equal(server.connections(), 0);
  });

  it("does not get another method", async () => {
    const methods = [
      "DELETE",
      "PUT",
      "PATCH",
      "HEAD",
      "OPTIONS",
      "PROPFIND",
      "MKCOL",
      "PURGE",
      "TRACE",
      "SEARCH",
      "QUERY",
    ];
    for (const method of [...methods, "get", "GE T", "G\0ET", "FOO", "CONNECT", "PRI"]) {
      const target = method === "CONNECT" ? "127.0.0.1:443" : door.api("things/read");
      const text = await door.raw(`${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      assert.match(text, /^HTTP\/1\.1 (?:400|403|405|407) /, method);
    }
    assert.equal(server.connections(), 0);
  });

  it("does not change the method, path, host or credential by a header", async () => {
    const headers = {
      host: "evil.example",
      "x-http-method-override": "DELETE",
      "x-http-method": "DELETE",
      "x-method-override": "DELETE",
      "x-original-url": "/admin",
      "x-rewrite-url": "/admin",
      "x-forwarded-host": "evil.example",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-prefix": "/admin",
      forwarded: "host=evil.example",
      "x-host": "evil.example",
      authorization: "Basic eDp5",
      proxy_authorization: "x",
      Authorization_: "kept",
      x_forwarded_host: "evil.example",
      cookie: "a=b",
      connection: "close, authorization, x-many-hands",
      te: "trailers",
      range: "bytes=0-2",
    };
    await door.ask(door.api("things/read"), { headers });
    const [seen] = server.seen;
    assert.deepEqual(Object.keys(seen?.headers ?? {}).toSorted(), [
      "accept-encoding",
      "authorization",
      "authorization_",
      "connection",
      "host",
    ]);
    assert.equal(seen?.headers.authorization, `Bearer ${TOKEN}`);
  });

  it("does not pass two requests as one", async () => {
    const last = `GET ${door.api("none/x")} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
    for (const [heads, body] of SMUGGLED) {
      const head = `POST ${door.api("things/read")} HTTP/1.1\r\nHost: x\r\n${heads}\r\n\r\n`;
      const text = await door.raw(head + body + last);
      assert.ok(text === "" || /^HTTP\/1\.1 (?:200|400|413) /.test(text), `${heads}: ${text}`);
      assert.doesNotMatch(text, /^HTTP\/1\.1 200[^]*HTTP\/1\.1 200/, heads);
    }
    for (const twice of ["Host: evil.example", "X-Many-Hands: a\r\nX-Many-Hands: b"]) {
      const text = await door.raw(
        `GET ${door.api("things/read")} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${twice}\r\n\r\n`,
      );
      assert.match(text, /^HTTP\/1\.1 400 /, twice);
    }
    const twoLengths = SMUGGLED.filter(([heads]) =>
      /^Content-Length: \d+\r\nTransfer-E|^Transfer-Encoding: chunked\r\nContent-L/.test(heads),
    );
    for (const [heads, body] of twoLengths) {
      const text = await door.raw(`POST ${door.api("things/read")} HTTP/1.1\r\nHost: x\r\n${heads}\r\n\r\n${body}`);
      assert.match(text, /^HTTP\/1\.1 400 /, heads);
    }
    assert.ok(twoLengths.length >= 3);
  });

  it("has each of several requests on a connection decided on by itself", async () => {
    const line = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const text = await door.raw(
      [door.api("things/a"), door.api("admin"), "/wrong/api/things/a"].map(line).join("") +
        line(door.api("things/b")).replace("Host", "Connection: close\r\nHost"),
    );
    assert.deepEqual(
      Array.from(text.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status]) => status),
      ["200", "404", "401", "200"],
    );
    assert.equal(server.seen.length, 2);
  });

  it("is not asked for a body that goes nowhere", async () => {
    const head = (path: string): string =>
      `POST ${door.api(path)} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n`;
    assert.match(await door.raw(head("none/x")), /^HTTP\/1\.1 404 /);
    assert.match(await door.raw(`${head("things/x")}hi`), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
    assert.equal(server.seen[0]?.headers.expect, undefined);
  });

  it("has no more under way at once than its share, and another hand has its own", async () => {
    const other = await kit.enter(null, "other");
    const decide = kit.authority.decide.bind(kit.authority);
    let waiting = 0;
    const answered = Promise.withResolvers<void>();
    kit.authority.decide = async (use) => {
      waiting += 1;
      await answered.promise;
      return await decide(use);
    };
    const all = Array.from({ length: limits.proxyRequestsMax }, () => door.ask(door.api("things/read")));
    while (waiting < limits.proxyRequestsMax) await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await door.ask(door.api("things/read"))).status, 503);
    all.push(other.ask(other.api("things/read")));
    while (waiting <= limits.proxyRequestsMax) await new Promise((resolve) => setImmediate(resolve));
    answered.resolve();
    assert.ok((await Promise.all(all)).every(({ status }) => status === 200));
    assert.equal((await door.ask(door.api("things/read"))).status, 200);
  });

  it("stops asking when it goes away", async () => {
    const aborted = new Promise<void>((resolve) => {
      kit.authority.decide = (_, signal) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener("abort", () => {
            resolve();
            reject(new Error("gone"));
          });
          socket.destroy();
        });
    });
    const socket = connect({ port: door.port, host: "127.0.0.1" });
    socket.write(`GET ${door.api("things/read")} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await aborted;
  });

  it("reads that the vault is locked", async () => {
    const locked = new ManyHandsError("secrets_unavailable", "vault", "Unlock the keyring.");
    kit.authority.decide = () => Promise.reject(locked);
    const { status, text } = await door.ask(door.api("things/read"));
    assert.deepEqual([status, text], [503, "Many Hands: Unlock the keyring.\n"]);
  });

  it("cannot fill the proxy with headers", async () => {
    const many = "a: b\r\n".repeat(101);
    const head = `GET ${door.api("things/read")} HTTP/1.1\r\nHost: x\r\n`;
    assert.match(await door.raw(`${head}${many}\r\n`), /^HTTP\/1\.1 431 /);
    assert.match(await door.raw(`${head}a: ${"b".repeat(40_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
    assert.match(await door.raw(`GET /${"a".repeat(40_000)} HTTP/1.1\r\nHost: x\r\n\r\n`), /^HTTP\/1\.1 431 /);
    assert.equal(server.connections(), 0);
  });
});
