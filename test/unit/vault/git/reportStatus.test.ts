/** A refused push is answered as git expects it: each ref with its reason, and the whole message where there is a band for it. */
import { strict as assert } from "node:assert";
import { createPacketReader } from "../../../../src/vault/proxy/git/pktLine.ts";
import { errorPacket, refusalReport } from "../../../../src/vault/proxy/git/reportStatus.ts";

const message = "Pushing to refs/heads/main of o/r at github.com is not granted. A person can grant it.";
const changes = ["refs/heads/main", "refs/tags/v1"].map((ref) => ({ from: "", to: "", ref }));

/** Packets as text; a flush is null. */
function packets(bytes: Uint8Array): (string | null)[] {
  const reader = createPacketReader();
  reader.push(bytes);
  const found: (string | null)[] = [];
  for (let next = reader.next(); next !== undefined; next = reader.next()) {
    assert.notEqual(next.kind, "other");
    found.push(next.kind === "data" ? next.data.toString() : null);
  }
  return found;
}

describe("a refusal of a push", () => {
  it("has the whole message for each ref where the client has no bands", () => {
    const report = refusalReport({ changes, capabilities: new Set(["report-status"]) }, message);
    const reason = `Many Hands: ${message}`;
    assert.deepEqual(packets(report), [
      "unpack ok\n",
      `ng refs/heads/main ${reason}\n`,
      `ng refs/tags/v1 ${reason}\n`,
      null,
    ]);
  });

  it("has the message on a band of its own, and its first sentence for each ref", () => {
    const report = refusalReport({ changes, capabilities: new Set(["report-status", "side-band-64k"]) }, message);
    const [told, inner, end, ...more] = packets(report);
    assert.equal(told, `\u0002Many Hands: ${message}\n`);
    assert.deepEqual([end, more], [null, []]);
    const reason = "Many Hands: Pushing to refs/heads/main of o/r at github.com is not granted.";
    assert.deepEqual(packets(Buffer.from(inner!.slice(1))), [
      "unpack ok\n",
      `ng refs/heads/main ${reason}\n`,
      `ng refs/tags/v1 ${reason}\n`,
      null,
    ]);
  });

  it("goes over several packets with many refs, and names none where none could be read", () => {
    const many = Array.from({ length: 3_000 }, (_, at) => ({ from: "", to: "", ref: `refs/heads/b${at}` }));
    const report = refusalReport({ changes: many, capabilities: new Set(["side-band-64k"]) }, message);
    const banded = packets(report).filter((text) => text?.startsWith("\u0001") === true);
    assert.ok(banded.length > 1);
    const inner = packets(Buffer.from(banded.map((text) => text!.slice(1)).join("")));
    assert.equal(inner.length, 3_002);
    assert.deepEqual(packets(refusalReport({ changes: [], capabilities: new Set() }, "No.")), [
      "unpack Many Hands: No.\n",
      null,
    ]);
  });

  it("is one line, however the message is written", () => {
    const report = refusalReport(
      { changes: changes.slice(0, 1), capabilities: new Set() },
      "No.\nok refs/heads/main\r\n\u0007\u2028x",
    );
    assert.equal(packets(report)[1], "ng refs/heads/main Many Hands: No. ok refs/heads/main x\n");
    assert.deepEqual(packets(errorPacket("No.\nWhy?")), ["ERR Many Hands: No. Why?"]);
  });
});
