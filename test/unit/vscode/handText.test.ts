/** How hands read in the list. */
import { strict as assert } from "node:assert";
import type { HandInfo, HandStatus, HandUse } from "../../../src/core/handInfo.ts";
import type { SessionId } from "../../../src/core/ids.ts";
import { describeHand, describeUse, failureLine, specLine } from "../../../src/vscode/handText.ts";

const status: HandStatus = {
  state: "not_provisioned",
  instance: null,
  description: null,
  progress: null,
  failure: null,
  latency_ms: null,
};
const failure = { message: "No route to host.", origin: "network", at_ms: 1_000 } as const;

function use(change: Partial<HandStatus>): HandUse {
  return { ...status, ...change, session_id: "sesn_0123456789" as SessionId };
}

function info(change: Partial<HandInfo>): HandInfo {
  return {
    spec: { name: "box", kind: "ssh", options: { host: "build" } },
    configured: true,
    provided: true,
    description: "build over SSH",
    uses: [],
    spare: null,
    test: null,
    ...change,
  };
}

describe("a hand in the list", () => {
  it("says its kind, its state, its latency and how many sessions use it", () => {
    const ready = use({ state: "ready", latency_ms: 1.44 });
    assert.equal(describeHand(info({})).description, "ssh");
    assert.equal(describeHand(info({ uses: [ready] })).description, "ssh · ready · 1.4 ms · 1 session");
    assert.equal(describeHand(info({ uses: [ready, use({})] })).description, "ssh · ready · 1.4 ms · 2 sessions");
    assert.equal(
      describeUse(use({ state: "provisioning", progress: "pulling" }), "T").description,
      "provisioning · pulling",
    );
  });

  it("shows the state that a person should look at first, of all its far ends", () => {
    const uses = [use({ state: "ready" }), use({ state: "reconnecting", failure }), use({ state: "provisioning" })];
    assert.equal(describeHand(info({ uses })).status, "reconnecting");
    assert.equal(describeHand(info({ uses: [...uses, use({ failure })] })).status, "failed");
    assert.equal(describeHand(info({ uses: [...uses, use({ state: "lost", failure })] })).status, "lost");
    assert.equal(describeHand(info({ uses: [use({})], spare: { ...status, state: "ready" } })).status, "ready");
  });

  it("shows a failure until the hand is there again", () => {
    assert.equal(describeHand(info({ uses: [use({ failure })] })).failure, failure);
    assert.equal(describeHand(info({ uses: [use({ state: "ready", failure })] })).failure, null);
    assert.equal(describeUse(use({ failure }), "").description, "failed");
    assert.match(failureLine(failure), /network: No route to host\./);
  });

  it("shows what its last test has shown as long as nobody uses it", () => {
    const test = { at_ms: 1, provision_ms: 400, latency_ms: 12.4, description: "d", failure: null };
    assert.equal(describeHand(info({ test })).description, "ssh · answers · 12 ms");
    assert.equal(describeHand(info({ test: { ...test, latency_ms: null, failure } })).status, "failed");
    assert.equal(describeHand(info({ test: { ...test, failure }, uses: [use({ state: "ready" })] })).status, "ready");
  });

  it("says when nobody provides its kind", () => {
    assert.match(describeHand(info({ provided: false })).status, /nobody provides/);
  });

  it("can be restarted only while there is a far end", () => {
    assert.equal(describeHand(info({ uses: [use({ state: "reconnecting" })] })).isLiving, true);
    assert.equal(describeHand(info({ uses: [use({ state: "lost" })] })).isLiving, false);
  });

  it("has its spec in one line", () => {
    const spec = { name: "pod", kind: "command", prewarm: true, options: { argv: ["kubectl", "exec"], memory: 3 } };
    assert.equal(specLine(spec), "command · argv: kubectl exec · memory: 3 · provisioned when a session begins");
  });
});
