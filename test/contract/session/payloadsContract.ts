/** Contract of a session store: long payloads and blobs. */
import assert from "node:assert/strict";
import type { NewEvent } from "../../../src/core/events.ts";
import { limits } from "../../../src/core/limits.ts";
import { freshFixture, ids, message, rejectsWith } from "./contractSupport.ts";
import type { World } from "./contractSupport.ts";

export function describePayloads(createWorld: () => Promise<World>): void {
  const own = freshFixture(createWorld);

  describe("long payloads", () => {
    it("leaves a preview of the same shape in the log and gives the whole payload when asked", async () => {
      const long = "start " + "é".repeat(limits.logLineBytesMax);
      const event: NewEvent = {
        type: "agent.tool_result",
        tool_use_id: ids.eventId(),
        content: [
          { type: "text", text: "short" },
          { type: "text", text: long },
        ],
        is_error: false,
        outcome: { kind: "exited", code: 3 },
      };
      const [stored] = await own.log.append([event]);
      const [read] = await own.log.getEvents({ from: 2 });
      assert.deepEqual(read, stored);
      const { content, payload_ref, ...rest } = read as unknown as {
        content: { text: string }[];
        payload_ref: object;
      };
      assert.ok(payload_ref !== undefined);
      assert.equal(content.length, 2);
      assert.equal(content[0]?.text, "short");
      assert.ok(long.startsWith(content[1]?.text ?? "?") && content[1]!.text.length <= limits.previewStringCharsMax);
      const { type, tool_use_id, is_error, outcome } = event;
      assert.deepEqual(rest, {
        seq: 2,
        id: stored?.id,
        type,
        processed_at: stored?.processed_at,
        tool_use_id,
        is_error,
        outcome,
      });
      const [whole] = await (await own.reopened()).getEvents({ from: 2, resolve: true });
      assert.deepEqual(whole, { seq: 2, id: stored?.id, processed_at: stored?.processed_at, ...event });
    });

    it("never cuts what the state is made of", async () => {
      const long = "why not: " + "n".repeat(2 * limits.logLineBytesMax);
      const start = ids.eventId();
      const use = ids.eventId();
      const usage = { input_tokens: 1, output_tokens: 1, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
      await own.log.append([
        { type: "span.model_request_start", id: start, model: "m", purpose: "turn" },
        {
          type: "agent.tool_use",
          id: use,
          model_request_start_id: start,
          name: "bash",
          input: { command: long, many: Array.from({ length: 50_000 }, (_, at) => ({ at })) },
          evaluated_permission: "ask",
          block_id: "toolu_1",
          hand: "local",
        },
        {
          type: "span.model_request_end",
          model_request_start_id: start,
          is_error: false,
          model_usage: usage,
          stop_reason: "tool_use",
        },
      ]);
      await own.log.append([{ type: "user.tool_confirmation", tool_use_id: use, result: "deny", deny_message: long }]);
      const [pending] = (await own.reopened()).state().unanswered;
      assert.deepEqual(pending?.confirmation, { result: "deny", deny_message: long });
      assert.equal(pending.name, "bash");
      const [cut] = await (await own.store.open(own.id)).getEvents({ types: ["agent.tool_use"] });
      assert.ok(Buffer.byteLength(JSON.stringify(cut)) <= limits.logLineBytesMax);
    });

    it("finds a long event by its id like any other", async () => {
      const event = message("m".repeat(2 * limits.logLineBytesMax), ids.eventId());
      const [first] = await own.log.append([event]);
      assert.deepEqual(await own.log.append([event]), [first]);
    });
  });

  describe("blobs", () => {
    it("gives bytes back by their hash, whole or in part", async () => {
      const bytes = Buffer.from(Array.from({ length: 5_000 }, (_, at) => at % 256));
      const ref = await own.log.putBlob(bytes);
      assert.equal(ref.bytes, bytes.length);
      assert.match(ref.sha256, /^[0-9a-f]{64}$/);
      assert.deepEqual(Buffer.from(await own.log.readBlob(ref)), bytes);
      assert.deepEqual(Buffer.from(await own.log.readBlob(ref, { offset: 10, bytes: 5 })), bytes.subarray(10, 15));
      assert.deepEqual(Buffer.from(await own.log.readBlob(ref, { offset: 4_990, bytes: 100 })), bytes.subarray(4_990));
      assert.equal((await own.log.readBlob(ref, { offset: 9_000, bytes: 1 })).length, 0);
    });

    it("makes the same blob of the same bytes, in one piece or in many, waited for or not", async () => {
      const ref = await own.log.putBlob(Buffer.from("one two three"));
      const writer = await own.log.createBlob();
      const written = ["one ", "two ", "three"].map((part) => writer.write(Buffer.from(part)));
      await Promise.all(written);
      assert.deepEqual(await writer.finish(), ref);
    });

    it("leaves nothing of a blob that was discarded", async () => {
      const writer = await own.log.createBlob();
      await writer.write(Buffer.from("secret"));
      await writer.discard();
      const sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
      await rejectsWith("blob_missing", own.log.readBlob({ sha256, bytes: 6 }));
    });

    it("says when a reference is to nothing, or is none", async () => {
      await rejectsWith("blob_missing", own.log.readBlob({ sha256: "0".repeat(64), bytes: 1 }));
      await rejectsWith("blob_missing", own.log.readBlob({ sha256: "../../etc/passwd", bytes: 1 }));
    });

    it("keeps an empty blob", async () => {
      const ref = await own.log.putBlob(new Uint8Array());
      assert.equal((await own.log.readBlob(ref)).length, 0);
    });
  });
}
