/** Whatever is appended, reopened, taken over and thrown away in whatever order: the log is what a list would be. */
import assert from "node:assert/strict";
import path from "node:path";
import * as fc from "fast-check";
import type { NewEvent } from "../../../src/core/events.ts";
import { limits } from "../../../src/core/limits.ts";
import type { EventId, SessionId } from "../../../src/core/ids.ts";
import type { SessionLog, SessionStore } from "../../../src/core/sessionLog.ts";
import { EMPTY_STATE, foldSession } from "../../../src/core/sessionState.ts";
import type { AnyEvent } from "../../../src/core/sessionState.ts";
import { createMemoryStore } from "../../../src/session/memoryStore.ts";
import type { MemoryDisk } from "../../../src/session/memoryStore.ts";
import { systemClock as clock } from "../../../src/orchestrator/systemClock.ts";
import { forgetDerived, ids, openStore, scratchFolder } from "./support.ts";

type Step =
  | { readonly kind: "append"; readonly appends: readonly (readonly Given[])[] }
  | { readonly kind: "reopen"; readonly forget: boolean }
  | { readonly kind: "takeOver" }
  | {
      readonly kind: "slice";
      readonly from: number;
      readonly to: number;
      readonly limit: number;
      readonly desc: boolean;
    };

/** An event by a small number, so that ids come again; some have long payloads. */
interface Given {
  readonly id: number | null;
  readonly text: string;
  readonly isLong: boolean;
}

const given: fc.Arbitrary<Given> = fc.record({
  id: fc.option(fc.nat(12), { freq: 2 }),
  text: fc.string({ unit: "binary", maxLength: 40 }),
  isLong: fc.nat(9).map((one) => one === 0),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      appends: fc.array(fc.array(given, { maxLength: 4 }), { minLength: 1, maxLength: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("reopen" as const), forget: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("takeOver" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("slice" as const),
      from: fc.nat(40),
      to: fc.nat(40),
      limit: fc.nat(12),
      desc: fc.boolean(),
    }),
  },
);

interface Windows {
  readonly open: (owner: string) => SessionStore;
  readonly forget: (id: SessionId) => Promise<void>;
}

function newEvent({ id, text, isLong }: Given, prefix: string): NewEvent {
  const content = [{ type: "text" as const, text: isLong ? text + "long ".repeat(limits.logLineBytesMax / 4) : text }];
  return { type: "user.message", ...(id === null ? {} : { id: `sevt_${prefix}_${id}` as EventId }), content };
}

async function run(steps: readonly Step[], windows: Windows): Promise<void> {
  const id = ids.sessionId();
  const prefix = id.slice(5);
  const stores = [windows.open("one"), windows.open("two")] as const;
  let writer = 0;
  let log: SessionLog = await stores[0].create(id, {
    type: "session.created",
    schema_version: 1,
    title: "",
    hands: [],
    model: null,
    permission: "ask",
  });
  let heard: number[] = [];
  const listen = (): void => {
    heard = [];
    log.onDidAppend((events) => heard.push(...events.map(({ seq }) => seq)));
  };
  listen();
  const expected: AnyEvent[] = [...(await log.getEvents({}))];
  const byId = new Map<string, AnyEvent>();

  const append = async (appends: readonly (readonly Given[])[]): Promise<void> => {
    const before = expected.length;
    const answers = await Promise.all(appends.map((events) => log.append(events.map((one) => newEvent(one, prefix)))));
    for (const [at, events] of appends.entries()) {
      const stored = answers[at] ?? [];
      assert.equal(stored.length, events.length);
      for (const [place, one] of events.entries()) {
        const event = stored[place] ?? assert.fail("an event is missing");
        const known = one.id === null ? undefined : byId.get(event.id);
        if (known === undefined) {
          assert.equal(event.seq, expected.length + 1);
          expected.push(event);
          byId.set(event.id, event);
        } else assert.deepEqual(event, known);
      }
    }
    assert.deepEqual(
      heard.splice(0),
      expected.slice(before).map(({ seq }) => seq),
    );
  };

  try {
    for (const one of steps) {
      if (one.kind === "append") await append(one.appends);
      else if (one.kind === "reopen") {
        await log.close();
        if (one.forget) await windows.forget(id);
        log = await (stores[writer] as SessionStore).open(id);
        assert.deepEqual(await log.acquire(), { kind: "held" });
        listen();
      } else if (one.kind === "takeOver") {
        const before = log;
        writer = 1 - writer;
        log = await (stores[writer] as SessionStore).open(id);
        await log.takeOver();
        await assert.rejects(before.append([{ type: "user.interrupt" }]));
        await before.close();
        listen();
        expected.push(...(await log.getEvents({ from: expected.length + 1 })));
        assert.equal(expected.at(-1)?.type, "session.lease_taken");
      } else {
        const { from, to, limit, desc } = one;
        const range = expected.slice(Math.max(0, from - 1), Math.max(0, to));
        const wanted = desc ? range.slice(Math.max(0, range.length - limit)) : range.slice(0, limit);
        const order = desc ? ("desc" as const) : ("asc" as const);
        assert.deepEqual(await log.getEvents({ from, to, limit, order }), wanted);
      }
      assert.deepEqual(log.state(), expected.reduce(foldSession, EMPTY_STATE));
    }
    assert.deepEqual(await log.getEvents({}), expected);
    assert.deepEqual(log.damage(), []);
  } finally {
    await log.close();
  }
}

describe("any interleaving of appends, reopenings and takeovers", function () {
  this.timeout(300_000);

  it("gives a log on disk that is the list of what was appended", async () => {
    const { folder, remove } = await scratchFolder();
    const windows: Windows = {
      open: (owner) => openStore(path.join(folder, "sessions"), { owner }).store,
      forget: (id) => forgetDerived(path.join(folder, "sessions"), id),
    };
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 14 }), (steps) => run(steps, windows)),
        { numRuns: 120 },
      );
    } finally {
      await remove();
    }
  });

  it("gives a log in memory that is the same list", async () => {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
      const disk: MemoryDisk = new Map();
      await run(steps, { open: (owner) => createMemoryStore({ clock, ids, disk, owner }), forget: async () => {} });
    });
    await fc.assert(property, { numRuns: 120 });
  });
});
