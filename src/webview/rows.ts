/** What the page shows, as a pure function of a stretch of events: no DOM here. */
import type { ModelUsage, StoredEvent } from "../core/events.ts";
import { lastsText, scopeText } from "../core/grantText.ts";
import type { EventId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import type { PageImage } from "../core/pageProtocol.ts";
import { isKnown } from "../core/sessionState.ts";
import type { AnyEvent } from "../core/sessionState.ts";

/** Where an event's images are: in it, or, where only a preview of them is, with the host. */
export interface ImagesOf {
  readonly seq: number;
  readonly images: readonly PageImage[];
  readonly areCut: boolean;
}
export const NO_IMAGES: ImagesOf = { seq: 0, images: [], areCut: false };

export interface UserRow {
  readonly kind: "user";
  readonly key: string;
  readonly seq: number;
  readonly text: string;
  readonly images: ImagesOf;
}
interface AgentRow {
  readonly kind: "agent";
  readonly key: string;
  readonly text: string;
  readonly isLive: boolean;
}
export interface ThinkingRow {
  readonly kind: "thinking";
  readonly key: string;
  /** Empty where the API keeps it to itself. */
  readonly text: string;
  readonly isLive: boolean;
}
export interface CallRow {
  readonly kind: "call";
  readonly key: string;
  readonly id: EventId;
  readonly name: string;
  readonly input: Json;
  readonly hand: string | null;
  readonly asked: boolean;
  readonly confirmation: StoredEvent<"user.tool_confirmation"> | null;
  readonly startedAt: string | null;
  readonly result: StoredEvent<"agent.tool_result"> | null;
  /** Of the result. */
  readonly images: ImagesOf;
  /** Requests for a grant that its hand has made since it runs, answered or not. */
  readonly grantsAsked: readonly EventId[];
  readonly hasChange: boolean;
  /** The input is still streaming. */
  readonly isLive: boolean;
}
export interface GrantRow {
  readonly kind: "grant";
  readonly key: string;
  readonly id: EventId;
  readonly request: StoredEvent<"vault.grant_requested">;
  readonly decision: StoredEvent<"user.grant_decision"> | null;
  readonly given: StoredEvent<"vault.grant_given"> | null;
  readonly isRevoked: boolean;
}
export interface NoteRow {
  readonly kind: "note";
  readonly key: string;
  readonly level: "quiet" | "error" | "retrying";
  readonly text: string;
  /** More about it, folded at first; empty: nothing. */
  readonly details: string;
  readonly action: "wake" | "set_key" | "settings" | null;
}
export type Row = UserRow | AgentRow | ThinkingRow | CallRow | GrantRow | NoteRow;

/** Rows for `events` (ascending). Turns that did not count are left out; unknown events are named. */
export function rowsOf(events: readonly AnyEvent[]): readonly Row[] {
  const facts = collect(events.filter(isKnown));
  const rows: Row[] = [];
  for (const event of events) {
    const row = isKnown(event) ? rowOf(event, facts) : note(event, `Event of an unknown type: ${event.type}`);
    if (row === null) continue;
    const isReady = isKnown(event) && event.type === "hand.provisioned";
    rows.splice(isReady ? placeOfReady(rows, event) : rows.length, 0, row);
  }
  return rows;
}

interface Facts {
  readonly results: ReadonlyMap<EventId, StoredEvent<"agent.tool_result">>;
  readonly confirmations: ReadonlyMap<EventId, StoredEvent<"user.tool_confirmation">>;
  readonly started: ReadonlyMap<EventId, string>;
  /** By the request that they answer. */
  readonly decisions: ReadonlyMap<EventId, StoredEvent<"user.grant_decision">>;
  readonly given: ReadonlyMap<EventId, StoredEvent<"vault.grant_given">>;
  /** By the ids of grants. */
  readonly revoked: ReadonlySet<string>;
  readonly asked: readonly StoredEvent<"vault.grant_requested">[];
  readonly changed: ReadonlySet<EventId>;
  /** Requests whose end is here and is a failure: their blocks do not count. */
  readonly failed: ReadonlySet<EventId>;
}

function collect(events: readonly StoredEvent[]): Facts {
  const results = new Map<EventId, StoredEvent<"agent.tool_result">>();
  const confirmations = new Map<EventId, StoredEvent<"user.tool_confirmation">>();
  const started = new Map<EventId, string>();
  const decisions = new Map<EventId, StoredEvent<"user.grant_decision">>();
  const given = new Map<EventId, StoredEvent<"vault.grant_given">>();
  const revoked = new Set<string>();
  const asked: StoredEvent<"vault.grant_requested">[] = [];
  const changed = new Set<EventId>();
  const failed = new Set<EventId>();
  for (const event of events) {
    if (event.type === "agent.tool_result") results.set(event.tool_use_id, event);
    else if (event.type === "user.tool_confirmation") {
      if (!confirmations.has(event.tool_use_id)) confirmations.set(event.tool_use_id, event);
    } else if (event.type === "hand.call_started") started.set(event.tool_use_id, event.processed_at);
    else if (event.type === "vault.grant_requested") asked.push(event);
    else if (event.type === "user.grant_decision") decisions.set(event.grant_request_id, event);
    else if (event.type === "vault.grant_given" && event.grant_request_id !== undefined) {
      given.set(event.grant_request_id, event);
    } else if (event.type === "vault.grant_revoked") revoked.add(event.grant_id);
    else if (event.type === "hand.file_change") changed.add(event.tool_use_id);
    else if (event.type === "span.model_request_end" && event.is_error) failed.add(event.model_request_start_id);
  }
  return { results, confirmations, started, decisions, given, revoked, asked, changed, failed };
}

function rowOf(event: StoredEvent, facts: Facts): Row | null {
  if ("model_request_start_id" in event && facts.failed.has(event.model_request_start_id)) return null;
  switch (event.type) {
    case "user.message":
      return userRow(event);
    case "agent.message":
      return {
        kind: "agent",
        key: event.id,
        text: event.content.map((block) => block.text).join("\n\n"),
        isLive: false,
      };
    case "agent.thinking":
      return {
        kind: "thinking",
        key: event.id,
        text: "thinking" in event.block ? event.block.thinking : "",
        isLive: false,
      };
    case "agent.tool_use":
      return callRow(event, facts);
    case "user.interrupt":
      return note(event, "You stopped the agent.");
    case "session.error":
      return errorRow(event);
    case "agent.thread_context_compacted":
      return note(
        event,
        event.strategy === "summarise"
          ? "Older turns were summarised for the model. They are all still here, in the log."
          : "Older tool output left the model's context. It is still here, in the log.",
      );
    case "hand.provisioned":
      return { ...note(event, `Hand ${event.hand} is ready`), details: event.description };
    case "hand.provision_failed":
      return note(event, `Hand ${event.hand} could not be provisioned: ${event.message}`, "error");
    case "hand.lost":
      return note(event, `Hand ${event.hand} was lost: ${event.message}`, "error");
    case "resource.mounted":
      return note(event, `${event.source_ref} is at ${event.mount_path} on ${event.hand}`);
    case "vault.grant_requested": {
      const { id } = event;
      const [decision, given] = [facts.decisions.get(id) ?? null, facts.given.get(id) ?? null];
      const isRevoked = given !== null && facts.revoked.has(given.grant_id);
      return { kind: "grant", key: id, id, request: event, decision, given, isRevoked };
    }
    case "vault.grant_given":
      if (event.grant_request_id !== undefined) return null;
      return note(
        event,
        `Granted: ${event.credential_name}, to ${scopeText(event.scope)} (${lastsText(event.lasts)}).`,
      );
    case "vault.grant_revoked":
      return note(event, `A grant of ${event.credential_name} was revoked.`);
    case "vault.credential_used":
      return note(
        event,
        `${event.credential_name} was used${event.hand === null ? "" : ` by ${event.hand}`}: ${usedText(event)}`,
      );
    case "session.log_recovered":
      return note(
        event,
        `An unfinished line of ${event.bytes} bytes was moved to ${event.set_aside}; nothing else is missing.`,
      );
    case "session.lease_taken":
      return note(event, "Another window took this session over.");
    case "session.status_idle":
      return event.stop_reason.type === "refusal" ? note(event, "The model declined to go on.", "error") : null;
    default:
      return null;
  }
}

/** A hand is made while the calls for it wait: where those come last, it stands before them. */
function placeOfReady(rows: readonly Row[], { hand, processed_at }: StoredEvent<"hand.provisioned">): number {
  let place = rows.length;
  for (let at = rows.length - 1; at >= 0; at -= 1) {
    const row = rows[at];
    if (row?.kind !== "call") break;
    const { startedAt, result } = row;
    const waited = (startedAt ?? result?.processed_at ?? processed_at) >= processed_at;
    if (waited && (row.hand === null || row.hand === hand)) place = at;
  }
  return place;
}

function imagesOf({ seq, content, payload_ref }: StoredEvent<"user.message" | "agent.tool_result">): ImagesOf {
  const images = content.flatMap((block) => (block.type === "image" ? [block.source] : []));
  return images.length === 0 ? NO_IMAGES : { seq, images, areCut: payload_ref !== undefined };
}

function userRow(event: StoredEvent<"user.message">): UserRow {
  const text = event.content
    .map((block) => (block.type === "text" ? block.text : ""))
    .join("\n")
    .trim();
  return { kind: "user", key: event.id, seq: event.seq, text, images: imagesOf(event) };
}

function callRow(event: StoredEvent<"agent.tool_use">, facts: Facts): CallRow {
  const result = facts.results.get(event.id) ?? null;
  const startedAt = facts.started.get(event.id) ?? null;
  const isRunning = startedAt !== null && result === null;
  return {
    kind: "call",
    key: event.id,
    id: event.id,
    name: event.name,
    input: event.input,
    hand: event.hand ?? null,
    asked: event.evaluated_permission === "ask",
    confirmation: facts.confirmations.get(event.id) ?? null,
    startedAt,
    result,
    images: result === null ? NO_IMAGES : imagesOf(result),
    grantsAsked: isRunning
      ? facts.asked.filter((ask) => ask.hand === event.hand && ask.processed_at >= startedAt).map(({ id }) => id)
      : [],
    hasChange: facts.changed.has(event.id),
    isLive: false,
  };
}

function errorRow(event: StoredEvent<"session.error">): NoteRow {
  const { message, retry_status, retry_after_ms } = event.error;
  if (retry_status === "retrying") {
    const when = retry_after_ms === undefined ? "" : ` Trying again in ${Math.ceil(retry_after_ms / 1000)} s.`;
    return note(event, `${message}${when}`, "retrying");
  }
  const action = /Set API Key/.test(message) ? "set_key" : /manyHands\./.test(message) ? "settings" : "wake";
  return { ...note(event, message, "error"), action };
}

function usedText({ method, origin, path }: StoredEvent<"vault.credential_used">): string {
  return `${method} ${origin.replace(/^https:\/\//, "")}${path}`;
}

function note(event: AnyEvent, text: string, level: NoteRow["level"] = "quiet"): NoteRow {
  return { kind: "note", key: event.id, level, text, details: "", action: null };
}

export type CallStatus =
  "writing" | "waiting" | "queued" | "running" | "done" | "failed" | "background" | "denied" | "stopped" | "unknown";

/** Where a call is, as one word for the style and words for the person. The words are never more certain than the log. */
export function callStatus(
  row: CallRow,
  { isPending, isGrantAsked }: { readonly isPending: boolean; readonly isGrantAsked: boolean },
): { readonly status: CallStatus; readonly text: string } {
  if (row.isLive) return { status: "writing", text: "being written" };
  const { result } = row;
  if (result === null) {
    if (row.startedAt !== null) {
      // Not "it waits": something else in its hand may have asked.
      return { status: "running", text: isGrantAsked ? "grant asked for, running" : "running" };
    }
    const waits = isPending && row.asked && row.confirmation === null;
    return waits ? { status: "waiting", text: "waits for you" } : { status: "queued", text: "waits for its turn" };
  }
  switch (result.outcome.kind) {
    case "exited":
      if (row.name !== "bash") {
        return result.is_error ? { status: "failed", text: "failed" } : { status: "done", text: "done" };
      }
      return { status: result.outcome.code === 0 ? "done" : "failed", text: `exit ${result.outcome.code}` };
    case "signalled":
      return { status: "stopped", text: `ended by ${result.outcome.signal}` };
    case "running":
      return { status: "background", text: "goes on in the background" };
    case "hand_lost":
      return { status: "unknown", text: "hand lost: unknown whether it ran" };
    case "unknown":
      return { status: "unknown", text: "unknown whether it ran to its end" };
    case "not_run":
      return row.confirmation?.result === "deny"
        ? { status: "denied", text: "denied" }
        : { status: "stopped", text: "did not run" };
    default:
      return { status: "unknown", text: "unknown" };
  }
}

/** The one thing in a call's input that says what it is about. */
export function essentialInput(input: Json): string {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return "";
  const members = input as { readonly [key: string]: Json };
  for (const key of ["command", "file_path", "pattern", "call_id", "path"]) {
    const value = members[key];
    if (typeof value === "string" && value !== "") return value;
  }
  return members["restart"] === true
    ? "restart the shell"
    : Object.keys(members).length === 0
      ? ""
      : JSON.stringify(input);
}

export function contextText(usage: ModelUsage, contextTokens: number): string {
  const total = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens;
  if (total + usage.output_tokens === 0) return "";
  const thousands = (count: number): string => (count < 1_000 ? String(count) : `${Math.round(count / 1_000)}k`);
  const cached = total === 0 ? 0 : Math.round((100 * usage.cache_read_input_tokens) / total);
  const context = contextTokens === 0 ? "" : `context ${thousands(contextTokens)} · `;
  return `${context}${thousands(total)} in (${cached} % cached) · ${thousands(usage.output_tokens)} out`;
}
