/** The way out of a limited network: allowed hosts at the address that was checked, everything else refused, over real sockets. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { plain, startHttpsServer } from "../../fixtures/httpsServer.ts";
import type { TestServer } from "../../fixtures/httpsServer.ts";
import { ProxyKit } from "./proxyKit.ts";
import type { Door } from "./proxyKit.ts";

const EGRESS = {
  allowed_hosts: ["allowed.example", "*.below.example:8443", "npm", "10.0.0.1", "127.0.0.1", "93.184.216.34"],
};

describe("the way out of a limited network", () => {
  let kit: ProxyKit;
  let secure: TestServer;
  let open: TestServer;
  let door: Door;
  /** Names and addresses that were asked for, in order. */
  let looked: string[];
  let dialled: string[];
  let addresses: readonly string[];

  beforeEach(async () => {
    kit = new ProxyKit();
    [looked, dialled, addresses] = [[], [], ["93.184.216.34"]];
    secure = await startHttpsServer((request, response) => response.end(`secure ${request.url}`), {
      names: ["allowed.example"],
    });
    open = await startHttpsServer((request, response) => {
      response.setHeader("content-encoding", "x-odd");
      request.pipe(response);
    }, plain);
    kit.proxy({
      resolve: (host) => {
        looked.push(host);
        return Promise.resolve(addresses);
      },
      // A public address leads to a server of the test.
      dial: (address, port) => {
        dialled.push(`${address}:${port}`);
        return connect({ host: "127.0.0.1", port: port === 80 ? open.port : secure.port, allowHalfOpen: true });
      },
    });
    door = await kit.enter(EGRESS);
  });

  afterEach(async () => {
    await kit.close();
    await secure.close();
    await open.close();
  });

  const authorization = (token: string): string => `Basic ${Buffer.from(`mh:${token}`).toString("base64")}`;

  /** The status of a CONNECT, its text, and the connection where it was opened. */
  async function tunnel(target: string, token = door.token): Promise<{ status: number; text: string; socket: Socket }> {
    const socket = connect({ port: door.port, host: "127.0.0.1" });
    socket.write(
      `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\nProxy-Authorization: ${authorization(token)}\r\n\r\n`,
    );
    let text = "";
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      text += String(chunk);
      if (text.startsWith("HTTP/1.1 200") && text.endsWith("\r\n\r\n")) break;
    }
    return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), text, socket };
  }

  it("leads to an allowed host, with TLS between the hand and the host", async () => {
    const { status, socket } = await tunnel("allowed.example:443");
    assert.equal(status, 200);
    const tls = connectTls({ socket, servername: "allowed.example", ca: secure.ca });
    tls.write("GET /x HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n");
    let text = "";
    for await (const chunk of tls) text += String(chunk);
    assert.match(text, /secure \/x$/);
    assert.deepEqual([looked, dialled], [["allowed.example"], ["93.184.216.34:443"]]);
    assert.deepEqual(kit.authority.asked, []);
  });

  it("leads nowhere else", async () => {
    const refused = ["other.example:443", "allowed.example:22", "allowed.example.evil.net:443", "below.example:8443"];
    refused.push("x.below.example:443", "github.com:443", "127.0.0.1:80", "10.0.0.1:443", "8.8.8.8:443", "[::1]:443");
    refused.push("[::ffff:127.0.0.1]:443", "localhost:443", "2130706433:80", "0x7f000001:80", "127.1:80");
    for (const target of refused) {
      const { status, text } = await tunnel(target);
      assert.equal(status, 403, target);
      assert.match(text, /\r\n\r\nMany Hands: /, target);
    }
    for (const target of [
      "allowed.example",
      "allowed.example:0",
      "a@allowed.example:443",
      "/x",
      "http://allowed.example/",
    ]) {
      assert.equal((await tunnel(target)).status, 400, target);
    }
    assert.deepEqual(dialled, []);
  });

  it("leads to an address only where the address is listed and public", async () => {
    const { status, socket } = await tunnel("93.184.216.34:443");
    socket.destroy();
    assert.equal(status, 200);
    assert.deepEqual([looked, dialled], [[], ["93.184.216.34:443"]]);
  });

  it("leads to no near address, whatever a name says, now or a moment later", async () => {
    const near = [
      ["127.0.0.1"],
      ["10.1.1.1"],
      ["169.254.169.254"],
      ["::1"],
      ["::ffff:10.0.0.1"],
      ["64:ff9b::a00:1"],
      [],
    ];
    for (const answer of [...near, ["93.184.216.34", "192.168.0.1"]]) {
      addresses = answer;
      const { status } = await tunnel("allowed.example:443");
      assert.ok(status === 403 || (status === 502 && answer.length === 0), `${answer.join()}: ${status}`);
    }
    assert.deepEqual(dialled, []);
    // The second answer of the same name is never asked for: the connection goes to the first.
    addresses = ["93.184.216.34"];
    looked.length = 0;
    const { status, socket } = await tunnel("allowed.example:443");
    addresses = ["127.0.0.1"];
    socket.destroy();
    assert.deepEqual([status, looked, dialled], [200, ["allowed.example"], ["93.184.216.34:443"]]);
  });

  it("is closed without the entrance's own token, and where the network is not limited", async () => {
    const other = await kit.enter(EGRESS, "other");
    assert.equal((await tunnel("allowed.example:443", other.token)).status, 407);
    assert.equal((await tunnel("allowed.example:443", "")).status, 407);
    assert.match(
      await door.raw("CONNECT allowed.example:443 HTTP/1.1\r\nHost: x\r\n\r\n"),
      /^HTTP\/1\.1 407 [^]*\nProxy-Authenticate: Basic/,
    );
    const free = await kit.enter(null, "free");
    const answer = await free.ask("http://allowed.example/x", {
      headers: { "proxy-authorization": authorization(free.token) },
    });
    assert.equal(answer.status, 403);
    assert.deepEqual(dialled, []);
  });

  it("takes plain HTTP in the absolute form, unchanged but for the proxy's own headers", async () => {
    const answer = await door.ask("http://allowed.example/a/../b%2f?c=d", {
      method: "POST",
      body: "what is sent",
      headers: {
        "proxy-authorization": authorization(door.token),
        range: "bytes=0-3",
        host: "evil.example",
        cookie: "a=b",
      },
    });
    assert.deepEqual([answer.status, answer.text, answer.headers["content-encoding"]], [200, "what is sent", "x-odd"]);
    const [seen] = open.seen;
    assert.equal(seen?.headers.host, "allowed.example");
    assert.equal(seen.headers.range, "bytes=0-3");
    assert.equal(seen.headers["proxy-authorization"], undefined);
    assert.deepEqual(dialled, ["93.184.216.34:80"]);
    for (const url of ["http://127.0.0.1/x", "http://other.example/", "http://a:b@allowed.example/", "http://[::1]/"]) {
      const refused = await door.ask(url, { headers: { "proxy-authorization": authorization(door.token) } });
      assert.ok([400, 403].includes(refused.status), `${url}: ${refused.status}`);
    }
    assert.equal((await door.ask("http://allowed.example/x")).status, 407);
    assert.equal(open.seen.length, 1);
  });

  it("ends with the entrance", async () => {
    const { status, socket } = await tunnel("allowed.example:443");
    assert.equal(status, 200);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.resume();
    door.entrance.close();
    await closed;
    const after = await tunnel("allowed.example:443").catch(() => ({ status: 0 }));
    assert.equal(after.status, 0);
  });
});
