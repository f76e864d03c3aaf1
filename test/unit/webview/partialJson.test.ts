/** An input that is still being written. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { partialObject } from "../../../src/webview/partialJson.ts";

describe("the members of an object that is being written", () => {
  it("are there as soon as they are whole, and the last string as far as it goes", () => {
    assert.deepEqual(partialObject('{"file_path":"a.ts","content":"first li'), {
      file_path: "a.ts",
      content: "first li",
    });
    assert.deepEqual(partialObject('{"command":"ls","time'), { command: "ls" });
    assert.deepEqual(partialObject('{"command":"a\\'), { command: "a" });
    assert.deepEqual(partialObject('{"command":"a\\u00'), { command: "a" });
    assert.deepEqual(partialObject('{"comm'), {});
    assert.deepEqual(partialObject("no JSON"), {});
  });

  it("never differ from what they will be, but for the last string's end", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(), (value, at) => {
        const whole = JSON.stringify(value);
        const known = partialObject(whole.slice(0, at % (whole.length + 1)));
        const final = JSON.parse(whole) as Record<string, unknown>;
        const names = Object.keys(known);
        for (const name of names.slice(0, -1)) assert.deepEqual(known[name], final[name]);
        const last = names.at(-1);
        if (last === undefined || typeof final[last] !== "string") return;
        assert.ok(final[last].startsWith(String(known[last])));
      }),
      { numRuns: 500 },
    );
  });
});
