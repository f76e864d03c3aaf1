/** A value takes the place of its placeholder in the named fields, and everything else stays as it was written. */
import assert from "node:assert/strict";
import { fillBody } from "../../../src/vault/proxy/placeholders.ts";

const fill = (text: string, type: string, ...places: readonly string[]): string =>
  fillBody(Buffer.from(text), type, places, "a$&\"b'").toString();

describe("placeholders in a body", () => {
  it("are filled in JSON at a pointer", () => {
    const json = '{"a":{"b/c":["{{credential}}","{{credential}}"]},"t~":"x {{credential}}"}';
    assert.deepEqual(JSON.parse(fill(json, "application/json; charset=utf-8", "/a/b~1c/1", "/t~0", "/none/x")), {
      a: { "b/c": ["{{credential}}", "a$&\"b'"] },
      "t~": "x a$&\"b'",
    });
  });

  it("leave numbers as they are written", () => {
    const json = '{"id":12345678901234567890,"n":1.0,"e":1e400,"t":"{{credential}}"}';
    assert.equal(
      fill(json, "application/vnd.x+json", "/t"),
      json.replace("{{credential}}", () => String.raw`a$&\"b'`),
    );
  });

  it("are filled in a form's field", () => {
    const form = "t=%7B%7Bcredential%7D%7D&u=%7B%7Bcredential%7D%7D";
    const filled = new URLSearchParams(fill(form, "application/x-www-form-urlencoded", "t"));
    assert.deepEqual(Array.from(filled), [
      ["t", "a$&\"b'"],
      ["u", "{{credential}}"],
    ]);
  });

  it("change nothing elsewhere", () => {
    const odd = ['{ "a" : "x" }', "{not json {{credential}}", '{"a":7}', "[]", '"{{credential}}"', ""];
    for (const text of odd) assert.equal(fill(text, "application/json", "/a", "a", "", "/a/b", "/__proto__/x"), text);
    assert.equal(fill("t={{credential}}", "text/plain", "t"), "t={{credential}}");
    assert.equal(fill("a=b+c&d", "application/x-www-form-urlencoded", "t"), "a=b+c&d");
  });
});
