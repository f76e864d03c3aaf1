/** Which repository a path is about: every server's way of writing one, and no way to mean another than is read. */
import { strict as assert } from "node:assert";
import { parseGitPath } from "../../../../src/vault/proxy/git/gitPath.ts";
import { parseProxyPath } from "../../../../src/vault/proxy/proxyPath.ts";

const fetching = "?service=git-upload-pack";

function repository(base: string): string {
  const parsed = parseGitPath("GET", `/github.com${base}/info/refs`, fetching);
  return "refused" in parsed ? `refused: ${parsed.refused}` : parsed.repository;
}

describe("an address of a repository", () => {
  it("is owner and name, with and without .git, in groups, and as Azure DevOps and Bitbucket write it", () => {
    assert.equal(repository("/owner/name"), "owner/name");
    assert.equal(repository("/owner/name.git"), "owner/name");
    assert.equal(repository("/group/sub/deep/name.git"), "group/sub/deep/name");
    assert.equal(repository("/org/My%20Project/_git/repo"), "org/My%20Project/_git/repo");
    assert.equal(repository("/scm/proj/name.git"), "scm/proj/name");
    assert.equal(repository("/owner/name.git.git"), "owner/name.git");
    assert.equal(repository("/~me/name"), "~me/name");
    // In a grant it would stand for every repository.
    for (const pattern of ["/owner/*", "/*", "/owner/na*e.git"]) assert.match(repository(pattern), /^refused: /);
  });

  it("keeps the path that the hand asked for, and says what is wanted", () => {
    const wanted = (method: string, path: string, search = ""): unknown => {
      const parsed = parseGitPath(method, path, search);
      return "refused" in parsed ? parsed : [parsed.origin, parsed.base, parsed.wants];
    };
    const origin = "https://github.com";
    assert.deepEqual(wanted("GET", "/github.com/o/r.git/info/refs", "?service=git-receive-pack"), [
      origin,
      "/o/r.git",
      { what: "refs", service: "git-receive-pack" },
    ]);
    assert.deepEqual(wanted("POST", "/github.com/o/r/git-upload-pack"), [
      origin,
      "/o/r",
      { what: "pack", service: "git-upload-pack" },
    ]);
    assert.deepEqual(wanted("POST", "/LocalHost:8443/o/r.git/info/lfs/objects/batch"), [
      "https://localhost:8443",
      "/o/r.git",
      { what: "lfs", rest: "objects/batch" },
    ]);
    assert.deepEqual(wanted("POST", "/github.com:443/o/r/git-receive-pack"), [
      origin,
      "/o/r",
      { what: "pack", service: "git-receive-pack" },
    ]);
  });

  it("is refused where a host has more than one spelling, or none", () => {
    const hosts = [
      "127.1",
      "0x7f.0.0.1",
      "2130706433",
      "github.com.",
      "github.com.:443",
      "a@b",
      "git hub",
      "github.com:99999",
      "-",
      "%67ithub.com",
      "host:",
      "github.com:0443",
    ];
    for (const host of hosts) {
      assert.ok("refused" in parseGitPath("GET", `/${host}/o/r/info/refs`, fetching), host);
    }
  });

  it("is refused with tricks in its path", () => {
    const paths = [
      "/o/../r",
      "/o/./r",
      "/o//r",
      "/o/r.git/.git",
      "/o/r/info/refs",
      "/o/%2e%2e/r",
      "/o/r%2f..%2fx",
      "/o/r/",
      "",
      "/o/r/git-receive-pack/x",
      "/o\\r",
    ];
    for (const path of paths) {
      const full = `/github.com${path}/info/refs`;
      assert.ok("refused" in parseGitPath("GET", full, fetching), path);
      // The proxy's own check comes first; what it lets pass is the normal form.
      const normal = parseProxyPath(full)?.path;
      if (normal !== undefined) assert.ok("refused" in parseGitPath("GET", normal, fetching), normal);
    }
  });

  it("is refused with another method or query than git's", () => {
    const odd: readonly (readonly [string, string, string])[] = [
      ["POST", "/info/refs", fetching],
      ["GET", "/git-receive-pack", ""],
      ["PUT", "/git-receive-pack", ""],
      ["POST", "/git-receive-pack", "?x"],
      ["GET", "/info/refs", "?service=git-upload-archive"],
      ["GET", "/info/refs", "?service=git-upload-pack&service=git-receive-pack"],
      ["GET", "/archive/main.zip", ""],
    ];
    for (const [method, ending, search] of odd) {
      assert.ok("refused" in parseGitPath(method, `/github.com/o/r${ending}`, search), `${method} ${ending}${search}`);
    }
  });

  it("says that the old protocol over HTTP does not pass", () => {
    for (const ending of ["/info/refs", "/HEAD", "/objects/info/packs", "/objects/12/345"]) {
      const parsed = parseGitPath("GET", `/github.com/o/r.git${ending}`, "");
      assert.match("refused" in parsed ? parsed.refused : "", /smart protocol/, ending);
    }
  });
});
