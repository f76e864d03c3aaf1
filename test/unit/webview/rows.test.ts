/** What the page shows of a stretch of the log. */
import assert from "node:assert/strict";
import type { CallOutcome, NewEvent } from "../../../src/core/events.ts";
import type { AnyEvent } from "../../../src/core/sessionState.ts";
import { callStatus, contextText, essentialInput, rowsOf } from "../../../src/webview/rows.ts";
import type { CallRow, Row } from "../../../src/webview/rows.ts";
import { eventId, logOf } from "./logOf.ts";

const usage = { input_tokens: 0, output_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
const start = eventId("start");
const call = eventId("call");

function ends(is_error: boolean): NewEvent {
  const type = "span.model_request_end";
  return { type, model_request_start_id: start, is_error, model_usage: usage, stop_reason: null };
}

function says(text: string): NewEvent {
  return { type: "agent.message", model_request_start_id: start, content: [{ type: "text", text }] };
}

function uses(name: string, evaluated_permission: "allow" | "ask" = "ask"): NewEvent {
  const of = { model_request_start_id: start, block_id: "toolu_1", hand: "local" };
  return { type: "agent.tool_use", id: call, name, input: { command: "ls" }, evaluated_permission, ...of };
}

function gives(outcome: CallOutcome, is_error = false): NewEvent {
  return { type: "agent.tool_result", tool_use_id: call, content: [{ type: "text", text: "out" }], is_error, outcome };
}

function onlyRow(...events: readonly NewEvent[]): Row {
  const rows = rowsOf(logOf(events));
  assert.equal(rows.length, 1, JSON.stringify(rows));
  return rows[0] as Row;
}

function callOf(...events: readonly NewEvent[]): CallRow {
  const row = onlyRow(...events);
  assert.equal(row.kind, "call");
  return row;
}

describe("rows of a log", () => {
  it("leave out the blocks of a turn that ended in an error, and keep those of one that has no end yet", () => {
    const request: NewEvent = { type: "span.model_request_start", id: start, model: "m", purpose: "turn" };
    assert.deepEqual(rowsOf(logOf([request, says("half"), ends(true)])), []);
    assert.equal(rowsOf(logOf([request, says("whole"), ends(false)])).length, 1);
    assert.equal(rowsOf(logOf([request, says("whole")])).length, 1);
  });

  it("gather all that is known of a call into one row, wherever it stands in the log", () => {
    const row = callOf(
      uses("edit"),
      { type: "user.tool_confirmation", tool_use_id: call, result: "allow" },
      { type: "hand.call_started", tool_use_id: call, hand: "local", instance: "i" },
      { type: "hand.file_change", tool_use_id: call, path: "a", before: null, after: { sha256: "0", bytes: 1 } },
      gives({ kind: "exited", code: 0 }),
    );
    assert.equal(row.confirmation?.result, "allow");
    assert.equal(row.startedAt, "2026-01-01T00:00:03.000Z");
    assert.equal(row.hasChange, true);
    assert.equal(row.result?.outcome.kind, "exited");
  });

  it("take the first answer to a call, as the log does", () => {
    const row = callOf(
      uses("bash"),
      { type: "user.tool_confirmation", tool_use_id: call, result: "deny" },
      { type: "user.tool_confirmation", tool_use_id: call, result: "allow" },
    );
    assert.equal(row.confirmation?.result, "deny");
  });

  it("name an event of a type that this version does not know", () => {
    const unknown = { ...logOf([says("x")])[0], type: "agent.dreamt" } as AnyEvent;
    const [row] = rowsOf([unknown]);
    assert.equal(row?.kind === "note" && row.text, "Event of an unknown type: agent.dreamt");
  });

  it("offer what can be done about an error", () => {
    const action = (message: string, retry_status: "retrying" | "exhausted"): unknown => {
      const error = { type: "model_request_failed_error", message, retry_status, retry_after_ms: 1_500 } as const;
      const row = onlyRow({ type: "session.error", error });
      return row.kind === "note" ? [row.level, row.action, row.text] : null;
    };
    assert.deepEqual(action("Busy.", "retrying"), ["retrying", null, "Busy. Trying again in 2 s."]);
    assert.deepEqual(action("Busy.", "exhausted"), ["error", "wake", "Busy."]);
    assert.equal((action("Run Many Hands: Set API Key.", "exhausted") as unknown[])[1], "set_key");
    assert.equal((action("See manyHands.model.id.", "exhausted") as unknown[])[1], "settings");
  });

  it("put a hand that is ready before the calls that waited for it, and not before what came earlier", () => {
    const readyOf = (hand: string): NewEvent => ({
      type: "hand.provisioned",
      hand,
      kind: "local",
      instance: "i",
      description: "a shell",
    });
    const ready = readyOf("local");
    const started: NewEvent = { type: "hand.call_started", tool_use_id: call, hand: "local", instance: "i" };
    const kinds = (...events: readonly NewEvent[]): string =>
      rowsOf(logOf(events))
        .map(({ kind }) => kind)
        .join(" ");
    assert.equal(kinds(says("I look."), uses("bash"), ready, started), "agent note call");
    assert.equal(kinds(uses("bash"), started, ready), "call note");
    assert.equal(kinds(uses("bash"), says("So."), ready), "call agent note");
    assert.equal(kinds(uses("bash"), readyOf("box")), "call note");
    assert.equal(kinds(uses("bash"), gives({ kind: "not_run" }, true), ready), "call note");
    const [row] = rowsOf(logOf([ready]));
    assert.deepEqual(row?.kind === "note" && [row.text, row.details], ["Hand local is ready", "a shell"]);
  });

  it("name the requests for a grant that a call's hand has made since it runs", () => {
    const started: NewEvent = { type: "hand.call_started", tool_use_id: call, hand: "local", instance: "i" };
    const asks = (hand: string, id: string): NewEvent => ({
      type: "vault.grant_requested",
      id: eventId(id),
      hand,
      credential_id: "c",
      credential_name: "code",
      scope: {
        kind: "http",
        origin: "https://x.example",
        path_prefix: "/",
        methods: ["GET"],
      },
      method: "GET",
      path: "/",
    });
    const askedOf = (...events: readonly NewEvent[]): readonly string[] =>
      rowsOf(logOf(events)).flatMap((row) => (row.kind === "call" ? row.grantsAsked : []));
    const all = [asks("local", "early"), uses("bash"), started, asks("local", "mine"), asks("box", "other")];
    assert.deepEqual(askedOf(...all), [eventId("mine")]);
    assert.deepEqual(askedOf(...all, gives({ kind: "exited", code: 0 })), []);
  });

  it("know where the images of a message or a result are", () => {
    const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } } as const;
    const result: NewEvent = { ...gives({ kind: "exited", code: 0 }), content: [image] } as NewEvent;
    const [whole] = [callOf(uses("shot"), result).images];
    assert.deepEqual(whole, { seq: 2, images: [image.source], areCut: false });
    const events = logOf([uses("shot"), result]);
    const [use, cut] = [events[0], { ...events[1], payload_ref: { sha256: "0", bytes: 1 } }];
    const [row] = rowsOf([use, cut] as AnyEvent[]);
    assert.equal(row?.kind === "call" && row.images.areCut, true);
  });

  it("show nothing for events that say nothing to a person", () => {
    const quiet: NewEvent[] = [
      { type: "session.status_running" },
      { type: "session.status_idle", stop_reason: { type: "end_turn" } },
      { type: "span.model_request_start", id: start, model: "m", purpose: "turn" },
      ends(false),
    ];
    assert.deepEqual(rowsOf(logOf(quiet)), []);
  });
});

