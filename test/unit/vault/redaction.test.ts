/** Values are taken out of bytes and texts in every form, wherever a piece ends, and nothing else is touched. */
import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { mapStrings } from "../../../src/core/redaction.ts";
import { createRedactor } from "../../../src/vault/redactor.ts";
import type { Redactor } from "../../../src/vault/redactor.ts";
import { findForms } from "../../../src/vault/valueForms.ts";

const MARKER = "[redacted: credential]";
const VALUES = ["sk-ant-api03-AbC_dEf-0123456789", `p/w "ü"+%&\\k'ey`, "0123456789abcdef0123456789abcdef"];
const PRIVATE_KEY = `-----BEGIN KEY-----\n${"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC".repeat(2)}\n${"q7Zx".repeat(12)}\n-----END KEY-----`;

function redactorFor(...values: readonly string[]): Redactor {
  const redactor = createRedactor();
  for (const value of values) redactor.add(value);
  return redactor;
}

/** Through a stream, cut at these places. */
function inPieces(redactor: Redactor, bytes: Buffer, cuts: readonly number[]): Buffer {
  const stream = redactor.bytes();
  const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
  const out = edges.slice(1).map((edge, at) => Buffer.from(stream.write(bytes.subarray(edges[at], edge))));
  return Buffer.concat([...out, stream.end()]);
}

function whole(redactor: Redactor, bytes: Buffer): Buffer {
  return inPieces(redactor, bytes, []);
}

describe("the redaction of values", () => {
  const all = [...VALUES, PRIVATE_KEY];
  const redactor = redactorFor(...all);

  it("takes out each form at each split into two, and byte by byte", () => {
    for (const form of all.flatMap((value) => findForms(value).map((bytes) => Buffer.from(bytes)))) {
      const text = Buffer.concat([Buffer.from("before: "), form, Buffer.from(" :after")]);
      const clean = whole(redactor, text).toString("latin1");
      assert.match(clean, /^before: (.{0,3}\[redacted: credential\]){1,4}.{0,3} :after$/s, form.toString("latin1"));
      for (let cut = 1; cut < text.length; cut += 1) {
        assert.equal(inPieces(redactor, text, [cut]).toString("latin1"), clean, `cut at ${cut}`);
      }
      const everywhere = Array.from(text, (_byte, at) => at);
      assert.equal(inPieces(redactor, text, everywhere).toString("latin1"), clean);
    }
  });

  it("gives the same for any pieces of any text, and leaves what is around the forms", () => {
    const forms = all.flatMap((value) => findForms(value));
    const part = fc.oneof(
      fc.constantFrom(...forms).map((form) => Buffer.from(form)),
      fc
        .constantFrom(...forms)
        .chain((form) => fc.nat(form.length - 1).map((length) => Buffer.from(form).subarray(0, length))),
      fc
        .constantFrom("\n", "\r\n", " ", "x".repeat(20), "AAAAAAAAAAAAAAAA\n", "\u001b[1;31m")
        .map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
    );
    const property = fc.property(
      fc.array(part, { maxLength: 8 }),
      fc.array(fc.nat(4_000), { maxLength: 12 }),
      (parts, at) => {
        const text = Buffer.concat(parts);
        const clean = whole(redactor, text);
        const cuts = at.map((place) => place % (text.length + 1));
        assert.equal(inPieces(redactor, text, cuts).toString("latin1"), clean.toString("latin1"));
        for (const form of forms) assert.equal(clean.indexOf(form), -1);
      },
    );
    fc.assert(property, { numRuns: 1_500 });
  });

  it("finds base64 and hex that are broken into lines", () => {
    const secret = VALUES[0] ?? "";
    for (const before of [0, 1, 2, 40, 55]) {
      for (const [encoding, width] of [
        ["base64", 76],
        ["base64", 64],
        ["hex", 60],
      ] as const) {
        const encoded = Buffer.from(`${"#".repeat(before)}${secret}${"!".repeat(70)}`).toString(encoding);
        for (const end of ["\n", "\r\n"]) {
          const text = Buffer.from(encoded.replaceAll(new RegExp(`.{${width}}`, "g"), `$&${end}`));
          const clean = whole(redactor, text).toString();
          assert.ok(clean.includes(MARKER), `${encoding} ${width} ${before}: ${clean}`);
          for (let cut = 1; cut < text.length; cut += 1) {
            assert.equal(inPieces(redactor, text, [cut]).toString(), clean, `cut at ${cut}`);
          }
        }
      }
    }
  });

  it("finds a value within which the colour changes, as searches show it", () => {
    const secret = VALUES[0] ?? "";
    const text = Buffer.from(`a ${secret.slice(0, 7)}\u001b[01;31m\u001b[K${secret.slice(7)}\u001b[m b`);
    assert.equal(whole(redactor, text).toString(), `a ${MARKER}\u001b[m b`);
    for (let cut = 1; cut < text.length; cut += 1) {
      assert.equal(inPieces(redactor, text, [cut]).toString(), `a ${MARKER}\u001b[m b`, `cut at ${cut}`);
    }
  });

  it("finds the lines of a key that are numbered or indented", () => {
    const text = PRIVATE_KEY.split("\n").map((line, at) => `   ${at}\t${line}`);
    const clean = redactor.text(text.join("\n"));
    for (const line of PRIVATE_KEY.split("\n").slice(1, -1)) assert.ok(!clean.includes(line), clean);
  });

  it("holds back no more than could become a form, and nothing where nothing could", () => {
    const stream = redactorFor(VALUES[0] ?? "").bytes();
    const chunk = Buffer.from("ordinary text, quite long, without any beginning of it.\n");
    assert.equal(stream.write(chunk), chunk);
    assert.equal(stream.held, 0);
    stream.write(Buffer.from("sk-ant-api0"));
    assert.equal(stream.held, 11);
    assert.equal(Buffer.from(stream.write(Buffer.from("!"))).toString(), "sk-ant-api0!");
    const many = redactorFor("abababababab").bytes();
    let given = 0;
    for (let round = 0; round < 2_000; round += 1) given += many.write(Buffer.from("ab")).length;
    assert.ok(many.held < 100 && given < 100, "a value that overlaps itself is one stretch, and is not kept");
  });

  it("knows a value from the moment it is added, in streams that are open", () => {
    const late = createRedactor();
    const stream = late.bytes();
    const first = Buffer.from("the value is ");
    assert.equal(stream.write(first), first);
    late.add("late-value-0001");
    assert.equal(Buffer.concat([stream.write(Buffer.from("late-value-0001.")), stream.end()]).toString(), `${MARKER}.`);
  });

  it("gives texts and objects back as the same where nothing is found, and changes names of members too", () => {
    const value = VALUES[0] ?? "";
    const clean = { a: ["text", { b: 1, c: null }], d: "sk-ant" };
    assert.equal(redactor.json(clean), clean);
    const dirty = { [`x${value}`]: [value, 1], kept: clean };
    const found = redactor.json<unknown>(dirty) as typeof dirty;
    assert.deepEqual(found, { [`x${MARKER}`]: [MARKER, 1], kept: clean });
    assert.equal(found.kept, clean);
    const text = `\ud83d lone surrogate`;
    assert.equal(redactor.text(text), text);
    assert.deepEqual(
      mapStrings({ a: "b" }, (part) => part.toUpperCase()),
      { A: "B" },
    );
  });
});
