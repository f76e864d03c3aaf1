/** What the contract of the session store is told with: worlds of stores, events to append, waiting without a clock. */
import assert from "node:assert/strict";
import { hasCode } from "../../../src/core/errors.ts";
import type { ErrorCode } from "../../../src/core/errors.ts";
import { SCHEMA_VERSION } from "../../../src/core/events.ts";
import type { NewEvent } from "../../../src/core/events.ts";
import type { EventId, SessionId } from "../../../src/core/ids.ts";
import type { SessionLog, SessionStore } from "../../../src/core/sessionLog.ts";
import type { AnyEvent } from "../../../src/core/sessionState.ts";
import { createIds } from "../../../src/session/ids.ts";

/** Stores that see the same sessions, as windows on one computer do. */
export interface World {
  openStore(owner: string): SessionStore;
  dispose(): Promise<void>;
}

export const ids = createIds({ now: () => Date.now() });
const WAIT_MS_MAX = 30_000;

export function created(title = "A session"): NewEvent<"session.created"> {
  return { type: "session.created", schema_version: SCHEMA_VERSION, title, hands: [], model: null, permission: "ask" };
}

export function message(text: string, id: EventId | null = null): NewEvent<"user.message"> {
  return { type: "user.message", ...(id === null ? {} : { id }), content: [{ type: "text", text }] };
}

export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + WAIT_MS_MAX;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function rejectsWith(code: ErrorCode, action: Promise<unknown>): Promise<void> {
  await assert.rejects(
    action,
    (thrown) => hasCode(thrown, code) || assert.fail(`${code} expected, not ${String(thrown)}`),
  );
}

/** All events, in slices. */
export async function allEvents(log: SessionLog): Promise<readonly AnyEvent[]> {
  const all: AnyEvent[] = [];
  for (;;) {
    const slice = await log.getEvents({ from: (all.at(-1)?.seq ?? 0) + 1 });
    if (slice.length === 0) return all;
    all.push(...slice);
  }
}

/** What each test of the contract begins with: a session of one event, its lease held by the first window. */
export interface Fixture {
  readonly world: World;
  readonly store: SessionStore;
  readonly id: SessionId;
  readonly log: SessionLog;
  /** The log, closed and opened again. */
  readonly reopened: () => Promise<SessionLog>;
}

/** A new fixture before each test of the suite that this is called in; its members change from test to test. */
export function freshFixture(createWorld: () => Promise<World>): Fixture {
  let current: Fixture | null = null;
  beforeEach(async () => {
    const world = await createWorld();
    const store = world.openStore("the first window");
    const id = ids.sessionId();
    const log = await store.create(id, created());
    const reopened = async (): Promise<SessionLog> => {
      await log.close();
      return store.open(id);
    };
    current = { world, store, id, log, reopened };
  });
  afterEach(async () => {
    await current?.world.dispose();
    current = null;
  });
  const now = (): Fixture => current ?? assert.fail("no test is running");
  return {
    get world() {
      return now().world;
    },
    get store() {
      return now().store;
    },
    get id() {
      return now().id;
    },
    get log() {
      return now().log;
    },
    reopened: () => now().reopened(),
  };
}
