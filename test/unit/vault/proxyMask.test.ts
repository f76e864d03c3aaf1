/** Values are found in a stream wherever they are split, and nothing else is changed or held back. */
import assert from "node:assert/strict";
import { array, assert as check, constantFrom, property } from "fast-check";
import { matcherOf, maskText, ValueMask } from "../../../src/vault/proxy/valueMask.ts";
import type { FormMatcher } from "../../../src/vault/formMatcher.ts";

function matching(...forms: readonly string[]): FormMatcher {
  const matcher = matcherOf(forms.map((form) => Buffer.from(form)));
  assert.ok(matcher !== null);
  return matcher;
}

/** What comes out for these chunks, each by itself; the last is what comes at the end. */
function run(matcher: FormMatcher, chunks: readonly string[]): string[] {
  const mask = new ValueMask(matcher);
  const out = chunks.map((chunk) => mask.push(Buffer.from(chunk)).toString());
  return [...out, mask.end().toString()];
}

/** The same, slowly and in one piece. */
function expected(forms: readonly string[], text: string): string {
  const out = Array.from(text);
  for (const form of forms) {
    for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + 1)) out.fill("*", at, at + form.length);
  }
  return out.join("");
}

describe("the mask of values", () => {
  it("is as long as the value", () => {
    assert.equal(maskText(matching("secret-1", "c2VjcmV0"), "a secret-1 b c2VjcmV0!"), "a ******** b ********!");
  });

  it("finds a value that is split anywhere", () => {
    const text = "before secret-value after";
    for (let at = 0; at <= text.length; at += 1) {
      for (let next = at; next <= text.length; next += 1) {
        const out = run(matching("secret-value"), [text.slice(0, at), text.slice(at, next), text.slice(next)]).join("");
        assert.equal(out, "before ************ after");
      }
    }
  });

  it("holds back only what could be a value's beginning", () => {
    assert.deepEqual(run(matching("secret-value"), ["data: x\n\n", "a sec", "ond", "secret-valu"]), [
      "data: x\n\n",
      "a ",
      "second",
      "",
      "secret-valu",
    ]);
  });

  it("leaves what it was given as it is", () => {
    const chunk = Buffer.from("a secret-value");
    new ValueMask(matching("secret-value")).push(chunk);
    assert.equal(chunk.toString(), "a secret-value");
  });

  it("gives what a slow search gives, for forms that overlap and hold each other", () => {
    // Few letters, so that much looks like a beginning.
    const letters = array(constantFrom("a", "b", "c"), { minLength: 4, maxLength: 9 }).map((list) => list.join(""));
    const chunk = array(constantFrom("a", "b", "c"), { maxLength: 12 }).map((list) => list.join(""));
    check(
      property(array(letters, { minLength: 1, maxLength: 4 }), array(chunk, { maxLength: 12 }), (forms, chunks) => {
        assert.equal(run(matching(...forms), chunks).join(""), expected(forms, chunks.join("")));
      }),
      { seed: 7, numRuns: 3_000 },
    );
  });

  it("looks for nothing where there is nothing to look for", () => {
    assert.equal(matcherOf([]), null);
    assert.equal(matcherOf([Buffer.from("abc")]), null);
  });
});
