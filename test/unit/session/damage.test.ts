/** Logs that are damaged in other ways than one byte: cut, filled, mixed up, taken away. */
import assert from "node:assert/strict";
import { appendFile, mkdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { limits } from "../../../src/core/limits.ts";
import type { SessionLog, SessionStore } from "../../../src/core/sessionLog.ts";
import { decodeLine, encodeLine } from "../../../src/session/line.ts";
import { makeSampleLog, placeLog } from "./sampleLog.ts";
import type { SampleLog } from "./sampleLog.ts";
import { filesOf, forgetDerived, ids, logPath, openStore, scratchFolder } from "./support.ts";

describe("a damaged log", () => {
  let root: string;
  let remove: () => Promise<void>;
  let sample: SampleLog;
  let store: SessionStore;
  const opened: SessionLog[] = [];

  before(async () => {
    ({ folder: root, remove } = await scratchFolder());
    sample = await makeSampleLog(path.join(root, "sample"));
    ({ store } = openStore(path.join(root, "sessions")));
  });

  afterEach(async () => {
    for (const log of opened.splice(0)) await log.close();
  });

  after(async () => {
    await remove();
  });

  const line = (at: number): Buffer => {
    const { start, end } = sample.lines[at] ?? assert.fail(`no line ${at}`);
    return sample.bytes.subarray(start, end + 1);
  };

  const lines = (from: number, to: number): Buffer =>
    Buffer.concat(Array.from({ length: to - from }, (_, at) => line(from + at)));

  const open = async (...parts: readonly (Buffer | string)[]): Promise<SessionLog> => {
    const id = await placeLog(path.join(root, "sessions"), Buffer.concat(parts.map((part) => Buffer.from(part))));
    const log = await store.open(id);
    opened.push(log);
    return log;
  };

  const seqs = async (log: SessionLog): Promise<number[]> => (await log.getEvents({})).map(({ seq }) => seq);

  /** Appends an event, closes, reads again. */
  async function appended(log: SessionLog): Promise<{ readonly seqs: number[]; readonly last: number | undefined }> {
    await log.acquire();
    const [event] = await log.append([{ type: "user.interrupt" }]);
    await log.close();
    await forgetDerived(path.join(root, "sessions"), log.id);
    const next = await store.open(log.id);
    opened.push(next);
    return { seqs: await seqs(next), last: event?.seq };
  }

  it("keeps what stands before and after a part that is cut out, and names what is missing", async () => {
    const log = await open(lines(0, 2), lines(6, 9));
    assert.deepEqual(await seqs(log), [1, 2, 7, 8, 9]);
    assert.deepEqual(log.damage(), [
      { offset: lines(0, 2).length, bytes: 0, reason: "events 3 to 6 are missing here" },
    ]);
    assert.deepEqual(await appended(log), { seqs: [1, 2, 7, 8, 9, 10], last: 10 });
  });

  it("keeps both sides of a cut that went through the middle of lines", async () => {
    const log = await open(lines(0, 2), line(2).subarray(0, 50), line(4).subarray(30), lines(5, 9));
    assert.deepEqual(await seqs(log), [1, 2, 6, 7, 8, 9]);
    assert.equal(log.damage().length, 1);
    assert.equal(log.damage()[0]?.bytes, 50 + line(4).length - 31);
    const cutAtStart = await open(lines(0, 2), line(2).subarray(0, 50), lines(3, 9));
    assert.deepEqual(await seqs(cutAtStart), [1, 2, 4, 5, 6, 7, 8, 9]);
  });

  it("finds whole lines among garbage, whatever it is", async () => {
    const garbage = [
      Buffer.alloc(5_000),
      "\n\n\n",
      Buffer.alloc(3_000, 0xff),
      '{"seq":',
      '{"seq":1,"id":"x"}\n',
      '"crc":"00000000"}',
    ];
    const log = await open(...garbage.flatMap((bytes, at) => [line(at), bytes]), lines(garbage.length, 9), "");
    assert.deepEqual(await seqs(log), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.ok(log.damage().length >= 5);
    assert.deepEqual((await appended(log)).last, 10);
  });

  it("goes on after a last line that is damaged but complete", async () => {
    const broken = Buffer.from(line(8));
    broken[20] = 0;
    const log = await open(lines(0, 8), broken);
    assert.deepEqual(
      log.damage().map(({ bytes }) => bytes),
      [broken.length - 1],
    );
    assert.deepEqual(await appended(log), { seqs: [1, 2, 3, 4, 5, 6, 7, 8, 9], last: 9 });
    assert.deepEqual(await filesOf(path.join(root, "sessions"), log.id, "events.torn"), []);
  });

  it("sets aside what stands after whole lines that lost their newline", async () => {
    const merged = Buffer.concat([
      line(7).subarray(0, -1),
      Buffer.from("#"),
      line(8).subarray(0, -1),
      Buffer.from("##"),
    ]);
    const log = await open(lines(0, 7), merged);
    assert.deepEqual(await seqs(log), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual(await appended(log), { seqs: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], last: 11 });
    const [torn] = await filesOf(path.join(root, "sessions"), log.id, "events.torn");
    assert.equal(await readFile(path.join(root, "sessions", log.id, torn ?? ""), "utf8"), "##");
  });

  it("puts lines that stand in another order into theirs, and folds them in it", async () => {
    const log = await open(lines(0, 2), lines(4, 9), lines(2, 4));
    assert.deepEqual(await seqs(log), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const whole = await open(sample.bytes);
    assert.deepEqual(log.state(), whole.state());
    assert.deepEqual((await appended(log)).last, 10);
  });

  it("takes the first of two lines with one number, and says so", async () => {
    const second = encodeLine(3, ids.eventId(), "user.interrupt", new Date().toISOString(), "");
    const log = await open(lines(0, 3), second, lines(3, 9));
    assert.deepEqual(
      await log.getEvents({}),
      sample.lines.map(({ event }) => event),
    );
    assert.match(
      log
        .damage()
        .map(({ reason }) => reason)
        .join(),
      /^a second event 3[^,]*, such/,
    );
  });

  it("keeps events of types that it does not know, and folds over them", async () => {
    const unknown = encodeLine(10, ids.eventId(), "hand.grew_a_thumb", new Date().toISOString(), '"size":{"mm":[60]}');
    const log = await open(sample.bytes, unknown);
    const [event] = await log.getEvents({ from: 10 });
    assert.deepEqual(event, { ...decodeLine(unknown.subarray(0, -1)), size: { mm: [60] } });
    assert.equal(log.state().seq, 10);
    assert.deepEqual(
      (await log.getEvents({ types: ["hand.grew_a_thumb"] })).map(({ seq }) => seq),
      [10],
    );
    assert.deepEqual(await log.getEvents({ types: ["hand.grew_wings"] }), []);
    assert.deepEqual((await appended(log)).last, 11);
  });

  it("reads through megabytes without a newline in bounded pieces", async () => {
    const garbage = Buffer.alloc(3 * limits.logLineBytesHardMax, "x");
    const log = await open(lines(0, 4), garbage, lines(4, 9));
    assert.deepEqual(await seqs(log), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const bytes = log.damage().reduce((sum, damage) => sum + damage.bytes, 0);
    assert.equal(bytes, garbage.length);
  });

  it("lists at most so many damaged places", async () => {
    const parts = Array.from(
      { length: limits.damageMax + 50 },
      (_, at) => `${"y".repeat(1 + (at % 2))}\n{"seq":${at}\n`,
    );
    const log = await open(lines(0, 9), ...parts);
    assert.ok(log.damage().length <= limits.damageMax);
    assert.deepEqual((await seqs(log)).length, 9);
  });

  it("notices damage that came after the checkpoint when it reads the event", async () => {
    const id = await placeLog(path.join(root, "sessions"), sample.bytes, sample.derived);
    const file = logPath(path.join(root, "sessions"), id);
    const bytes = Buffer.from(sample.bytes);
    bytes[(sample.lines[3]?.start ?? 0) + 60] = 0;
    await writeFile(file, bytes);
    const log = await store.open(id);
    opened.push(log);
    assert.deepEqual(log.damage(), [], "a long log is not read as a whole when it is opened");
    assert.deepEqual(await seqs(log), [1, 2, 3, 5, 6, 7, 8, 9]);
    const [damage] = log.damage();
    assert.equal(damage?.offset, sample.lines[3]?.start);
    assert.match(damage?.reason ?? "", /event 4 was damaged/);
  });

  it("says what is wrong with a payload whose blob is damaged or gone, and keeps the preview", async () => {
    const made = await store.create(ids.sessionId(), {
      type: "session.created",
      schema_version: 1,
      title: "",
      hands: [],
      model: null,
      permission: "ask",
    });
    opened.push(made);
    const text = "z".repeat(2 * limits.logLineBytesMax);
    const [event] = await made.append([{ type: "user.message", content: [{ type: "text", text }] }]);
    const blob = path.join(root, "sessions", made.id, "blobs", event?.payload_ref?.sha256 ?? "");
    await writeFile(blob, (await readFile(blob, "utf8")).replace("zzz", "zyz"));
    const [damaged] = await made.getEvents({ from: 2, resolve: true });
    assert.match(String(damaged?.payload_error), /damaged/);
    assert.deepEqual({ ...damaged, payload_error: undefined }, { ...event, payload_error: undefined });
    await rm(blob);
    const [missing] = await made.getEvents({ from: 2, resolve: true });
    assert.match(String(missing?.payload_error), /gone/);
    assert.equal(made.damage().length, 2);
    // Storing the same bytes again mends it.
    await made.putBlob(Buffer.from(JSON.stringify({ content: [{ type: "text", text }] })));
    const [mended] = await made.getEvents({ from: 2, resolve: true });
    assert.deepEqual((mended as { content?: unknown }).content, [{ type: "text", text }]);
  });

  it("starts anew in a view when a writer takes back what it never acknowledged", async () => {
    const id = await placeLog(path.join(root, "sessions"), sample.bytes);
    const log = await store.open(id);
    opened.push(log);
    const heard: number[] = [];
    log.onDidAppend((events) => heard.push(...events.map(({ seq }) => seq)));
    const file = logPath(path.join(root, "sessions"), id);
    const shorter = sample.lines[6]?.end ?? 0;
    await truncate(file, shorter + 1);
    await appendFile(file, encodeLine(8, ids.eventId(), "session.status_terminated", new Date().toISOString(), ""));
    for (let tries = 0; log.state().status !== "terminated" && tries < 1_000; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(log.state().status, "terminated");
    assert.deepEqual(heard, [8]);
    assert.deepEqual(await seqs(log), [1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("is listed with the reason when nothing of it can be read, never as empty", async () => {
    const elsewhere = path.join(root, "unreadable");
    const { store: other } = openStore(elsewhere);
    const garbage = await placeLog(elsewhere, Buffer.alloc(500, "x"));
    const empty = await placeLog(elsewhere, Buffer.alloc(0));
    const folder = ids.sessionId();
    await mkdir(path.join(elsewhere, folder, "events.jsonl"), { recursive: true });
    const loop = ids.sessionId();
    await mkdir(path.join(elsewhere, loop));
    await symlink("events.jsonl", path.join(elsewhere, loop, "events.jsonl"));
    const none = ids.sessionId();
    await mkdir(path.join(elsewhere, none));
    const good = await placeLog(elsewhere, sample.bytes);
    await writeFile(path.join(elsewhere, "notes.txt"), "no session");
    const listings = new Map((await other.list()).map((listing) => [listing.id, listing]));
    assert.equal(listings.size, 6);
    for (const id of [garbage, empty, folder, loop, none]) {
      assert.ok((listings.get(id)?.unreadable ?? "").length > 10, `${id} has its reason`);
    }
    assert.deepEqual(listings.get(good)?.unreadable, null);
    assert.equal(listings.get(good)?.state.title, "T");
  });

  it("is read anew by a listing when it has changed, and only then", async () => {
    const elsewhere = path.join(root, "changing");
    const { store: other } = openStore(elsewhere);
    const id = await placeLog(elsewhere, lines(0, 3));
    const [first] = await other.list();
    assert.equal((await other.list())[0], first);
    await appendFile(logPath(elsewhere, id), lines(3, 9));
    assert.equal((await other.list())[0]?.state.seq, 9);
  });
});
