/** A path has one spelling; what a server could read in another way is refused. */
import assert from "node:assert/strict";
import { array, assert as check, constantFrom, property } from "fast-check";
import { isBelow, parseProxyPath } from "../../../src/vault/proxy/proxyPath.ts";

const REFUSED = [
  "",
  "a",
  "//a",
  "/a//b",
  "/a/../b",
  "/a/./b",
  "/a/..",
  "/.",
  "/a/%2e%2e/b",
  "/a/%2E./b",
  "/a/.%2e/b",
  "/a/%2e/b",
  "/a%2fb",
  "/a%2Fb",
  "/a%5cb",
  "/a\\b",
  "/a/..%2fb",
  "/a/%252e%252e/b",
  "/a/%252fb",
  "/a/%25252e/b",
  "/a/..;/b",
  "/a/..;x=1/b",
  "/a/.;/b",
  "/a/;/b",
  "/a/..%20/b",
  "/a/%20/b",
  "/a/%00",
  "/a%00.json",
  "/a%0d%0aX:1",
  "/a%7f",
  "/a%zz",
  "/a%2",
  "/a%",
  "/a/%c0%ae%c0%ae/b",
  "/a/%c0%afb",
  "/a/%ff",
  "/a/%ef%bc%8e%ef%bc%8e/b",
  "/a%ef%bc%8fb",
  "/a%ef%bc%bcb",
  "/a/%e2%80%a4%e2%80%a4/b",
  "/a b",
  "/a\u00e9",
  "/a#b",
  "/a?b#c",
  "/a?b c",
  "/a?b\tc",
];

describe("a path at the proxy", () => {
  for (const target of REFUSED) {
    it(`is refused: ${JSON.stringify(target)}`, () => assert.equal(parseProxyPath(target), undefined));
  }

  it("is brought to one spelling", () => {
    const spelt = (target: string): string | undefined => parseProxyPath(target)?.path;
    assert.equal(spelt("/%61%2D%7e/x"), "/a-~/x");
    assert.equal(spelt("/%e2%82%ac"), "/%E2%82%AC");
    assert.equal(spelt("/a[0]/{b}"), "/a%5B0%5D/%7Bb%7D");
    assert.equal(spelt("/100%25/x"), "/100%25/x");
    assert.equal(spelt("/a/"), "/a/");
    assert.equal(spelt("/"), "/");
    assert.equal(spelt("/@scope%3Aname;v=1,2/...x/.well-known"), "/@scope%3Aname;v=1,2/...x/.well-known");
    assert.deepEqual(parseProxyPath("/a?b=../%2e%2e//"), { path: "/a", search: "?b=../%2e%2e//" });
  });

  it("is left as it is by a URL, and by a second look", () => {
    const piece = constantFrom(
      "/",
      ".",
      "%2e",
      "%2f",
      "%25",
      "a",
      "~",
      "%41",
      "[",
      "{",
      "%e2%82%ac",
      ";",
      "%5c",
      "|",
      "^",
      "'",
      "%27",
    );
    check(
      property(array(piece, { maxLength: 10 }), (pieces) => {
        const path = parseProxyPath(`/${pieces.join("")}`)?.path;
        if (path === undefined) return;
        assert.equal(new URL(path, "https://example.com").pathname, path);
        assert.equal(parseProxyPath(path)?.path, path);
        assert.equal(decodeURIComponent(path).split("/").length, path.split("/").length);
      }),
      { seed: 11, numRuns: 5_000 },
    );
  });

  it("is below another by whole segments", () => {
    assert.ok(isBelow("/v1", "/v1") && isBelow("/v1/x", "/v1") && isBelow("/v1/x", "/v1/") && isBelow("/x", "/"));
    assert.ok(!isBelow("/v10", "/v1") && !isBelow("/v", "/v1") && !isBelow("/v1", "/v1/"));
  });
});
