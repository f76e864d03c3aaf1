/** The store in memory against the contract, and what it adds for simulations. */
import assert from "node:assert/strict";
import type { SessionId } from "../../../src/core/ids.ts";
import { createIds } from "../../../src/session/ids.ts";
import { createMemoryStore } from "../../../src/session/memoryStore.ts";
import type { MemoryDisk, MemoryStore, MemoryStoreOptions } from "../../../src/session/memoryStore.ts";
import { systemClock as clock } from "../../../src/orchestrator/systemClock.ts";
import { allEvents, created, message, rejectsWith } from "./contractSupport.ts";
import { describeSessionStore } from "./storeContract.ts";

const ids = createIds(clock);

describeSessionStore("in memory", async () => {
  const disk: MemoryDisk = new Map();
  return { openStore: (owner) => createMemoryStore({ clock, ids, disk, owner }), dispose: async () => {} };
});

describe("a store in memory that crashes", () => {
  const id = ids.sessionId();
  const open = (options: Partial<MemoryStoreOptions> = {}): MemoryStore =>
    createMemoryStore({ clock, ids, ...options });

  const crashAt =
    (moment: "before" | "after", text: string): NonNullable<MemoryStoreOptions["onAppend"]> =>
    (at, session: SessionId, events) =>
      session === id && at === moment && JSON.stringify(events).includes(text) ? "crash" : undefined;

  it("keeps nothing of an append that it crashed before", async () => {
    const store = open({ onAppend: crashAt("before", "second") });
    const log = await store.create(id, created());
    await log.append([message("first")]);
    await rejectsWith("cancelled", log.append([message("second"), message("third")]));
    const next = await open({ disk: store.disk }).open(id);
    assert.deepEqual(
      (await allEvents(next)).map(({ seq }) => seq),
      [1, 2],
    );
    assert.deepEqual(await next.acquire(), { kind: "held" });
    assert.deepEqual(
      (await next.append([message("fourth")])).map(({ seq }) => seq),
      [3],
    );
  });

  it("keeps all of an append that it crashed after, though nobody was told", async () => {
    const store = open({ onAppend: crashAt("after", "second") });
    const log = await store.create(id, created());
    const told: number[] = [];
    log.onDidAppend((events) => told.push(...events.map(({ seq }) => seq)));
    const second = message("second", ids.eventId());
    await rejectsWith("cancelled", log.append([second, message("third")]));
    assert.deepEqual(told, []);
    const next = await open({ disk: store.disk }).open(id);
    await next.acquire();
    assert.deepEqual(
      (await next.append([second])).map(({ seq }) => seq),
      [2],
    );
    assert.equal(next.state().seq, 3);
  });

  it("is dead after a crash: nothing that is asked of it reaches the log any more", async () => {
    const store = open();
    const log = await store.create(id, created());
    const pending = log.append([message("under way")]);
    store.crash();
    await rejectsWith("cancelled", pending);
    await rejectsWith("cancelled", log.append([message("later")]));
    await rejectsWith("cancelled", log.getEvents({}));
    await rejectsWith("cancelled", store.open(id));
    await rejectsWith("cancelled", store.list());
    assert.equal(log.holdsLease(), false);
    assert.equal((await open({ disk: store.disk }).list())[0]?.state.seq, 1);
  });
});
