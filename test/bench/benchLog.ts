/** What the benches of the session log share: a folder on the project's disk, and events of a usual size. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import type { NewEvent } from "../../src/core/events.ts";
import { SCHEMA_VERSION } from "../../src/core/events.ts";
import type { EventId } from "../../src/core/ids.ts";
import type { SessionStore } from "../../src/core/sessionLog.ts";
import { systemClock } from "../../src/orchestrator/systemClock.ts";
import { createFileStore } from "../../src/session/fileStore.ts";
import { createIds } from "../../src/session/ids.ts";

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly target: string;
  readonly ok: boolean;
  readonly detail?: string;
}

export const ids = createIds(systemClock);

/** Under the project: the system's folder for temporary files may be in memory, where a flush costs nothing. */
export function benchFolder(): { readonly folder: string; readonly remove: () => void } {
  const parent = path.join(import.meta.dirname, "..", "..", "test-results");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(path.join(parent, "bench-"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export function openStore(root: string): SessionStore {
  const onError = (what: string, thrown?: unknown): never => {
    throw new Error(what, { cause: thrown });
  };
  return createFileStore({ root, clock: systemClock, ids, owner: "the bench", onError });
}

export const created: NewEvent<"session.created"> = {
  type: "session.created",
  schema_version: SCHEMA_VERSION,
  title: "Bench",
  hands: [],
  model: null,
  permission: "ask",
};

/** An answer of the model with `chars` of text. */
export function answer(start: EventId, chars: number): NewEvent<"agent.message"> {
  const repeated = "The quick brown fox jumps over the lazy dog. ".repeat(Math.ceil(chars / 45)).slice(0, chars);
  // In one piece: to join the parts of a text is its author's time too.
  const text = Buffer.from(repeated).toString();
  return { type: "agent.message", id: ids.eventId(), model_request_start_id: start, content: [{ type: "text", text }] };
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
