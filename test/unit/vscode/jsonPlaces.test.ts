/** Places of values in the text of a settings file. */
import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { nodeAt, parseJsonPlaces, positionAt } from "../../../src/vscode/jsonPlaces.ts";

const SETTINGS = `// mine
{
  "editor.tabSize": 2, /* two */
  "manyHands.hands": [
    { "name": "box", "kind": "command", "options": { "argv": ["sh"] } },
    { "name": "a b" }, // not a name
  ],
}`;

function textAt(text: string, place: readonly (string | number)[]): string {
  const root = parseJsonPlaces(text);
  assert.ok(root !== null);
  const { start, end } = nodeAt(root, place);
  return text.slice(start, end);
}

describe("places in a settings file", () => {
  it("are found behind comments and before trailing commas", () => {
    assert.equal(textAt(SETTINGS, ["manyHands.hands", 1, "name"]), '"a b"');
    assert.equal(textAt(SETTINGS, ["manyHands.hands", 0, "options", "argv"]), '["sh"]');
    assert.deepEqual(positionAt(SETTINGS, SETTINGS.indexOf('"a b"')), { line: 5, character: 14 });
  });

  it("are the last that is there where one is missing", () => {
    assert.equal(textAt(SETTINGS, ["manyHands.hands", 1, "kind"]), '{ "name": "a b" }');
  });

  it("give the values that JSON.parse gives, for any JSON", () => {
    fc.assert(
      fc.property(fc.json(), fc.boolean(), (json, isSpaced) => {
        // A member named __proto__ is data here and there.
        const text = isSpaced ? JSON.stringify(JSON.parse(json), null, 2) : json;
        assert.deepEqual(parseJsonPlaces(text)?.value, JSON.parse(text));
      }),
    );
  });

  it("are read up to the damage while somebody types, and no text makes the reading fail or hang", () => {
    assert.equal(textAt('{"a": [1, {"b": "x"', ["a", 1, "b"]), '"x"');
    fc.assert(fc.property(fc.string(), (text) => void parseJsonPlaces(`{"a": [${text}`)));
    fc.assert(fc.property(fc.nat(SETTINGS.length), (length) => void parseJsonPlaces(SETTINGS.slice(0, length))));
    assert.equal(parseJsonPlaces(" // nothing"), null);
    parseJsonPlaces("[".repeat(100_000));
  });
});
