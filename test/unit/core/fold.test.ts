/** The fold over events: each scenario in `fold/` is a list of events with what the state must be between them. */
import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { EVENT_TYPES } from "../../../src/core/events.ts";
import { EMPTY_STATE, foldSession, needsBrain } from "../../../src/core/sessionState.ts";
import type { AnyEvent, SessionState } from "../../../src/core/sessionState.ts";

/** What must hold after the events so far: the members that are named, and whether the brain is needed. */
interface Expected {
  readonly expect: Readonly<Partial<Record<keyof SessionState | "needs_brain", unknown>>>;
}
interface Scenario {
  /** A sentence: what holds. */
  readonly title: string;
  /** Events without their envelope (`id` may be given, else `sevt_<seq>`), and expectations between them. */
  readonly log: readonly (Readonly<Record<string, unknown>> | Expected)[];
}

const folder = path.join(import.meta.dirname, "fold");

function scenarios(): readonly Scenario[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return files.toSorted().map((name) => JSON.parse(readFileSync(path.join(folder, name), "utf8")) as Scenario);
}

function isExpected(entry: Scenario["log"][number]): entry is Expected {
  return Object.hasOwn(entry, "expect");
}

function withEnvelope(entry: object, seq: number): AnyEvent {
  const processed_at = new Date(Date.UTC(2026, 10, 21, 0, 0, seq)).toISOString();
  return { id: `sevt_${seq}`, ...entry, seq, processed_at } as unknown as AnyEvent;
}

/** The events as a store would give them: seq from 1, ids, a second between any two. */
function eventsOf({ log }: Scenario): readonly AnyEvent[] {
  return log.filter((entry) => !isExpected(entry)).map((entry, index) => withEnvelope(entry, index + 1));
}

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

function check(scenario: Scenario): void {
  const events = eventsOf(scenario);
  let state: SessionState = frozen(structuredClone(EMPTY_STATE));
  for (const entry of scenario.log) {
    const event = events[state.seq];
    if (!isExpected(entry)) {
      assert.ok(event !== undefined);
      // As after a checkpoint: whatever the state holds survives JSON. Frozen: a fold changes nothing in place.
      state = frozen(JSON.parse(JSON.stringify(foldSession(state, frozen(event)))) as SessionState);
      continue;
    }
    const { needs_brain, ...members } = entry.expect;
    const found = Object.fromEntries(Object.keys(members).map((name) => [name, state[name as keyof SessionState]]));
    assert.deepEqual(found, members, `after event ${state.seq} (${events[state.seq - 1]?.type})`);
    if (needs_brain !== undefined) assert.equal(needsBrain(state), needs_brain, `needsBrain after event ${state.seq}`);
  }
}

describe("the fold over a session's events", () => {
  const all = scenarios();

  for (const scenario of all) it(scenario.title, () => check(scenario));

  it("takes each event once, and ends the same from every checkpoint on", () => {
    for (const scenario of all) {
      const events = eventsOf(scenario);
      const whole = events.reduce(foldSession, EMPTY_STATE);
      assert.equal(events.reduce(foldSession, whole), whole, scenario.title);
      events.forEach((_, at) => {
        const checkpoint = JSON.parse(JSON.stringify(events.slice(0, at).reduce(foldSession, EMPTY_STATE)));
        // The overlap is what a reader gets who does not know how far the checkpoint is.
        const rest = events.slice(Math.max(0, at - 2));
        assert.deepEqual(rest.reduce(foldSession, checkpoint as SessionState), whole, scenario.title);
      });
    }
  });

  it("has a scenario with each type of event that there is", () => {
    const seen = new Set(all.flatMap(eventsOf).map(({ type }) => type));
    assert.deepEqual(
      Object.keys(EVENT_TYPES).filter((type) => !seen.has(type)),
      [],
    );
  });
});
