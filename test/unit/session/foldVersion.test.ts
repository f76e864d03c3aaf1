/** Checkpoints hold what the fold made of a log: a fold that makes something else of it must not find them valid. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { EVENT_TYPES } from "../../../src/core/events.ts";
import type { EventPayloads, EventType } from "../../../src/core/events.ts";
import type { EventId } from "../../../src/core/ids.ts";
import { EMPTY_STATE, FOLD_VERSION, foldSession } from "../../../src/core/sessionState.ts";

/** The digest of what each version of the fold makes of the events below. Add a line, never change one. */
const DIGESTS: Readonly<Record<number, string>> = {
  1: "b69ed5ac08c085a29f204efbfac76257",
  2: "ea6785b3ac21f7da47c272f33e6f21c3",
  3: "957976f51b9e8f4a0abaa417fef8032e",
  4: "2479226866cef67aa4217fb66ae1db3a",
};

const id = (name: string): EventId => `sevt_${name}` as EventId;
const usage = { input_tokens: 5, output_tokens: 3, cache_creation_input_tokens: 2, cache_read_input_tokens: 1 };
const turn = { model_request_start_id: id("start") };
const hash = { sha256: "0".repeat(64), bytes: 1 };

const scope = { kind: "http" as const, origin: "https://a.example", path_prefix: "/", methods: null };
const grant = { credential_id: "vcrd_1", credential_name: "api", scope };
const usedGrant = { grant_id: "vgrt_1", credential_name: "api" };

type Row = { [K in EventType]: readonly [K, EventPayloads[K], string?] }[EventType];

/** One of each type at least, in an order in which each of them has something to change. */
const ROWS: readonly Row[] = [
  [
    "session.created",
    { schema_version: 1, title: "T", hands: [{ name: "local", kind: "local" }], model: null, permission: "ask" },
  ],
  ["session.updated", { title: "U", archived: true, permission: "allow", model: "m" }],
  ["session.lease_taken", { epoch: 2 }],
  ["session.log_recovered", { set_aside: "events.torn-1-1", bytes: 3 }],
  ["user.message", { content: [] }],
  ["system.message", { content: [] }],
  ["session.status_running", {}],
  ["hand.provisioned", { hand: "local", kind: "local", instance: "i1", description: "" }],
  ["hand.provision_failed", { hand: "local", kind: "local", message: "" }],
  ["hand.lost", { hand: "local", instance: "i1", message: "" }],
  ["resource.mounted", { hand: "local", instance: "i1", source_ref: "/a", mount_path: "a", bytes: 1 }],
  ["span.model_request_start", { model: "m", purpose: "turn" }, "start"],
  ["agent.thinking", { ...turn, block: { type: "redacted_thinking", data: "" } }],
  ["agent.message", { ...turn, content: [] }],
  ["agent.other_block", { ...turn, block: {} }],
  [
    "agent.tool_use",
    { ...turn, name: "bash", input: {}, evaluated_permission: "ask", block_id: "t1", hand: "local" },
    "use1",
  ],
  ["agent.tool_use", { ...turn, name: "read", input: {}, evaluated_permission: "allow", block_id: "t2" }, "use2"],
  ["span.model_request_end", { ...turn, is_error: false, model_usage: usage, stop_reason: "tool_use" }],
  ["session.status_idle", { stop_reason: { type: "requires_action", event_ids: [id("use1")] } }],
  ["user.tool_confirmation", { tool_use_id: id("use1"), result: "allow", for_session: true }],
  ["hand.call_started", { tool_use_id: id("use1"), hand: "local", instance: "i1" }],
  ["hand.file_change", { tool_use_id: id("use1"), path: "a", before: null, after: hash }],
  [
    "agent.tool_result",
    { tool_use_id: id("use1"), content: [], is_error: false, outcome: { kind: "exited", code: 0 } },
  ],
  ["user.interrupt", {}],
  ["session.error", { error: { type: "unknown_error", message: "m", retry_status: "retrying" } }],
  ["span.model_request_start", { model: "m", purpose: "summary" }, "summary"],
  [
    "span.model_request_end",
    { model_request_start_id: id("summary"), is_error: true, model_usage: usage, stop_reason: null },
  ],
  ["session.status_rescheduled", {}],
  ["agent.thread_context_compacted", { strategy: "summarise", before_seq: 11, summary: "s" }],
  ["agent.thread_context_compacted", { strategy: "clear_tool_results", before_seq: 12 }],
  ["session.status_idle", { stop_reason: { type: "end_turn" } }],
  ["vault.grant_requested", { ...grant, hand: "local", method: "GET", path: "/v1" }, "asked"],
  ["user.grant_decision", { grant_request_id: id("asked"), result: "allow", lasts: "session" }],
  ["vault.grant_given", { ...grant, grant_id: "vgrt_1", lasts: "session" }],
  ["vault.credential_used", { ...usedGrant, hand: null, method: "GET", origin: "https://a.example", path: "/v1" }],
  ["vault.grant_revoked", usedGrant],
  ["session.status_terminated", {}],
  ["session.deleted", {}],
];

describe("the version of the fold", () => {
  it("is raised whenever the fold makes something else of the same events", () => {
    assert.deepEqual(new Set(ROWS.map(([type]) => type)), new Set(Object.keys(EVENT_TYPES)));
    const states: unknown[] = [];
    let state = EMPTY_STATE;
    for (const [at, [type, payload, name]] of ROWS.entries()) {
      const event = {
        seq: at + 1,
        id: id(name ?? String(at)),
        type,
        processed_at: `2026-01-01T00:00:${at}Z`,
        ...payload,
      };
      state = foldSession(state, event);
      states.push(state);
    }
    const digest = createHash("sha256").update(JSON.stringify(states)).digest("hex").slice(0, 32);
    assert.equal(digest, DIGESTS[FOLD_VERSION], "raise FOLD_VERSION in core/sessionState.ts and add its digest here");
  });
});
