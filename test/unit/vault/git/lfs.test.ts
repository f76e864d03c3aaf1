/** Answers of git-lfs lose their addresses and tokens on the way to a hand, and what is kept of them is bounded. */
import { strict as assert } from "node:assert";
import { limits } from "../../../../src/core/limits.ts";
import { createLfsActions } from "../../../../src/vault/proxy/git/lfsActions.ts";
import type { LfsAction } from "../../../../src/vault/proxy/git/lfsActions.ts";
import { parseBatch, rewriteBatch } from "../../../../src/vault/proxy/git/lfsBatch.ts";
import type { FoundAction } from "../../../../src/vault/proxy/git/lfsBatch.ts";

const oid = "a".repeat(64);
const base = new URL("https://git.example/o/r.git/info/lfs/objects/batch");

function rewrite(answer: object): { readonly answer: Record<string, unknown>; readonly found: FoundAction[] } {
  const found: FoundAction[] = [];
  const bytes = rewriteBatch(Buffer.from(JSON.stringify(answer)), base, (one) => `proxy:${found.push(one)}`);
  return { answer: JSON.parse(bytes.toString()) as Record<string, unknown>, found };
}

describe("a batch of git-lfs", () => {
  it("goes on with the one way of transfer that passes, and without fields that are not known", () => {
    const asked = {
      operation: "upload",
      transfers: ["tus", "ssh", "basic"],
      ref: { name: "refs/heads/a", more: 1 },
      objects: [{ oid, size: 1, more: 1 }],
      hash_algo: "sha256",
      more: 1,
    };
    const batch = parseBatch(Buffer.from(JSON.stringify(asked)));
    assert.equal(batch?.ref, "refs/heads/a");
    assert.deepEqual(JSON.parse(batch.body.toString()), {
      operation: "upload",
      transfers: ["basic"],
      ref: { name: "refs/heads/a" },
      objects: [{ oid, size: 1 }],
      hash_algo: "sha256",
    });
    // Where a field is there twice, one of them counts, here and there.
    const twice = parseBatch(Buffer.from(`{"operation":"upload","operation":"download","objects":[]}`));
    assert.equal(twice?.body.toString(), '{"operation":"download","transfers":["basic"],"objects":[]}');
  });

  it("comes back with the proxy's addresses, and no headers", () => {
    const header = {
      Authorization: "Basic c2VjcmV0",
      "X-A": "b",
      Host: "x",
      "Transfer-Encoding": "chunked",
      "bad name": "x",
      bad: "x\r\ny",
      Number: 1,
    };
    const { answer, found } = rewrite({
      transfer: "basic",
      secret: "secret",
      objects: [
        {
          oid,
          size: 1,
          authenticated: false,
          actions: { download: { href: "https://s.example/x?sig=secret", header, expires_in: 5, more: "secret" } },
        },
        {
          oid,
          size: 2,
          actions: {
            upload: { href: "/within?a" },
            verify: { href: "https://git.example/v" },
            other: { href: "https://x" },
          },
        },
        { oid, size: 3, error: { code: 404, message: "none", more: "secret" } },
        { oid, size: 4 },
      ],
    });
    assert.deepEqual(answer, {
      transfer: "basic",
      objects: [
        { oid, size: 1, authenticated: true, actions: { download: { expires_in: 5, href: "proxy:1" } } },
        { oid, size: 2, authenticated: true, actions: { upload: { href: "proxy:2" }, verify: { href: "proxy:3" } } },
        { oid, size: 3, error: { code: 404, message: "none" } },
        { oid, size: 4, authenticated: true },
      ],
    });
    assert.ok(!JSON.stringify(answer).includes("secret"));
    assert.deepEqual(found[0]?.headers, { authorization: "Basic c2VjcmV0", "x-a": "b" });
    assert.equal(found[1]?.href.href, "https://git.example/within?a");
  });

  it("has no address without TLS or with a password in it", () => {
    for (const href of [
      "http://127.0.0.1/x",
      "ftp://x/",
      "https://a:b@x/",
      "file:///etc/passwd",
      "https://",
      1,
      null,
    ]) {
      const { answer, found } = rewrite({ objects: [{ oid, size: 1, actions: { download: { href } } }] });
      assert.deepEqual(found, []);
      assert.match(JSON.stringify(answer), /not https/, String(href));
    }
  });

  it("is refused where it is none", () => {
    for (const text of [
      "",
      "[]",
      "null",
      '{"objects":[]}',
      '{"operation":"upload","objects":{}}',
      `{"operation":"upload","objects":[{"oid":"${oid}","size":"1"}]}`,
    ]) {
      assert.equal(parseBatch(Buffer.from(text)), undefined, text);
    }
    assert.throws(() => rewriteBatch(Buffer.from("{}"), base, () => ""));
  });
});

describe("addresses of objects", () => {
  const action = (owner: string): LfsAction => ({
    owner,
    repository: "https://git.example/o/r",
    name: "download",
    refs: undefined,
    href: base,
    headers: {},
  });

  it("are found by their owner, for their repository, in their time", () => {
    let now = 0;
    const actions = createLfsActions(() => now);
    const id = actions.add(action("a"));
    assert.notEqual(actions.get(id, "a", "https://git.example/o/r"), undefined);
    assert.equal(actions.get(id, "b", "https://git.example/o/r"), undefined);
    assert.equal(actions.get(id, "a", "https://git.example/o/other"), undefined);
    now = limits.lfsActionMs;
    assert.equal(actions.get(id, "a", "https://git.example/o/r"), undefined);
  });

  it("are so many and no more, for one hand and for all", () => {
    const actions = createLfsActions();
    const kept = (ids: readonly string[], owner: string): number =>
      ids.filter((id) => actions.get(id, owner, "https://git.example/o/r") !== undefined).length;
    const first = Array.from({ length: limits.lfsActionsMax + 10 }, () => actions.add(action("a")));
    assert.equal(kept(first, "a"), limits.lfsActionsMax);
    assert.equal(kept(first.slice(-1), "a"), 1);
    const others = Array.from({ length: 6 }, (_, at) =>
      Array.from({ length: limits.lfsActionsMax }, () => actions.add(action(`b${at}`))),
    );
    const all = kept(first, "a") + others.reduce((sum, ids, at) => sum + kept(ids, `b${at}`), 0);
    assert.equal(all, limits.lfsActionsMaxAll);
    assert.equal(kept(others[5]!, "b5"), limits.lfsActionsMax);
  });
});
