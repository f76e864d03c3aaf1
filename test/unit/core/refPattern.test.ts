/** Patterns of refs: what they match, and which of them reach what others build on. */
import { strict as assert } from "node:assert";
import { matchesPattern, refsOf, sharedRefs, shortRef } from "../../../src/core/refPattern.ts";

describe("a pattern", () => {
  it("stands with * for anything but nothing, and for itself otherwise", () => {
    assert.ok(matchesPattern("refs/heads/agent/*", "refs/heads/agent/a/b"));
    assert.ok(!matchesPattern("refs/heads/agent/*", "refs/heads/agent/"));
    assert.ok(!matchesPattern("refs/heads/a.b", "refs/heads/aXb"));
    assert.ok(!matchesPattern("refs/heads/main", "refs/heads/main2"));
  });

  it("is of a shared ref where it is one or covers one", () => {
    const shared = ["refs/heads/main", "refs/heads/Master", "refs/heads/release", "refs/heads/release/2.1"];
    const wide = ["refs/heads/*", "refs/*", "*", "refs/heads/m*", "refs/heads/release-*", "refs/tags/*"];
    const own = ["refs/heads/agent/*", "refs/heads/fix", "refs/heads/mainly", "refs/heads/agent/main", "refs/notes/x"];
    assert.deepEqual(sharedRefs([...shared, ...own, ...wide]), [...shared, ...wide]);
  });

  it("is read from what a person types: a name alone is a branch", () => {
    assert.deepEqual(refsOf(" agent/*, refs/tags/v1 agent/* "), ["refs/heads/agent/*", "refs/tags/v1"]);
    assert.deepEqual(["refs/heads/a/b", "refs/tags/v1", "refs/notes/x"].map(shortRef), [
      "a/b",
      "tag v1",
      "refs/notes/x",
    ]);
  });
});
