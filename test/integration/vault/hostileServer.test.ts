/** A server that gives back what it was sent, or answers as none should: the hand never reads the value, and nothing hangs. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { plain, startHttpsServer } from "../../fixtures/httpsServer.ts";
import type { TestServer } from "../../fixtures/httpsServer.ts";
import { findForms, ProxyKit, TOKEN } from "./proxyKit.ts";
import type { Door } from "./proxyKit.ts";

/** With what each encoding escapes; longer than a line of base64. */
const VALUE = `vé"\\/+&=~ ${TOKEN}${TOKEN}'()`;

/** How servers write what they were sent. */
const WRITTEN: Readonly<Record<string, (value: string) => string>> = {
  raw: (value) => value,
  json: (value) => JSON.stringify({ authorization: value }),
  "json in json": (value) => JSON.stringify({ text: TOKEN, value }),
  url: (value) => encodeURIComponent(value),
  hex: (value) => Buffer.from(value).toString("hex"),
  "base64, first place": (value) => Buffer.from(value).toString("base64"),
  "base64, second place": (value) => Buffer.from(`x${value}y`).toString("base64"),
  "base64, third place": (value) => Buffer.from(`xy${value}zz`).toString("base64"),
  base64url: (value) => Buffer.from(`?${value}`).toString("base64url"),
};

