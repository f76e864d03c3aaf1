/** Patterns of refs in a grant: a star stands for anything but nothing, and for nothing outside its place. */
import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import * as fc from "fast-check";
import { matchesPattern } from "../../../../src/core/refPattern.ts";
import { isRefName } from "../../../../src/vault/proxy/git/refNames.ts";

function matchesRefs(patterns: readonly string[], refs: readonly string[]): boolean {
  return refs.every((ref) => patterns.some((pattern) => matchesPattern(pattern, ref)));
}

describe("patterns of refs", () => {
  it("mean what stands for their stars, slashes included, and never nothing", () => {
    const cases: readonly (readonly [string, string, boolean])[] = [
      ["refs/heads/agent/*", "refs/heads/agent/a", true],
      ["refs/heads/agent/*", "refs/heads/agent/a/b", true],
      ["refs/heads/agent/*", "refs/heads/agent/", false],
      ["refs/heads/agent/*", "refs/heads/agent", false],
      ["refs/heads/agent/*", "refs/heads/agentx/a", false],
      ["refs/heads/agent/*", "refs/tags/refs/heads/agent/a", false],
      ["refs/heads/main", "refs/heads/main", true],
      ["refs/heads/main", "refs/heads/main2", false],
      ["refs/heads/main", "refs/heads/Main", false],
      ["*", "refs/heads/main", true],
      ["refs/heads/*-fix", "refs/heads/a-fix", true],
      ["refs/heads/*-fix", "refs/heads/-fix", false],
      ["refs/*/a*", "refs/heads/ab", true],
      ["refs/*/a*", "refs/heads/a", false],
      ["a*a", "aa", false],
      ["a*a", "aba", true],
      ["a**b", "axb", false],
      ["a**b", "axyb", true],
      ["", "refs/heads/a", false],
    ];
    for (const [pattern, ref, expected] of cases) {
      assert.equal(matchesPattern(pattern, ref), expected, `${pattern} ${ref}`);
    }
  });

  it("agree with the plain expression that they stand for", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 10 });
    const pattern = fc.string({ unit: fc.constantFrom("a", "b", "/", "*"), maxLength: 8 });
    fc.assert(
      fc.property(pattern, text, (pattern, ref) => {
        const expression = new RegExp(`^${pattern.split("*").join(".+")}$`);
        assert.equal(matchesPattern(pattern, ref), expression.test(ref));
      }),
      { numRuns: 3_000 },
    );
  });

  it("must mean every ref of a push", () => {
    assert.equal(matchesRefs(["refs/heads/a/*", "refs/tags/*"], ["refs/heads/a/b", "refs/tags/v1"]), true);
    assert.equal(matchesRefs(["refs/heads/a/*"], ["refs/heads/a/b", "refs/heads/main"]), false);
  });

  it("are of names that git itself lets pass", () => {
    const unit = fc.constantFrom("a", "B", "/", ".", "-", "@", "{", "~", " ", "*", "lock", "é", "\\", ":");
    fc.assert(
      fc.property(fc.string({ unit, minLength: 1, maxLength: 6 }), (name) => {
        const ref = `refs/${name}`;
        if (isRefName(ref)) execFileSync("git", ["check-ref-format", "--allow-onelevel", ref]);
      }),
      { numRuns: 150 },
    );
  });
});
