/** A small log with something of everything, as bytes, for tests that damage it. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { NewEvent } from "../../../src/core/events.ts";
import type { SessionId } from "../../../src/core/ids.ts";
import type { AnyEvent } from "../../../src/core/sessionState.ts";
import { SCHEMA_VERSION } from "../../../src/core/events.ts";
import { ids, logPath, openStore } from "./support.ts";

export interface SampleLog {
  readonly bytes: Buffer;
  /** Each event with where its line is: [start, end), without the newline. */
  readonly lines: readonly { readonly event: AnyEvent; readonly start: number; readonly end: number }[];
  /** `checkpoint.json` and `events.idx` of the whole log. */
  readonly derived: ReadonlyMap<string, Buffer>;
}

function sampleEvents(): readonly NewEvent[] {
  const start = ids.eventId();
  const use = ids.eventId();
  const usage = { input_tokens: 9, output_tokens: 4, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
  const turn = { model_request_start_id: start };
  return [
    { type: "user.message", content: [{ type: "text", text: 'Zähle 数えて 👩‍👩‍👧\n"{"seq":1,"id":"x"},"crc":"' }] },
    { type: "session.status_running" },
    { type: "span.model_request_start", id: start, model: "m", purpose: "turn" },
    // An object in the payload that looks like the beginning of a line.
    {
      type: "agent.tool_use",
      id: use,
      ...turn,
      name: "bash",
      input: { seq: 2, id: "sevt_y", a: [{ seq: 3 }] },
      evaluated_permission: "allow",
      block_id: "t",
      hand: "local",
    },
    { type: "agent.message", ...turn, content: [] },
    { type: "span.model_request_end", ...turn, is_error: false, model_usage: usage, stop_reason: "tool_use" },
    { type: "agent.tool_result", tool_use_id: use, content: [], is_error: false, outcome: { kind: "exited", code: 0 } },
    { type: "session.status_idle", stop_reason: { type: "end_turn" } },
  ];
}

/** Made by the store itself, in `root`. */
export async function makeSampleLog(root: string): Promise<SampleLog> {
  const { store } = openStore(root);
  const id = ids.sessionId();
  const log = await store.create(id, {
    type: "session.created",
    schema_version: SCHEMA_VERSION,
    title: "T",
    hands: [],
    model: null,
    permission: "ask",
  });
  for (const event of sampleEvents()) await log.append([event]);
  const events = await log.getEvents({});
  await log.close();
  const bytes = await readFile(logPath(root, id));
  const lines: SampleLog["lines"][number][] = [];
  let start = 0;
  for (const event of events) {
    const end = bytes.indexOf(10, start);
    lines.push({ event, start, end });
    start = end + 1;
  }
  const derived = new Map<string, Buffer>();
  for (const name of ["checkpoint.json", "events.idx"]) derived.set(name, await readFile(path.join(root, id, name)));
  return { bytes, lines, derived };
}

/** A session whose log is `bytes`, with the files that are derived from another one, if any. */
export async function placeLog(
  root: string,
  bytes: Uint8Array,
  derived: SampleLog["derived"] = new Map(),
): Promise<SessionId> {
  const id = ids.sessionId();
  const folder = path.join(root, id);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, "events.jsonl"), bytes);
  for (const [name, content] of derived) await writeFile(path.join(folder, name), content);
  return id;
}
