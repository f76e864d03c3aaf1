/** Git-lfs through the credential proxy: objects go to wherever the LFS server says, and its addresses and tokens stay outside. */
import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { hasGitServer, noGitServer } from "../../fixtures/git/gitServer.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { formsOf, GitKit } from "./gitKit.ts";

describe("git-lfs through the credential proxy", function () {
  this.timeout(120_000);
  let kit: GitKit;

  before(function () {
    skipUnless(this, hasGitServer(), noGitServer);
  });

  beforeEach(async () => {
    kit = await GitKit.start();
    await kit.server.create("team/app", { files: { ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n" } });
    kit.grant(["team/app"], ["refs/heads/agent/*"]);
    await kit.ok(".", "lfs", "install", "--skip-repo");
    // Another name than the git server's.
    kit.server.lfs.storage = kit.server.origin.replace("localhost", "127.0.0.1");
    await kit.clone("team/app", "a");
    await kit.commit("a", "large.bin", "x".repeat(200_000));
  });

  afterEach(() => kit.close());

  it("pushes and clones objects whose store has another name, with addresses that are signed", async () => {
    await kit.ok("a", "push", "origin", "HEAD:agent/x");
    assert.deepEqual(
      Array.from(kit.server.lfs.objects.values(), ({ length }) => length),
      [200_000],
    );
    assert.ok(kit.server.seen.some(({ method, url }) => method === "POST" && url.includes("what=verify")));
    kit.server.lfs.isRedirecting = true;
    await kit.clone("team/app", "b", "--branch=agent/x");
    assert.equal(await readFile(kit.at("b/large.bin"), "utf8"), "x".repeat(200_000));
    assert.ok(kit.server.seen.some(({ url }) => url.includes("what=redirected")));
    // The vault's credential went to the git server alone, and no token of the LFS server to the hand.
    const stored = kit.server.seen.filter(({ url }) => url.startsWith("/objects-elsewhere/"));
    assert.ok(stored.length >= 4);
    assert.ok(stored.every(({ headers }) => headers.authorization?.startsWith("Basic") !== true));
    assert.deepEqual(await kit.filesWith(...formsOf(kit.token), kit.entranceToken, ...kit.server.lfs.signatures), []);
  });

  it("shows the hand addresses of the proxy alone, with the one way of transfer that goes through it", async () => {
    const { output } = await kit.git("a", ["push", "origin", "HEAD:agent/x"], {
      GIT_TRACE: "1",
      GIT_CURL_VERBOSE: "1",
    });
    assert.match(
      output,
      new RegExp(`"href":"${kit.url}/git/${kit.server.host}/team/app.git/info/lfs/many-hands-objects/`),
    );
    for (const signature of kit.server.lfs.signatures) assert.ok(!output.includes(signature));
    assert.ok(!output.includes("RemoteAuth") && !output.includes(kit.server.lfs.storage));
    const [batch] = kit.server.lfs.batches as { transfers: string[]; ref: object }[];
    assert.deepEqual([batch?.transfers, batch?.ref], [["basic"], { name: "refs/heads/agent/x" }]);
  });

  it("refuses objects for main in words that git-lfs prints", async () => {
    const { code, output } = await kit.git("a", ["push", "origin", "HEAD:main"]);
    assert.notEqual(code, 0);
    assert.match(output, /Many Hands: Pushing to refs\/heads\/main of team\/app at \S+ is not granted/);
    assert.equal(kit.server.lfs.objects.size, 0);
    assert.deepEqual(kit.server.lfs.batches, []);
  });

  it("makes and breaks locks", async () => {
    await kit.ok("a", "push", "origin", "HEAD:agent/x");
    await kit.ok("a", "switch", "--quiet", "--create", "agent/x");
    await kit.ok("a", "branch", "--quiet", "--set-upstream-to=origin/agent/x");
    await kit.ok("a", "lfs", "lock", "large.bin");
    assert.deepEqual(Array.from(kit.server.lfs.locks.values()), ["large.bin"]);
    assert.match(await kit.ok("a", "lfs", "locks"), /large\.bin/);
    await kit.ok("a", "lfs", "unlock", "large.bin");
    assert.equal(kit.server.lfs.locks.size, 0);
  });

  it("gives an object's address to nobody else, for nothing else, and not when the grant is gone", async () => {
    await kit.ok("a", "push", "origin", "HEAD:agent/x");
    const [oid = ""] = kit.server.lfs.objects.keys();
    const base = `${kit.url}/git/${kit.server.host}/team/app.git/info/lfs`;
    const headers = { "x-many-hands": kit.entranceToken, "content-type": "application/vnd.git-lfs+json" };
    const body = JSON.stringify({
      operation: "download",
      transfers: ["tus", "basic"],
      objects: [{ oid, size: 200_000 }],
    });
    const answer = await fetch(`${base}/objects/batch`, { method: "POST", headers, body });
    const { objects } = (await answer.json()) as {
      objects: { actions: { download: { href: string; header?: object } } }[];
    };
    const { href, header } = objects[0]!.actions.download;
    assert.equal(header, undefined);
    const status = async (address: string, init: RequestInit = { headers }): Promise<number> => {
      const { status, body } = await fetch(address, init);
      await body?.cancel();
      return status;
    };
    assert.equal(await status(href), 200);
    assert.equal(await status(href, {}), 401);
    assert.equal(await status(href, { headers, method: "PUT", body: "x" }), 405);
    assert.equal(await status(`${href}?x`), 404);
    assert.equal(await status(href.replace("/team/app.git/", "/team/other.git/")), 404);
    assert.equal(await status(`${href.slice(0, -1)}${href.endsWith("A") ? "B" : "A"}`), 404);
    const other = await kit.enterAgain("other");
    assert.equal(await status(href.replace(kit.url, other.url), { headers: { "x-many-hands": other.token } }), 404);
    kit.authority.revoked.abort();
    assert.equal(await status(href), 403);
  });

  it("refuses a batch that is none, an address without TLS, and an answer that is too odd to look into", async () => {
    const base = `${kit.url}/git/${kit.server.host}/team/app.git/info/lfs`;
    const send = (body: string, path = "objects/batch"): Promise<Response> =>
      fetch(`${base}/${path}`, { method: "POST", headers: { "x-many-hands": kit.entranceToken }, body });
    for (const body of [
      "",
      "[]",
      "{}",
      '{"operation":"upload","objects":[{"oid":"../x","size":1}]}',
      '{"operation":"delete","objects":[]}',
    ]) {
      assert.equal((await send(body)).status, 400, body);
    }
    assert.equal((await send("{}", "objects/other")).status, 404);
    // Without a branch, a grant to read would be enough to write.
    const nowhere = { operation: "upload", objects: [{ oid: "0".repeat(64), size: 1 }] };
    assert.equal((await send(JSON.stringify(nowhere))).status, 422);
    assert.equal((await send('{"path":"large.bin"}', "locks")).status, 422);
    assert.equal((await send('{"force":true}', "locks/1/unlock")).status, 422);
    assert.deepEqual(kit.server.lfs.batches, []);
    kit.server.lfs.storage = "http://127.0.0.1:9";
    const { output } = await kit.git("a", ["push", "origin", "HEAD:agent/x"]);
    assert.match(output, /Many Hands: the LFS server names an address that is not https/);
    assert.equal(kit.server.lfs.objects.size, 0);
  });
});
