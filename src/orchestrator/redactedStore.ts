/** A session store whose logs never hold a stored credential: what is appended and what is kept as a blob is redacted first. */
import type { NewEvent } from "../core/events.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { RedactingStream, Redaction } from "../core/redaction.ts";
import type { BlobWriter, SessionLog, SessionStore } from "../core/sessionLog.ts";

/** Members of events that say what belongs to what, and words of the format: they are never changed (I4, I7). */
const STRUCTURE = new Set(
  (
    "id type tool_use_id model_request_start_id block_id hand instance kind model evaluated_permission permission result strategy " +
    "stop_reason outcome output_ref before after purpose redactions model_usage media_type retry_status origin grant_id " +
    "credential_id session_id"
  ).split(" "),
);
/** Members in which names of members are free as well. */
const FREE = new Set(["input", "block_extra", "options"]);

/** Every door to a log goes through here; reading is untouched. */
export function redactedStore(store: SessionStore, redaction: Redaction): SessionStore {
  const wrapped = new WeakMap<SessionLog, SessionLog>();
  const wrap = (log: SessionLog): SessionLog => {
    const existing = wrapped.get(log) ?? redactedLog(log, redaction);
    wrapped.set(log, existing);
    return existing;
  };
  return {
    create: async (id, first) => wrap(await store.create(id, redactedEvent(first, redaction))),
    open: async (id) => wrap(await store.open(id)),
    list: () => store.list(),
    delete: (id) => store.delete(id),
    handStoragePath: (id, hand) => store.handStoragePath(id, hand),
  };
}

function redactedLog(log: SessionLog, redaction: Redaction): SessionLog {
  return {
    id: log.id,
    state: () => log.state(),
    damage: () => log.damage(),
    readOnlyReason: () => log.readOnlyReason(),
    getEvents: (slice) => log.getEvents(slice),
    append: (events) => log.append(events.map((event) => redactedEvent(event, redaction))),
    putBlob: (bytes) => log.putBlob(redactedBytes(bytes, redaction.bytes())),
    createBlob: async () => redactedWriter(await log.createBlob(), redaction.bytes()),
    readBlob: (ref, range) => log.readBlob(ref, range),
    onDidAppend: (listener) => log.onDidAppend(listener),
    acquire: () => log.acquire(),
    takeOver: () => log.takeOver(),
    release: () => log.release(),
    holdsLease: () => log.holdsLease(),
    holder: () => log.holder(),
    onDidLoseLease: (listener) => log.onDidLoseLease(listener),
    close: () => log.close(),
  };
}

/** The same object where nothing is found. */
function redactedEvent<E extends NewEvent>(event: E, redaction: Redaction): E {
  return redactValues(event, redaction);
}

/** All texts of a value that has the format of events or of requests: its own words and names are left as they are. */
export function redactValues<T>(value: T, redaction: Redaction): T {
  return redacted(value as Json, redaction) as T;
}

function redacted(value: Json, redaction: Redaction): Json {
  if (typeof value === "string") return redaction.text(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map((item: Json) => redacted(item, redaction));
    return items.some((item, at) => item !== value[at]) ? items : value;
  }
  const changes: Record<string, Json> = {};
  for (const [name, member] of Object.entries(value as Readonly<Record<string, Json>>)) {
    const clean = STRUCTURE.has(name) ? member : FREE.has(name) ? redaction.json(member) : redacted(member, redaction);
    if (clean !== member) changes[name] = name === "name" ? "redacted" : clean;
  }
  return Object.keys(changes).length === 0 ? value : { ...(value as JsonObject), ...changes };
}

/** The same object where nothing is found. */
export function redactedBytes(bytes: Uint8Array, stream: RedactingStream): Uint8Array {
  const start = stream.write(bytes);
  const rest = stream.end();
  return stream.counts().length === 0 ? bytes : joined(start, rest);
}

function joined(start: Uint8Array, rest: Uint8Array): Uint8Array {
  const whole = new Uint8Array(start.byteLength + rest.byteLength);
  whole.set(start);
  whole.set(rest, start.byteLength);
  return whole;
}

function redactedWriter(writer: BlobWriter, stream: RedactingStream): BlobWriter {
  const pass = async (bytes: Uint8Array): Promise<void> => {
    if (bytes.byteLength > 0) await writer.write(bytes);
  };
  return {
    write: (chunk) => pass(stream.write(chunk)),
    finish: async () => {
      await pass(stream.end());
      return writer.finish();
    },
    discard: () => writer.discard(),
  };
}
