/** Addresses of hands in file names. */
import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { handAuthority, parseHandAuthority } from "../../../src/vscode/handUri.ts";

describe("the address of a hand's files", () => {
  it("is short for the names that hands have", () => {
    const address = { sessionId: "sesn_01K9ABCD", hand: "build-1" };
    assert.equal(handAuthority(address), "sesn_01~k9abcd~+build-1");
    assert.equal(handAuthority({ sessionId: null, hand: "box" }), "settings+box");
  });

  it("comes back as it was for any session and any name, also when VS Code writes it small", () => {
    const text = fc.string({ minLength: 1, unit: "grapheme" });
    fc.assert(
      fc.property(fc.stringMatching(/^sesn_[0-9A-Za-z]{10,40}$/), text, (sessionId, hand) => {
        const authority = handAuthority({ sessionId, hand });
        assert.match(authority, /^[a-z0-9_.~+-]+$/);
        assert.deepEqual(parseHandAuthority(authority), { sessionId, hand });
      }),
    );
    fc.assert(
      fc.property(text, (hand) => {
        assert.deepEqual(parseHandAuthority(handAuthority({ sessionId: null, hand })), { sessionId: null, hand });
      }),
    );
  });

  it("is none where it is anything else", () => {
    for (const wrong of ["", "box", "+", "a+", "+a", "a+b+c"]) assert.equal(parseHandAuthority(wrong), null, wrong);
    fc.assert(fc.property(fc.string(), (wrong) => void parseHandAuthority(wrong)));
  });
});
