/** Lines: what is written is what is read, and nothing else passes for it. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { NewEvent } from "../../../src/core/events.ts";
import type { EventId } from "../../../src/core/ids.ts";
import { limits } from "../../../src/core/limits.ts";
import { copyOf } from "../../../src/session/jsonCopy.ts";
import { decodeLine, encodeLine, findLines } from "../../../src/session/line.ts";
import { prepareEvent } from "../../../src/session/newEvent.ts";
import { ids } from "./support.ts";

const TIME = "2026-01-01T00:00:00.000Z";
const payload = fc.dictionary(
  fc.string({ unit: "binary", maxLength: 8 }).map((name) => `x${name}`),
  fc.jsonValue(),
);
const anyLine = fc
  .tuple(fc.integer({ min: 1, max: 2 ** 32 - 1 }), payload)
  .map(([seq, members]) =>
    encodeLine(seq, `sevt_${seq}` as EventId, "user.message", TIME, JSON.stringify(members).slice(1, -1)),
  );

describe("a line of the log", () => {
  it("gives back any payload", () => {
    fc.assert(
      fc.property(payload, (members) => {
        const line = encodeLine(7, "sevt_a" as EventId, "user.message", TIME, JSON.stringify(members).slice(1, -1));
        assert.equal(line.indexOf(10), line.length - 1);
        const read = JSON.parse(JSON.stringify(members)) as object;
        const event = { seq: 7, id: "sevt_a", type: "user.message", processed_at: TIME, ...read };
        assert.deepEqual(decodeLine(line.subarray(0, -1)), event);
      }),
    );
  });

  it("has its members in the order and the checksum in the place that the format says", () => {
    const line = encodeLine(7, "sevt_a" as EventId, "user.interrupt", TIME, "");
    assert.equal(
      line.toString(),
      `{"seq":7,"id":"sevt_a","type":"user.interrupt","processed_at":"${TIME}","crc":"9ce55163"}\n`,
    );
  });

  it("is found among any other bytes, as often as it is there", () => {
    const junk = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.constantFrom('{"seq":', ',"crc":"00000000"}', '{"seq":1,"id":"').map((text) => new TextEncoder().encode(text)),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(junk, anyLine), { maxLength: 6 }), junk, (parts, last) => {
        const bytes = Buffer.concat([...parts.flatMap(([before, line]) => [before, line.subarray(0, -1)]), last]);
        assert.deepEqual(
          findLines(bytes).map(({ event }) => event),
          parts.map(([, line]) => decodeLine(line.subarray(0, -1))),
        );
      }),
    );
  });

  it("does not take a line for an event that lacks what every event has", () => {
    for (const [seq, id, type] of [
      [0, "a", "b"],
      [1.5, "a", "b"],
      [2 ** 32, "a", "b"],
    ] as const) {
      const line = encodeLine(seq, id as EventId, type, TIME, "");
      assert.equal(decodeLine(line.subarray(0, -1)), null);
    }
    assert.equal(decodeLine(Buffer.alloc(0)), null);
    assert.equal(decodeLine(Buffer.from(',"crc":"00000000"}')), null);
  });
});

describe("the preview of a long event", () => {
  const long = fc.string({ minLength: 2_000, maxLength: 3_000 });
  const deep = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 6 },
      long,
      fc.integer(),
      fc.array(tie("value"), { maxLength: 60 }),
      fc.dictionary(fc.string({ maxLength: 30 }), tie("value"), { maxKeys: 60 }),
    ),
  })).value;

  it("fits into a line whatever the content is, and keeps the members that are no content", () => {
    fc.assert(
      fc.property(deep, fc.nat(200_000), (input, more) => {
        const event = {
          type: "agent.tool_use",
          model_request_start_id: ids.eventId(),
          name: "bash",
          input: { input, more: "m".repeat(more) },
          evaluated_permission: "ask",
          block_id: "toolu_1",
          hand: "local",
        };
        const { members, payload: whole } = prepareEvent(event as NewEvent, ids);
        const line = encodeLine(1, ids.eventId(), event.type, TIME, members);
        assert.ok(line.length <= limits.logLineBytesMax + 1);
        const { input: given, type: _type, ...rest } = event;
        const stored = decodeLine(line.subarray(0, -1)) as unknown as Record<string, unknown>;
        for (const [name, value] of Object.entries(rest)) assert.deepEqual(stored[name], value);
        assert.equal(whole === null, stored["payload_ref"] === undefined);
        if (whole === null) assert.deepEqual(stored["input"], JSON.parse(JSON.stringify(given)));
        else {
          assert.deepEqual(
            JSON.parse(Buffer.from(whole.bytes).toString()),
            JSON.parse(JSON.stringify({ ...rest, input: given })),
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  it("does not cut a character in two", () => {
    const text = "a" + "😀".repeat(limits.logLineBytesMax);
    const { members } = prepareEvent({ type: "user.message", content: [{ type: "text", text }] }, ids);
    const { content } = JSON.parse(`{${members}}`) as { content: [{ text: string }] };
    assert.ok(content[0].text.isWellFormed());
    assert.ok(text.startsWith(content[0].text));
  });
});

describe("the copy of a payload", () => {
  it("is what JSON would give back, whatever the payload is", () => {
    const other = fc.oneof(
      fc.double(),
      fc.constantFrom(undefined, -0, new Date(0), Array(2), { toJSON: () => "own" }, new Map(), Object("boxed")),
    );
    const anything = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue(),
        other,
        fc.array(tie("value")),
        fc.dictionary(fc.string(), tie("value")),
      ),
    })).value;
    fc.assert(
      fc.property(fc.dictionary(fc.string(), anything), (value) => {
        const json = JSON.stringify(value);
        assert.deepEqual(copyOf(value, json), JSON.parse(json));
      }),
      { numRuns: 500 },
    );
  });

  it("is there for payloads that are nested very deep", () => {
    const depth = 3_000;
    const json = `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    assert.equal(JSON.stringify(copyOf(JSON.parse(json) as Record<string, unknown>, json)), json);
  });
});
