/** What holds of calls and their journal (I6) in every hand with a shell. */
import assert from "node:assert/strict";
import { hasCode } from "../../../src/core/errors.ts";
import type { Hand } from "../../../src/core/hand.ts";
import { bash, callOf, perform, Recorder, until } from "./handSupport.ts";
import type { MakePlace, Place } from "./handSupport.ts";

export function journalContract(makePlace: MakePlace): void {
  let place: Place;
  let hand: Hand;

  beforeEach(async () => {
    place = await makePlace();
    hand = await place.open();
  });
  afterEach(async () => {
    await hand.destroy();
    await place.remove();
  });

  const runs = async (): Promise<string | undefined> => (await place.peek(`${place.directory}/runs`))?.toString();

  it("gives the first outcome when the same id is run twice", async () => {
    const call = callOf("bash", { command: "echo run >>runs; echo out; exit 5" });
    const first = await hand.execute(call, new Recorder());
    const seen = new Recorder();
    const second = await hand.execute(call, seen);
    assert.deepEqual(second.outcome, first.outcome);
    assert.equal(second.text, first.text);
    assert.equal(seen.raw().toString(), "out\n");
    assert.equal(await runs(), "run\n");
  });

  it("runs an id once when it is asked for many times at once", async () => {
    const call = callOf("bash", { command: "echo run >>runs; sleep 0.3; echo out" });
    const results = await Promise.all(Array.from({ length: 10 }, () => hand.execute(call, new Recorder())));
    assert.equal(new Set(results.map(({ text }) => text)).size, 1);
    assert.equal(await runs(), "run\n");
  });

  it("lets a command live on when it is let go of, and gives its whole output once to who comes back", async () => {
    const call = callOf("bash", {
      command: "echo run >>runs; echo first; until [ -e go ]; do sleep 0.05; done; echo last; exit 6",
    });
    const before = new Recorder();
    const execution = hand.execute(call, before);
    await until(async () => before.bytes > 0);
    await hand.close();
    await assert.rejects(execution, (thrown) => hasCode(thrown, "hand_detached"));
    hand = await place.open();
    await bash(hand, "touch go");
    const seen = new Recorder();
    const attached = await hand.attach(call, seen);
    assert.ok(attached.kind === "result");
    assert.deepEqual(attached.result.outcome, { kind: "exited", code: 6 });
    assert.equal(seen.raw().toString(), "first\nlast\n");
    assert.equal(await runs(), "run\n");
  });

  it("is the same instance for whoever comes back", async () => {
    const { instance } = hand;
    await hand.close();
    hand = await place.open();
    assert.equal(hand.instance, instance);
  });

  it("says of a call that it was never given that it never started", async () => {
    const attached = await hand.attach(callOf("bash", { command: "echo run >>runs" }), new Recorder());
    assert.deepEqual(attached, { kind: "never_started" });
    assert.equal(await runs(), undefined);
  });

  it("does not write a file twice", async () => {
    const call = callOf("write", { file_path: "f", content: "first" });
    await hand.execute(call, new Recorder());
    await bash(hand, "echo changed >f");
    const again = await hand.execute(call, new Recorder());
    assert.equal(again.is_error, false);
    assert.equal((await place.peek(`${place.directory}/f`))?.toString(), "changed\n");
  });

  it("never runs an id again once it was acknowledged", async () => {
    const { call } = await bash(hand, "echo run >>runs");
    await hand.acknowledge([call.id]);
    const again = await hand.execute(call, new Recorder());
    assert.deepEqual(again.outcome, { kind: "unknown" });
    assert.match(again.text, /not run again/);
    assert.equal(await runs(), "run\n");
  });

  it("keeps a call that still runs when it is acknowledged", async () => {
    const { call } = await bash(hand, "until [ -e go ]; do sleep 0.05; done; echo over", { timeout_ms: 200 });
    await hand.acknowledge([call.id]);
    await bash(hand, "touch go");
    const { result } = await perform(hand, "bash_output", { call_id: call.id, wait_ms: 60_000 });
    assert.match(result.text, /over/);
  });

  it("ends what runs when it is destroyed", async () => {
    await bash(hand, "while :; do : >beat; sleep 0.1; done", { timeout_ms: 300 });
    assert.ok(await place.peek(`${place.directory}/beat`));
    await hand.destroy();
    hand = await place.open();
    // By what it does, not by its number: in a new container another process has that.
    const { result } = await bash(hand, "rm -f beat; sleep 1; [ -e beat ] || echo gone");
    assert.match(result.text, /gone/);
  });
}
