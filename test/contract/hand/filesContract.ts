/** What holds of the file tools in every hand with a shell. */
import assert from "node:assert/strict";
import type { Hand } from "../../../src/core/hand.ts";
import { limits } from "../../../src/core/limits.ts";
import { bash, callOf, perform, Recorder } from "./handSupport.ts";
import type { MakePlace, Place } from "./handSupport.ts";

const ODD_NAMES = [
  "two words.txt",
  `it's "quoted".txt`,
  "Grüße 世界 👋.txt",
  "-rf",
  "$HOME `id` \\.txt",
  "new\nline.txt",
];

export function filesContract(makePlace: MakePlace): void {
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

  const peek = async (name: string): Promise<string | undefined> =>
    (await place.peek(`${place.directory}/${name}`))?.toString();

  it("writes a file with its folders, and says what will change before it does", async () => {
    const { result, seen } = await perform(hand, "write", { file_path: "a/b/c.txt", content: "Grüße\n" });
    assert.equal(result.is_error, false, result.text);
    assert.equal(await peek("a/b/c.txt"), "Grüße\n");
    assert.equal(seen.changes.length, 1);
    assert.equal(seen.changes[0]?.path, `${place.directory}/a/b/c.txt`);
    assert.equal(seen.changes[0]?.before, null);
    assert.equal(Buffer.from(seen.changes[0]?.after ?? []).toString(), "Grüße\n");
  });

  it("changes nothing where the change could not be put on record", async () => {
    const call = callOf("write", { file_path: "a.txt", content: "new" });
    const refuse = Object.assign(new Recorder(), { willChange: () => Promise.reject(new Error("no room")) });
    await assert.rejects(hand.execute(call, refuse), /no room/);
    assert.equal(await peek("a.txt"), undefined);
  });

  it("takes every name that a file can have", async () => {
    for (const name of ODD_NAMES) {
      await perform(hand, "write", { file_path: name, content: "old text\n" });
      const edited = await perform(hand, "edit", { file_path: name, old_string: "old", new_string: "new" });
      assert.equal(edited.result.is_error, false, `${name}: ${edited.result.text}`);
      assert.equal(await peek(name), "new text\n", name);
      const read = await perform(hand, "read", { file_path: name });
      assert.match(read.result.text, /new text/, name);
    }
  });

  it("keeps the mode of a file and follows links to it", async () => {
    await bash(hand, "printf 'echo old\\n' >script && chmod 751 script && ln -s script link");
    await perform(hand, "edit", { file_path: "link", old_string: "old", new_string: "new" });
    const { result } = await bash(hand, "./script; ls -l script | cut -c 1-10; [ -L link ] && echo link");
    assert.match(result.text, /new\n-rwxr-x--x\nlink/);
  });

  it("edits only what is there once, or everywhere when asked", async () => {
    await perform(hand, "write", { file_path: "f", content: "one two one\n" });
    const twice = await perform(hand, "edit", { file_path: "f", old_string: "one", new_string: "1" });
    assert.equal(twice.result.is_error, true);
    assert.match(twice.result.text, /2 times/);
    const nowhere = await perform(hand, "edit", { file_path: "f", old_string: "three", new_string: "3" });
    assert.match(nowhere.result.text, /is not in/);
    const missing = await perform(hand, "edit", { file_path: "g", old_string: "a", new_string: "b" });
    assert.match(missing.result.text, /no file/);
    await perform(hand, "edit", { file_path: "f", old_string: "one", new_string: "1", replace_all: true });
    assert.equal(await peek("f"), "1 two 1\n");
  });

  it("reads with line numbers, in ranges, and says what cannot be shown", async () => {
    await bash(hand, "seq 1 30 >numbers; : >empty; mkdir folder; printf 'a\\000\\001\\002\\003' >binary");
    const whole = await perform(hand, "read", { file_path: "numbers" });
    assert.match(whole.result.text, /^ +1\t1\n/);
    assert.match(whole.result.text, / 30\t30$/);
    const range = await perform(hand, "read", { file_path: "numbers", view_range: [10, 12] });
    assert.deepEqual(range.result.text.trim().split(/\s+/), ["10", "10", "11", "11", "12", "12"]);
    for (const [file_path, says] of [
      ["empty", /is empty/],
      ["folder", /is a directory/],
      ["binary", /is binary, 5 bytes/],
      ["nothing", /There is no file/],
    ] as const) {
      const { result } = await perform(hand, "read", { file_path });
      assert.match(result.text, says);
    }
  });

  it("reads the beginning of a huge file, and says how to go on", async () => {
    await bash(hand, "yes 'a line of a long file' | head -n 4000000 >huge");
    const { result } = await perform(hand, "read", { file_path: "huge" });
    assert.ok(Buffer.byteLength(result.text) <= limits.modelOutputBytesMax + 1_000);
    assert.match(result.text, /cut|left out/);
  });

  it("finds files by pattern and lines by expression, without .git and node_modules", async () => {
    await bash(
      hand,
      "mkdir -p src/deep .git node_modules/x; echo 'const apple = 1;' >src/a.ts; echo pear >src/deep/b.ts; echo apple >.git/c.ts; echo apple >node_modules/x/d.ts",
    );
    const glob = await perform(hand, "glob", { pattern: "**/*.ts" });
    assert.equal(glob.result.text, "src/a.ts\nsrc/deep/b.ts");
    const grep = await perform(hand, "grep", { pattern: "app[l]e" });
    assert.equal(grep.result.text, "src/a.ts:1:const apple = 1;");
    const none = await perform(hand, "grep", { pattern: "plum" });
    assert.match(none.result.text, /Nothing matches/);
    assert.equal(none.result.is_error, false);
  });
}