describe("a hostile server", () => {
  let kit: ProxyKit;
  let door: Door;
  let written: (value: string) => string;
  const servers: TestServer[] = [];
  let server: TestServer;

  beforeEach(async () => {
    kit = new ProxyKit();
    written = (value) => value;
    server = await startHttpsServer((request, response) => {
      const value = Buffer.from(VALUE);
      const text = `<${written(VALUE)}> and ${String(request.headers.authorization)}`;
      switch (request.url) {
        case "/bytes":
          // One byte at a time.
          return void (async () => {
            for (const byte of Buffer.from(text)) {
              if (!response.write(Uint8Array.of(byte))) await new Promise((resolve) => response.once("drain", resolve));
              if (byte % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
            }
            response.end();
          })();
        case "/gzip":
          response.writeHead(200, { "content-encoding": "gzip", "content-length": gzipSync(text).length });
          return response.end(gzipSync(text));
        case "/br":
          return response.writeHead(200, { "content-encoding": "br" }).end(brotliCompressSync(text));
        case "/odd":
          return response.writeHead(200, { "content-encoding": "aes128gcm" }).end(text);
        case "/twice":
          return response.writeHead(200, { "content-encoding": "gzip, br" }).end(text);
        case "/headers":
          response.writeEarlyHints({ link: `<${TOKEN}>; rel=preload` });
          response.addTrailers({ "x-trailer": TOKEN });
          response.writeHead(200, TOKEN, {
            "x-echo": [TOKEN, `a ${TOKEN} b`],
            [TOKEN.replaceAll("~", "-")]: "1",
            "set-cookie": `a=${TOKEN}`,
            "www-authenticate": `Basic realm="${TOKEN}"`,
            refresh: `0; url=https://evil.example/${TOKEN}`,
            link: `<https://evil.example/?${TOKEN}>`,
            trailer: "x-trailer",
          });
          return response.end("ok");
        case "/whole":
          return response.writeHead(200, { "content-length": value.length }).end(value);
        default:
          return response.end(text);
      }
    });
    servers.push(server);
    kit.proxy({ ca: server.ca });
    kit.apis.push({ name: "echo", base_url: server.origin, credential: "key" });
    const headers = { authorization: `Basic ${Buffer.from(`user:${VALUE}`).toString("base64")}`, "x-key": TOKEN };
    kit.authority.grants.push({ origin: server.origin, path_prefix: "/", value: VALUE, headers });
    door = await kit.enter();
  });

  afterEach(async () => {
    await kit.close();
    for (const one of servers.splice(0)) await one.close();
  });

  const basic = Buffer.from(`user:${VALUE}`).toString("base64");
  /** No form of the value is in it, nor the greater part of what goes out in the header. */
  function assertHidden(bytes: Buffer): void {
    for (const form of findForms(VALUE)) assert.ok(!bytes.includes(form), `${form.toString()} in ${bytes.toString()}`);
    assert.ok(!bytes.includes(basic.slice(12, -4)), bytes.toString());
    assert.ok(bytes.includes("*".repeat(20)), bytes.toString());
  }

  for (const [name, write] of Object.entries(WRITTEN)) {
    it(`that writes the value as ${name} is not understood`, async () => {
      written = write;
      for (const path of ["/", "/bytes", "/gzip", "/br"]) {
        const answer = await door.ask(door.api(`echo${path}`), { headers: { "accept-encoding": "gzip, br" } });
        assert.equal(answer.status, 200);
        assertHidden(answer.bytes);
      }
    });
  }

  it("keeps lengths right", async () => {
    const answer = await door.ask(door.api("echo/whole"));
    assert.equal(answer.text, "*".repeat(Buffer.byteLength(VALUE)));
    assert.equal(answer.headers["content-length"], String(answer.bytes.length));
  });

  it("that answers in what cannot be searched is not passed on", async () => {
    for (const path of ["odd", "twice"]) {
      const answer = await door.ask(door.api(`echo/${path}`));
      assert.equal(answer.status, 502);
      assert.match(answer.text, /^Many Hands: https:\/\/127\.0\.0\.1:\d+ answered in an encoding/);
    }
  });

  it("that writes the value into its head is not understood", async () => {
    const [grant] = kit.authority.grants;
    assert.ok(grant !== undefined);
    kit.authority.grants[0] = { ...grant, value: TOKEN.replaceAll("~", "-") };
    const first = await door.raw(`GET ${door.api("echo/headers")} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.ok(!first.toLowerCase().includes(TOKEN.replaceAll("~", "-").toLowerCase()), first);
    kit.authority.grants[0] = { ...grant, value: TOKEN };
    const text = await door.raw(`GET ${door.api("echo/headers")} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.ok(!text.includes(TOKEN), text);
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
    assert.doesNotMatch(text, /set-cookie|refresh|trailer|103/i);
  });

  it("that answers as none should is a failure in words, and the proxy goes on", async () => {
    const heads = [
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
      `HTTP/1.1 200 OK\r\nX: ${"y".repeat(70_000)}\r\n\r\n`,
      "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n",
      "SSH-2.0-OpenSSH\r\n",
      "",
    ];
    const sockets = new Set<Socket>();
    let head = "";
    const raw = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.once("data", () => socket.end(head));
    });
    await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
    const origin = `http://127.0.0.1:${(raw.address() as AddressInfo).port}`;
    kit.apis.push({ name: "raw", base_url: origin, credential: "key" });
    kit.authority.grants.push({ origin, path_prefix: "/" });
    try {
      for (head of heads) {
        const answer = await door.ask(door.api("raw/x"), { method: "POST", body: "x" });
        assert.equal(answer.status, 502, head.slice(0, 60));
        assert.ok(answer.text.startsWith(`Many Hands: ${origin} `), answer.text);
        assert.ok(!answer.text.includes(TOKEN));
      }
      // Cut in the middle: the hand sees that it is not whole.
      head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc";
      await assert.rejects(door.ask(door.api("raw/x")));
      head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip";
      await assert.rejects(door.ask(door.api("raw/x")));
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => raw.close(resolve));
    }
    assert.equal((await door.ask(door.api("echo/"))).status, 200);
  });

  it("that sends the hand to a host of its own is not followed", async () => {
    const other = await startHttpsServer((_, response) => response.end("other"), plain);
    servers.push(other);
    const away = await startHttpsServer(
      (_, response) => response.writeHead(307, { location: other.origin }).end(),
      plain,
    );
    servers.push(away);
    kit.apis.push({ name: "away", base_url: away.origin, credential: "key" });
    kit.authority.grants.push({ origin: away.origin, path_prefix: "/" });
    const answer = await door.ask(door.api("away/x"), { method: "POST", body: "x" });
    assert.deepEqual([answer.status, answer.headers.location], [307, `${other.origin}/`]);
    assert.equal(other.connections(), 0);
  });

  it("that has no certificate for its name, or an old one, is sent nothing", async () => {
    for (const options of [{ names: ["other.example"] }, { expired: true }]) {
      const wrong = await startHttpsServer((_, response) => response.end("ok"), options);
      servers.push(wrong);
      const own = new ProxyKit();
      try {
        own.proxy({ ca: wrong.ca });
        own.apis.push({ name: "x", base_url: wrong.origin, credential: "key" });
        own.authority.grants.push({ origin: wrong.origin, path_prefix: "/" });
        const entered = await own.enter();
        const answer = await entered.ask(entered.api("x/"));
        assert.equal(answer.status, 502);
        assert.match(answer.text, /ALTNAME|EXPIRED/);
        assert.equal(wrong.seen.length, 0);
      } finally {
        await own.close();
      }
    }
  });

  it("without TLS is sent no credential, unless it is on this computer", async () => {
    kit.apis.push({ name: "far", base_url: "http://192.0.2.1", credential: "key" });
    kit.authority.grants.push({ origin: "http://192.0.2.1", path_prefix: "/" });
    const answer = await door.ask(door.api("far/"));
    assert.equal(answer.status, 502);
    assert.match(answer.text, /not reached over https/);
  });
});
