/** What the harness does next, by the state alone. */
import { strict as assert } from "node:assert";
import { decide } from "../../../../src/brain/harness/decide.ts";
import type { Begun } from "../../../../src/brain/harness/decide.ts";
import type { EventId } from "../../../../src/core/ids.ts";
import { limits } from "../../../../src/core/limits.ts";
import { EMPTY_STATE } from "../../../../src/core/sessionState.ts";
import type { PendingToolUse, SessionState } from "../../../../src/core/sessionState.ts";

function use(name: string, changes: Partial<PendingToolUse> = {}): PendingToolUse {
  return {
    id: `sevt_${name}` as EventId,
    seq: 5,
    turn_start_id: "sevt_turn" as EventId,
    name,
    hand: "local",
    permission: "allow",
    confirmation: null,
    started: null,
    ...changes,
  };
}

function decided(changes: Partial<SessionState>, running: readonly string[] = []): ReturnType<typeof decide> {
  const begun: Begun = {
    running: new Set(running.map((name) => `sevt_${name}` as EventId)),
    isParallel: (candidate) => candidate.name.startsWith("read"),
  };
  return decide({ ...EMPTY_STATE, seq: 9, status: "running", ...changes }, begun);
}

const queued = [{ id: "sevt_m" as EventId, seq: 8 }];
const ask = { permission: "ask" } as const;

describe("the next decision of the harness", () => {
  it("closes a request that a crash left open, before anything else", () => {
    const open_request = {
      start_id: "sevt_s" as EventId,
      start_seq: 4,
      seen_seq: 3,
      purpose: "turn",
      tool_uses: [],
    } as const;
    assert.deepEqual(decided({ open_request, interrupt_seq: 9 }), { kind: "close_request", start_id: "sevt_s" });
  });

  it("runs parallel calls together, and a call that must be alone by itself", () => {
    const unanswered = [use("read1"), use("read2"), use("bash"), use("read3")];
    assert.deepEqual(decided({ unanswered }), { kind: "execute", ids: ["sevt_read1", "sevt_read2"] });
    assert.deepEqual(decided({ unanswered }, ["read1", "read2"]), { kind: "wait" });
    const rest = unanswered.slice(2);
    assert.deepEqual(decided({ unanswered: rest }), { kind: "execute", ids: ["sevt_bash"] });
    assert.deepEqual(decided({ unanswered: rest }, ["bash"]), { kind: "wait" });
  });

  it("does not let the calls of one hand hold up those of another", () => {
    const unanswered = [use("bash"), use("bash2", { hand: "far" })];
    assert.deepEqual(decided({ unanswered }), { kind: "execute", ids: ["sevt_bash", "sevt_bash2"] });
  });

  it("asks only when nothing runs, once, and goes on when all is answered", () => {
    const unanswered = [use("read1"), use("bash", ask)];
    assert.deepEqual(decided({ unanswered }), { kind: "execute", ids: ["sevt_read1"] });
    const waiting = { unanswered: [use("bash", ask)] };
    assert.deepEqual(decided(waiting), { kind: "require_action", ids: ["sevt_bash"] });
    const stop_reason = { type: "requires_action", event_ids: ["sevt_bash" as EventId] } as const;
    assert.deepEqual(decided({ ...waiting, status: "idle", stop_reason, idle_seq: 9 }), { kind: "done" });
    const allowed = use("bash", { ...ask, confirmation: { result: "allow", deny_message: null } });
    assert.deepEqual(decided({ unanswered: [allowed] }), { kind: "execute", ids: ["sevt_bash"] });
  });

  it("runs a call whose tool was allowed for the session meanwhile", () => {
    assert.equal(decided({ unanswered: [use("bash", ask)], allowed: ["local/bash"] }).kind, "execute");
    assert.equal(decided({ unanswered: [use("bash", ask)], allowed: ["far/bash"] }).kind, "require_action");
  });

  it("answers what was denied or cannot run", () => {
    const denied = use("bash", { ...ask, confirmation: { result: "deny", deny_message: "no" } });
    assert.equal(decided({ unanswered: [denied] }).kind, "refuse");
    assert.equal(decided({ unanswered: [use("nothing", { permission: "deny" })] }).kind, "refuse");
  });

  it("asks for a call that was begun before a crash, whatever its permission says", () => {
    const begun = use("bash", { ...ask, started: { instance: "i" } });
    assert.deepEqual(decided({ unanswered: [begun] }), { kind: "execute", ids: ["sevt_bash"] });
  });

  it("ends what runs when the person says stop, then rests or takes what waits", () => {
    const unanswered = [use("bash"), use("bash2", ask)];
    const stopped = decided({ unanswered, interrupt_seq: 9 }, ["bash"]);
    assert.deepEqual(stopped, { kind: "stop", running: ["sevt_bash"], not_begun: ["sevt_bash2"] });
    assert.deepEqual(decided({ interrupt_seq: 9 }), { kind: "idle" });
    assert.deepEqual(decided({ interrupt_seq: 9, queued }), { kind: "resume" });
  });

  it("asks the model for what it has not seen, and rests when there is nothing", () => {
    assert.deepEqual(decided({ queued }), { kind: "ask_model" });
    assert.deepEqual(decided({ results_pending: true }), { kind: "ask_model" });
    assert.deepEqual(decided({}), { kind: "idle" });
    assert.deepEqual(decided({ status: "idle", idle_seq: 9 }), { kind: "done" });
    assert.deepEqual(decided({ queued, turns: limits.turnsMax }), { kind: "turn_limit" });
  });

  it("does not try again by itself what has ended the retries", () => {
    const stop_reason = { type: "retries_exhausted" } as const;
    assert.deepEqual(decided({ queued, status: "idle", stop_reason, idle_seq: 9, input_seq: 8 }), { kind: "done" });
  });
});
