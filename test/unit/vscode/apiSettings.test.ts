/** What the settings say about HTTP APIs. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { parseApiSettings } from "../../../src/vscode/apiSettings.ts";

describe("the APIs of the settings", () => {
  it("have an address and a credential, by default the one of the same name", () => {
    const { apis, problems } = parseApiSettings({
      weather: { url: "https://api.example.com/v2" },
      mail: { url: "https://mail.example.com", credential: "post", placeholders: ["header:X-Key", "body:/auth/token"] },
    });
    assert.deepEqual(problems, []);
    assert.deepEqual(apis, [
      { name: "weather", base_url: "https://api.example.com/v2", credential: "weather", placeholders: [] },
      {
        name: "mail",
        base_url: "https://mail.example.com",
        credential: "post",
        placeholders: [
          { in: "header", name: "X-Key" },
          { in: "body", name: "/auth/token" },
        ],
      },
    ]);
  });

  it("work beside ones that are wrong, each of which is named", () => {
    const { apis, problems } = parseApiSettings({
      good: { url: "http://127.0.0.1:8080" },
      "Bad Name": { url: "https://a.example" },
      plain: { url: "http://a.example" },
      secret: { url: "https://me:pw-3f9c1e77@a.example" },
      places: { url: "https://a.example", placeholders: ["cookie:a"] },
      none: 7,
    });
    assert.deepEqual(
      apis.map(({ name }) => name),
      ["good"],
    );
    assert.equal(problems.length, 5);
    assert.ok(!problems.join().includes("3f9c1e77"));
  });

  it("are read from anything at all without failing", () => {
    fc.assert(
      fc.property(fc.anything(), (value) =>
        parseApiSettings(value).apis.every(({ base_url }) => URL.canParse(base_url)),
      ),
    );
  });
});
