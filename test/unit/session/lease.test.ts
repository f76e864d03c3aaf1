/** Whose lease it is when holders die, sleep, are on other computers, or ask at the same moment. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { limits } from "../../../src/core/limits.ts";
import { Lease } from "../../../src/session/lease.ts";
import { ownRecord } from "../../../src/session/leaseRecord.ts";
import type { LeaseRecord } from "../../../src/session/leaseRecord.ts";
import { HandClock, scratchFolder } from "./support.ts";

interface Held {
  readonly lease: Lease;
  readonly clock: HandClock;
  lost: number;
}

describe("a lease", () => {
  let folder: string;
  let remove: () => Promise<void>;
  const all: Lease[] = [];

  beforeEach(async () => {
    ({ folder, remove } = await scratchFolder());
  });

  afterEach(async () => {
    for (const lease of all.splice(0)) await lease.release();
    await remove();
  });

  const make = (owner: string, clock = new HandClock()): Held => {
    const held: Held = {
      lease: new Lease({ folder, owner, clock, onLost: () => (held.lost += 1), report: () => {} }),
      clock,
      lost: 0,
    };
    all.push(held.lease);
    return held;
  };

  /** A lease file as somebody else left it. */
  const leave = async (epoch: number, record: Partial<LeaseRecord> | string, renewedMs: number): Promise<void> => {
    const file = path.join(folder, `lease.${epoch}`);
    await writeFile(
      file,
      typeof record === "string" ? record : JSON.stringify({ ...(await ownRecord(epoch, "somebody")), ...record }),
    );
    await utimes(file, renewedMs / 1000, renewedMs / 1000);
  };

  const acquires = async ({ lease, clock }: Held): Promise<string> => {
    const settled = { yet: false };
    const answer = lease.acquire(false).finally(() => (settled.yet = true));
    // Lets the time of grace pass, if it is asked for.
    for (let tries = 0; tries < 200 && !settled.yet; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (tries === 20) clock.pass(limits.leaseRenewMs + 1_000);
    }
    return (await answer).kind;
  };

  it("is free where nobody ever had it, and epochs count up from 1", async () => {
    const { lease } = make("a");
    assert.equal(await lease.holder(), null);
    assert.deepEqual(await lease.acquire(false), { kind: "held", isSuspect: false });
    assert.equal(lease.epoch, 1);
    await lease.release();
    assert.deepEqual(await lease.acquire(false), { kind: "held", isSuspect: false });
    assert.equal(lease.epoch, 2);
    assert.deepEqual(await readdir(folder), ["lease.2"], "leases of the past are removed");
  });

  it("is renewed while it is held, and not afterwards", async () => {
    const { lease, clock } = make("a");
    await lease.acquire(false);
    const file = path.join(folder, "lease.1");
    for (let round = 0; round < 3; round += 1) {
      clock.pass(limits.leaseRenewMs);
      const renewed = async (): Promise<boolean> => (await stat(file)).mtimeMs === clock.now();
      for (let tries = 0; tries < 500 && !(await renewed()); tries += 1) {
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      assert.ok(await renewed());
    }
    await lease.release();
    assert.match(await readFile(file, "utf8"), /"released":true/);
  });

  it("goes to another one at once when the holder's process is gone", async () => {
    const child = spawn("true");
    await once(child, "close");
    const next = make("b");
    await leave(4, { pid: child.pid ?? 0 }, next.clock.now());
    assert.equal(await next.lease.holder(), null);
    assert.deepEqual(await next.lease.acquire(false), { kind: "held", isSuspect: false });
    assert.equal(next.lease.epoch, 5);
  });

  it("goes to another one at once when the holder's pid belongs to a later process", async function () {
    // There the record has no start time of the process: nothing says that it is a later one.
    if (process.platform === "win32") this.skip();
    const next = make("b");
    await leave(1, { started: "some other time" }, next.clock.now());
    assert.deepEqual(await next.lease.acquire(false), { kind: "held", isSuspect: false });
  });

  it("stays with a holder on another computer as long as it is renewed", async () => {
    const next = make("b");
    await leave(1, { host: "elsewhere", pid: 999_999_999 }, next.clock.now() - limits.leaseStaleMs + 1_000);
    assert.deepEqual(await next.lease.acquire(false), { kind: "busy", holder: { epoch: 1, owner: "somebody" } });
    next.clock.pass(2_000);
    assert.equal(await acquires(next), "held");
  });

  it("stays with a holder that only slept, as the whole computer did, and renews when it wakes", async () => {
    const next = make("b");
    await leave(1, {}, next.clock.now() - 10 * limits.leaseStaleMs);
    const answer = next.lease.acquire(false);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await leave(1, {}, next.clock.now());
    next.clock.pass(limits.leaseRenewMs + 1_000);
    assert.equal((await answer).kind, "busy");
  });

  it("goes to another one when the holder does not wake, who must expect a last line of it", async () => {
    const next = make("b");
    await leave(1, {}, next.clock.now() - limits.leaseStaleMs);
    assert.equal(await next.lease.holder(), null);
    const answer: unknown[] = [];
    void next.lease.acquire(false).then((value) => answer.push(value));
    for (let tries = 0; answer.length === 0 && tries < 1_000; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      next.clock.pass(limits.leaseRenewMs);
    }
    assert.deepEqual(answer, [{ kind: "held", isSuspect: true }]);
  });

  it("is somebody's while its file says nothing yet", async () => {
    const next = make("b");
    await leave(1, "", next.clock.now());
    assert.deepEqual(await next.lease.acquire(false), { kind: "busy", holder: { epoch: 1, owner: "another window" } });
    await leave(1, '{"epoch":1', next.clock.now() - limits.leaseStaleMs);
    assert.equal(await acquires(next), "held");
  });

  it("is free when it was given back without a byte of room", async () => {
    const next = make("b");
    await leave(1, {}, 0);
    assert.equal(await acquires(next), "held");
  });

  it("is lost once, and noticed by a look, when another one takes it by force", async () => {
    const first = make("a");
    const second = make("b");
    await first.lease.acquire(false);
    assert.deepEqual(await second.lease.acquire(true), { kind: "held", isSuspect: true });
    assert.equal(first.lost, 0);
    assert.equal(first.lease.isCurrent(), false);
    assert.equal(first.lease.isCurrent(), false);
    assert.equal(first.lost, 1);
    assert.equal(second.lease.isCurrent(), true);
    await first.lease.release();
    assert.deepEqual(await second.lease.holder(), { epoch: 2, owner: "b" });
  });

  it("ends up with one holder when many take it by force at once", async () => {
    const many = Array.from({ length: 10 }, (_, at) => make(`window ${at}`));
    await Promise.all(many.map(({ lease }) => lease.acquire(true)));
    assert.equal(many.filter(({ lease }) => lease.isCurrent()).length, 1);
    assert.equal((await readdir(folder)).length, 1);
  });

  it("is never had by two of many who ask and give back all the time", async () => {
    const many = Array.from({ length: 6 }, (_, at) => make(`window ${at}`));
    let holders = 0;
    let turns = 0;
    const use = async ({ lease }: Held): Promise<void> => {
      for (let round = 0; round < 25; round += 1) {
        if ((await lease.acquire(false)).kind === "busy") continue;
        assert.equal((holders += 1), 1);
        turns += 1;
        await new Promise((resolve) => setImmediate(resolve));
        assert.ok(lease.isCurrent());
        holders -= 1;
        await lease.release();
      }
    };
    await Promise.all(many.map(use));
    assert.ok(turns > 5, `${turns} turns`);
  });
});