describe("the status of a call in words", () => {
  const text = (row: CallRow, isPending = true, isGrantAsked = false): string =>
    callStatus(row, { isPending, isGrantAsked }).text;
  const started: NewEvent = { type: "hand.call_started", tool_use_id: call, hand: "local", instance: "i" };

  it("says who it waits for", () => {
    assert.equal(text(callOf(uses("bash"))), "waits for you");
    const answered: NewEvent = { type: "user.tool_confirmation", tool_use_id: call, result: "allow" };
    assert.equal(text(callOf(uses("bash"), answered)), "waits for its turn");
    assert.equal(text(callOf(uses("bash", "allow"))), "waits for its turn");
    assert.equal(text(callOf(uses("bash"), started)), "running");
    assert.equal(text(callOf(uses("bash"), started), true, true), "grant asked for, running");
  });

  it("asks nothing of the person once the session does not know the call any more", () => {
    assert.equal(callStatus(callOf(uses("bash")), { isPending: false, isGrantAsked: false }).status, "queued");
  });

  it("is never more certain than the log", () => {
    const after = (outcome: CallOutcome, name = "bash", isError = false): string =>
      text(callOf(uses(name), started, gives(outcome, isError)), false);
    assert.equal(after({ kind: "exited", code: 0 }), "exit 0");
    assert.equal(after({ kind: "exited", code: 3 }), "exit 3");
    assert.equal(after({ kind: "exited", code: 0 }, "read"), "done");
    assert.equal(after({ kind: "exited", code: 0 }, "read", true), "failed");
    assert.equal(after({ kind: "signalled", signal: "SIGKILL" }), "ended by SIGKILL");
    assert.equal(after({ kind: "running" }), "goes on in the background");
    assert.equal(after({ kind: "hand_lost" }), "hand lost: unknown whether it ran");
    assert.equal(after({ kind: "unknown" }), "unknown whether it ran to its end");
    assert.equal(after({ kind: "not_run" }), "did not run");
    const denied: NewEvent = { type: "user.tool_confirmation", tool_use_id: call, result: "deny" };
    assert.equal(text(callOf(uses("bash"), denied, gives({ kind: "not_run" }, true)), false), "denied");
  });
});

describe("words for what is in a session", () => {
  it("name a call by the one thing that it is about", () => {
    assert.equal(essentialInput({ timeout: 3, command: "ls" }), "ls");
    assert.equal(essentialInput({ pattern: "*.ts", path: "src" }), "*.ts");
    assert.equal(essentialInput({ restart: true }), "restart the shell");
    assert.equal(essentialInput({ a: 1 }), '{"a":1}');
    assert.equal(essentialInput({}), "");
    assert.equal(essentialInput(["ls"]), "");
  });

  it("give tokens in thousands, and nothing before the first request", () => {
    assert.equal(contextText(usage, 0), "");
    const used = { ...usage, input_tokens: 1_000, cache_read_input_tokens: 3_000, output_tokens: 420 };
    assert.equal(contextText(used, 4_420), "context 4k · 4k in (75 % cached) · 420 out");
  });
});
