/** Contract of a session store: sessions as a whole, and the lease of one. */
import assert from "node:assert/strict";
import { SCHEMA_VERSION } from "../../../src/core/events.ts";
import type { SessionLog } from "../../../src/core/sessionLog.ts";
import type { AnyEvent } from "../../../src/core/sessionState.ts";
import { allEvents, created, freshFixture, ids, message, rejectsWith, until } from "./contractSupport.ts";
import type { World } from "./contractSupport.ts";

export function describeSessions(createWorld: () => Promise<World>): void {
  const own = freshFixture(createWorld);

  describe("sessions", () => {
    it("makes a session with its first event stored and its lease held", async () => {
      const [first, ...more] = await allEvents(own.log);
      assert.equal(first?.type, "session.created");
      assert.equal(first.seq, 1);
      assert.deepEqual(more, []);
      assert.equal(own.log.holdsLease(), true);
      assert.equal(own.log.state().title, "A session");
    });

    it("does not make the same session twice", async () => {
      await assert.rejects(own.store.create(own.id, created("another")));
      assert.equal((await allEvents(own.log)).length, 1);
    });

    it("says which session does not exist", async () => {
      await rejectsWith("session_not_found", own.store.open(ids.sessionId()));
    });

    it("gives the same log until it is closed, and another one then", async () => {
      assert.equal(await own.store.open(own.id), own.log);
      const next = await own.reopened();
      assert.notEqual(next, own.log);
      assert.equal((await allEvents(next)).length, 1);
    });

    it("lists each session with its state, open or not", async () => {
      await own.log.append([{ type: "session.updated", title: "Renamed" }]);
      const other = await own.store.create(ids.sessionId(), created("The other one"));
      await other.close();
      const listed = (await own.store.list()).map(({ state, unreadable, damaged }) => {
        return `${state.title}, ${unreadable}, ${damaged}`;
      });
      assert.deepEqual(new Set(listed), new Set(["Renamed, null, false", "The other one, null, false"]));
      await own.log.append([{ type: "session.updated", archived: true }]);
      const listing = (await own.store.list()).find((one) => one.id === own.id);
      assert.deepEqual(listing?.state, own.log.state());
    });

    it("deletes a session with all that it has", async () => {
      await own.log.putBlob(Buffer.from("bytes"));
      await own.store.delete(own.id);
      assert.deepEqual(await own.store.list(), []);
      await rejectsWith("session_not_found", own.store.open(own.id));
      assert.equal(own.log.holdsLease(), false);
      await own.log.close();
    });

    it("does not delete a session that another window runs", async () => {
      const second = own.world.openStore("the second window");
      await rejectsWith("session_read_only", second.delete(own.id));
      assert.equal((await own.store.list()).length, 1);
      await own.log.append([message("still here")]);
    });

    it("gives each hand of each session a folder of its own, whatever its name is", () => {
      const names = [
        "local",
        "Local",
        "../x",
        "..",
        "",
        "a b",
        "a/b",
        "a_b",
        "ü",
        "con",
        "x".repeat(300),
        "x".repeat(301),
      ];
      const paths = names.map((hand) => own.store.handStoragePath(own.id, hand));
      assert.equal(new Set(paths.map((path) => path.toLowerCase())).size, names.length);
      for (const path of paths) assert.match(path, new RegExp(`${own.id}[/\\\\]hands[/\\\\][^/\\\\]{1,120}$`));
    });
  });

  it("shows a log of a newer format, and writes nothing to it", async () => {
    const newer = await own.store.create(ids.sessionId(), {
      ...created("From the future"),
      schema_version: SCHEMA_VERSION + 1,
    });
    assert.equal(newer.state().title, "From the future");
    assert.match(newer.readOnlyReason() ?? "", /newer/);
    await rejectsWith("session_read_only", newer.append([message("no")]));
    await rejectsWith("session_read_only", newer.takeOver());
    assert.equal((await allEvents(newer)).length, 1);
    assert.equal(own.log.readOnlyReason(), null);
  });

  describe("the lease", () => {
    let other: SessionLog;

    beforeEach(async () => {
      other = await own.world.openStore("the second window").open(own.id);
    });

    it("lets one window write, and says to the other who does", async () => {
      const busy = await other.acquire();
      assert.deepEqual(busy, { kind: "busy", holder: { epoch: 1, owner: "the first window" } });
      assert.deepEqual(await other.holder(), { epoch: 1, owner: "the first window" });
      await rejectsWith("lease_lost", other.append([message("not mine")]));
      await rejectsWith("lease_lost", other.putBlob(Buffer.from("nor this")));
      await rejectsWith("lease_lost", other.createBlob());
      assert.deepEqual(await own.log.acquire(), { kind: "held" });
    });

    it("goes to the next window when it is given back, with a higher epoch", async () => {
      await own.log.release();
      assert.equal(await other.holder(), null);
      assert.equal(own.log.holdsLease(), false);
      assert.deepEqual(await other.acquire(), { kind: "held" });
      assert.equal((await other.holder())?.epoch, 2);
      await other.append([message("mine now")]);
      await rejectsWith("lease_lost", own.log.append([message("not any more")]));
    });

    it("goes to the next window when a log is closed", async () => {
      await own.log.close();
      assert.deepEqual(await other.acquire(), { kind: "held" });
    });

    it("goes to exactly one of many who ask at once", async () => {
      await own.log.release();
      const windows = Array.from({ length: 8 }, (_, at) => own.world.openStore(`window ${at}`));
      const logs = await Promise.all(windows.map((window) => window.open(own.id)));
      const answers = await Promise.all(logs.map((one) => one.acquire()));
      assert.equal(answers.filter(({ kind }) => kind === "held").length, 1);
      assert.equal(logs.filter((one) => one.holdsLease()).length, 1);
    });

    it("can be taken over: the log says so, and the other window is told and refused", async () => {
      let told = 0;
      own.log.onDidLoseLease(() => (told += 1));
      await other.takeOver();
      assert.equal(other.holdsLease(), true);
      const [taken] = await other.getEvents({ types: ["session.lease_taken"] });
      assert.equal((taken as { epoch?: number }).epoch, 2);
      await rejectsWith("lease_lost", own.log.append([message("too late")]));
      await until(() => told === 1, "the first window hears that it lost the lease");
      assert.equal(own.log.holdsLease(), false);
      await until(() => own.log.state().seq === 2, "the first window follows the log now");
      await other.append([message("goes on")]);
      assert.deepEqual(
        (await allEvents(other)).map(({ type }) => type),
        ["session.created", "session.lease_taken", "user.message"],
      );
      assert.equal(told, 1);
    });

    it("can be taken back and forth without losing or doubling an event", async () => {
      const windows = [own.log, other];
      for (let at = 0; at < 6; at += 1) {
        const writer = windows[at % 2] as SessionLog;
        if (!writer.holdsLease()) await writer.takeOver();
        await writer.append([message(String(at))]);
      }
      await until(() => own.log.state().seq === other.state().seq, "both windows have seen all");
      assert.equal((await own.log.getEvents({ types: ["user.message"] })).length, 6);
      assert.deepEqual(await allEvents(own.log), await allEvents(other));
      assert.deepEqual(own.log.state(), other.state());
      assert.deepEqual(own.log.damage(), []);
    });

    it("shows a window that only looks each event once and in order", async () => {
      const heard: AnyEvent[] = [];
      other.onDidAppend((events) => heard.push(...events));
      for (let at = 0; at < 20; at += 1) await own.log.append([message(String(at)), message(String(at))]);
      await until(() => heard.length >= 40, "the second window has heard of all");
      assert.deepEqual(heard, (await allEvents(own.log)).slice(1));
      assert.deepEqual(other.state(), own.log.state());
    });
  });
}
