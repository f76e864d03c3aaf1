/** The head of a push: what it would change is read as git writes it, and whatever could be read otherwise is refused. */
import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { limits } from "../../../../src/core/limits.ts";
import { flushPacket, packet } from "../../../../src/vault/proxy/git/pktLine.ts";
import { createPushReader } from "../../../../src/vault/proxy/git/pushCommands.ts";
import type { PushReading } from "../../../../src/vault/proxy/git/pushCommands.ts";

const zero = "0".repeat(40);
const one = "1".repeat(40);
const two = "2".repeat(40);
const wide = "a".repeat(64);
const caps = " report-status side-band-64k object-format=sha1 agent=git/2.39.5";

function read(...parts: readonly (string | Buffer)[]): PushReading {
  return createPushReader().push(Buffer.concat(parts.map((part) => Buffer.from(part))));
}

function refusal(...parts: readonly (string | Buffer)[]): string {
  const reading = read(...parts);
  assert.equal(reading.state, "refused", JSON.stringify(reading));
  return reading.state === "refused" ? reading.message : "";
}

function refs(reading: PushReading): string[] {
  assert.equal(reading.state, "whole", JSON.stringify(reading));
  return reading.state === "whole" ? reading.head.changes.map(({ ref }) => ref) : [];
}

describe("the head of a push", () => {
  it("is read with several commands, a deletion among them, up to the pack", () => {
    const reading = read(
      packet(`${zero} ${one} refs/heads/agent/a\0${caps} atomic`),
      packet(`${one} ${two} refs/tags/v1\n`),
      packet(`${two} ${zero} refs/heads/old`),
      flushPacket,
      "PACK…",
    );
    assert.deepEqual(refs(reading), ["refs/heads/agent/a", "refs/tags/v1", "refs/heads/old"]);
    assert.ok(reading.state === "whole" && reading.head.capabilities.has("atomic"));
    assert.ok(reading.state === "whole" && reading.head.changes[2]?.to === zero);
  });

  it("is the same however it is cut into pieces", () => {
    const whole = Buffer.concat([
      packet(`${zero} ${one} refs/heads/a\0${caps}`),
      packet(`${one} ${two} refs/heads/b`),
      flushPacket,
    ]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: whole.length - 1 }), { maxLength: 12 }), (cuts) => {
        const places = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
        const reader = createPushReader();
        const readings = places.slice(1).map((to, at) => reader.push(whole.subarray(places[at], to)));
        assert.deepEqual(refs(readings.at(-1)!), ["refs/heads/a", "refs/heads/b"]);
      }),
      { numRuns: 200 },
    );
  });

  it("is empty for the probe before a large push", () => {
    assert.deepEqual(refs(read("0000")), []);
  });

  it("has object ids of SHA-256, and shallow lines before the commands", () => {
    assert.deepEqual(refs(read(packet(`${"0".repeat(64)} ${wide} refs/heads/a\0${caps}`), flushPacket)), [
      "refs/heads/a",
    ]);
    assert.deepEqual(
      refs(
        read(
          packet(`shallow ${one}`),
          packet(`shallow ${two}\n`),
          packet(`${zero} ${one} refs/heads/a\0${caps}`),
          flushPacket,
        ),
      ),
      ["refs/heads/a"],
    );
  });

  it("holds push options, which come after the commands", () => {
    const reading = read(
      packet(`${zero} ${one} refs/heads/a\0${caps} push-options`),
      flushPacket,
      packet("merge_request.create"),
      packet("ci.skip\n"),
      flushPacket,
      "PACK",
    );
    assert.deepEqual(reading.state === "whole" ? [...reading.head.options] : [], ["merge_request.create", "ci.skip"]);
    assert.equal(read(packet(`${zero} ${one} refs/heads/a\0${caps} push-options`), flushPacket).state, "more");
  });

  it("refuses a signed push in words, also where a command comes first", () => {
    assert.match(refusal(packet(`push-cert\0${caps}`), packet("certificate version 0.1\n")), /--no-signed/);
    assert.match(
      refusal(packet(`${zero} ${one} refs/heads/a\0${caps}`), packet("push-cert\0"), flushPacket),
      /--no-signed/,
    );
  });

  it("refuses what a server could read in another way", () => {
    const odd: readonly (string | Buffer)[] = [
      packet(`${zero} ${one}  refs/heads/a`),
      packet(`${zero} ${wide} refs/heads/a`),
      packet(`${zero.slice(1)} ${one} refs/heads/a`),
      packet(`${zero} ${one.toUpperCase().replaceAll("1", "A")} refs/heads/a`),
      packet(`${zero} ${one} refs/heads/a\nb`),
      packet(Buffer.concat([Buffer.from(`${zero} ${one} refs/heads/`), Buffer.from([0xff, 0xfe])])),
      packet(`shallow ${one} ${zero} ${one} refs/heads/main`),
      packet(`shallow ${one}\0x`),
      packet(""),
      "0001",
      "0002",
      "0003",
      "fff1",
      "zzzz",
      "00 5",
    ];
    for (const part of odd) {
      assert.notEqual(refusal(packet(`${zero} ${one} refs/heads/b\0${caps}`), part, flushPacket), "", String(part));
    }
  });

  it("refuses refs outside refs/ and with names that git knows other things by, and the same ref twice", () => {
    const names = [
      "HEAD",
      "refs/",
      "refs/heads/agent/../main",
      "refs/heads//a",
      "refs/heads/.a",
      "refs/heads/a.lock",
      "refs/heads/a b",
    ];
    for (const name of [
      ...names,
      "refs/heads/a\u202Eb",
      "refs/heads/a~1",
      "refs/heads/@{u}",
      "refs/heads/a/",
      "main",
      "refs/heads/*",
    ]) {
      assert.notEqual(refusal(packet(`${zero} ${one} ${name}\0${caps}`), flushPacket), "", name);
    }
    const command = packet(`${zero} ${one} refs/heads/a\0${caps}`);
    assert.match(refusal(command, command, flushPacket), /twice/);
  });

  it("is given up when it goes on for too long", () => {
    const reader = createPushReader();
    const line = packet(`shallow ${one}`);
    const piece = Buffer.concat(Array.from({ length: 1_000 }, () => line));
    let reading: PushReading = { state: "more" };
    for (let sent = 0; reading.state === "more" && sent <= 2 * limits.gitCommandsBytesMax; sent += piece.length) {
      reading = reader.push(piece);
    }
    assert.equal(reading.state, "refused");
  });
});
