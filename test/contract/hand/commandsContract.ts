/** What holds of commands in every hand with a shell. */
import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Hand } from "../../../src/core/hand.ts";
import { limits } from "../../../src/core/limits.ts";
import { bash, perform, until } from "./handSupport.ts";
import type { MakePlace, Place } from "./handSupport.ts";

const MIB = 1024 * 1024;
const FLOOD_MB = 100;
const FLOOD_MB_HELD_MAX = 64;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes that are held now. What only waits to be collected is not; when that happens is no concern of a hand. */
function takenSince(before: NodeJS.MemoryUsage): number {
  const taken = (): number => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers;
  };
  if (taken() > (FLOOD_MB_HELD_MAX * MIB) / 2) collectGarbage();
  return taken();
}

export function commandsContract(makePlace: MakePlace): void {
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

  it("gives what a command printed, both streams in their order, and its exit status", async () => {
    const { result, seen } = await bash(hand, "echo one; echo two >&2; echo three; exit 3");
    assert.equal(seen.raw().toString(), "one\ntwo\nthree\n");
    assert.deepEqual(result.outcome, { kind: "exited", code: 3 });
    assert.equal(result.is_error, true);
    assert.match(result.text, /^one\ntwo\nthree\n/);
    assert.match(result.text, /exit status: 3/);
    assert.equal(result.output_bytes, 14);
  });

  it("says so when a command printed nothing", async () => {
    const { result } = await bash(hand, "true");
    assert.notEqual(result.text, "");
    assert.equal(result.is_error, false);
  });

  it("begins in the start directory", async () => {
    const { result } = await bash(hand, "pwd");
    assert.ok(result.text.includes(place.directory), result.text);
  });

  it("carries directory and exported variables over to the next call, until it begins anew", async () => {
    await bash(hand, `mkdir "a b" && cd "a b" && export FRUIT='apple "pear"' && PLAIN=gone`);
    const { result } = await bash(hand, 'basename "$PWD"; echo "$FRUIT/$PLAIN"');
    assert.match(result.text, /^a b\napple "pear"\/\n?/);
    await perform(hand, "bash", { restart: true });
    const { seen } = await bash(hand, 'pwd; echo "[$FRUIT]"');
    assert.equal(seen.raw().toString(), `${place.directory}\n[]\n`);
  });

  it("lets nothing be asked: standard input is empty", async () => {
    const { result } = await bash(hand, "cat; read -r answer || echo nobody is there");
    assert.match(result.text, /^nobody is there/);
  });

  it("keeps binary output byte for byte, and tells the model what it is", async () => {
    const octal = Array.from({ length: 256 }, (_, byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
    const { result, seen } = await bash(hand, `printf '${octal}'; printf '\\000\\001\\002%.0s' $(seq 100)`);
    const expected = Buffer.concat([Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)), Buffer.alloc(300)]);
    for (let at = 0; at < 100; at += 1) expected.set([0, 1, 2], 256 + at * 3);
    assert.deepEqual(seen.raw(), expected);
    assert.match(result.text, /binary output, 556 bytes/);
  });

  it("keeps short text as it is: blanks at its ends, tabs, backslashes, and lengths around what comes with its end", async () => {
    const odd = await bash(hand, String.raw`printf ' a\tb\\n \\ c\n\n \n '`);
    assert.equal(odd.seen.raw().toString(), " a\tb\\n \\ c\n\n \n ");
    for (const length of [1_023, 1_024, 1_025]) {
      const { seen } = await bash(hand, `printf '%${length}s' x`);
      assert.equal(seen.raw().toString(), "x".padStart(length));
    }
    const { seen } = await bash(hand, String.raw`printf 'caf\303\251\n'`);
    assert.equal(seen.raw().toString(), "café\n");
  });

  it("lets a command end as it wants: traps of its own, names of its own, strict modes", async () => {
    const trapped = await bash(hand, "trap 'echo bye; exit 4' EXIT; echo hi");
    assert.equal(trapped.seen.raw().toString(), "hi\nbye\n");
    assert.deepEqual(trapped.result.outcome, { kind: "exited", code: 4 });
    const strict = await bash(hand, "set -eu; echo one; false; echo two");
    assert.equal(strict.seen.raw().toString(), "one\n");
    assert.deepEqual(strict.result.outcome, { kind: "exited", code: 1 });
    const named = await bash(hand, "read() { :; }; export IFS=x; set -f -C; echo axb; false");
    assert.equal(named.seen.raw().toString(), "axb\n");
    assert.deepEqual(named.result.outcome, { kind: "exited", code: 1 });
    const after = await bash(hand, 'echo "axb"; printf "%s\\n" "$IFS"; unset IFS');
    assert.equal(after.seen.raw().toString(), "axb\nx\n");
    const shown = await bash(hand, "set -x; :");
    assert.equal(
      shown.seen
        .raw()
        .toString()
        .replaceAll(/^\++ :$/gm, "")
        .trim(),
      "",
    );
  });

  it("gives the model valid text of output that is not valid UTF-8, and keeps its bytes", async () => {
    const { result, seen } = await bash(hand, String.raw`printf 'caf\303 \360\237 end \377\n'`);
    assert.deepEqual(seen.raw(), Buffer.from([...Buffer.from("caf\xc3 \xf0\x9f end \xff\n", "latin1")]));
    assert.equal(result.text.isWellFormed(), true);
    assert.match(result.text, /end/);
  });

  it("takes 100 MB of output in bounded memory, every byte of it once", async () => {
    const before = process.memoryUsage();
    let most = 0;
    let bytes = 0;
    const call = { command: `head -c ${FLOOD_MB * MIB} /dev/zero | tr '\\0' 'x'; echo; echo the end` };
    const id = "sevt_contract_flood" as never;
    const result = await hand.execute(
      { id, name: "bash", input: call },
      {
        onOutput: async (chunk) => {
          bytes += chunk.byteLength;
          most = Math.max(most, takenSince(before));
        },
        willChange: async () => {},
      },
    );
    assert.equal(bytes, FLOOD_MB * MIB + "\nthe end\n".length);
    assert.equal(result.output_bytes, bytes);
    assert.ok(most < FLOOD_MB_HELD_MAX * MIB, `${Math.round(most / MIB)} MiB were taken`);
    assert.ok(Buffer.byteLength(result.text) < limits.modelOutputBytesMax + 1_000);
    assert.equal(result.truncated, true);
    assert.match(result.text, /bytes left out here/);
    assert.match(result.text, /the end/);
  });

  it("runs 50 calls at once, each with its own output and status", async () => {
    const numbers = Array.from({ length: 50 }, (_, at) => at);
    const done = await Promise.all(numbers.map((at) => bash(hand, `sleep 0.1; echo "call ${at}"; exit ${at}`)));
    for (const [at, { result, seen }] of done.entries()) {
      assert.equal(seen.raw().toString(), `call ${at}\n`);
      assert.deepEqual(result.outcome, { kind: "exited", code: at });
    }
  });

  it("yields at the timeout without ending the command, and follows it to its end", async () => {
    const { call, result } = await bash(hand, "echo begun; until [ -e go ]; do sleep 0.05; done; echo over; exit 4", {
      timeout_ms: 300,
    });
    assert.deepEqual(result.outcome, { kind: "running" });
    assert.match(result.text, /begun/);
    assert.ok(result.text.includes(call.id));
    const still = await perform(hand, "bash_output", { call_id: call.id });
    assert.match(still.result.text, /still running/);
    await bash(hand, "touch go");
    const ended = await perform(hand, "bash_output", { call_id: call.id, wait_ms: 60_000 });
    assert.match(ended.result.text, /begun\nover/);
    assert.match(ended.result.text, /exit status: 4/);
  });

  it("signals the whole process group of a call", async () => {
    const { call } = await bash(hand, "sh -c 'sleep 600 & echo $! >inner; wait' & sleep 600", { timeout_ms: 300 });
    const inner = await until(async () => (await place.peek(`${place.directory}/inner`))?.toString().trim() || null);
    const ended = await perform(hand, "bash_output", { call_id: call.id, wait_ms: 60_000, signal: "TERM" });
    assert.match(ended.result.text, /has ended/);
    const { result } = await bash(hand, `until ! kill -0 ${inner} 2>/dev/null; do sleep 0.05; done; echo gone`);
    assert.match(result.text, /gone/);
  });

  it("names the signal that ended a command", async () => {
    const { result } = await bash(hand, "kill -KILL $$");
    assert.equal(result.is_error, true);
    assert.match(result.text, /KILL|killed|137/i);
  });

  it("does not wait for what a command left in the background", async () => {
    const { result } = await bash(hand, "sleep 600 >/dev/null 2>&1 & echo $! >left; echo done");
    assert.match(result.text, /^done/);
    await bash(hand, "kill $(cat left)");
  });

  it("refuses what no shell could take, and tools that it does not have", async () => {
    const nul = await perform(hand, "bash", { command: "echo a\0b" });
    assert.deepEqual(nul.result.outcome, { kind: "not_run" });
    const unknown = await perform(hand, "teleport", {});
    assert.deepEqual(unknown.result.outcome, { kind: "not_run" });
    const other = await perform(hand, "bash_output", { call_id: "sevt_of_nobody" });
    assert.match(other.result.text, /knows no call/);
  });
}
