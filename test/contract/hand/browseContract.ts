/** What holds of the files that a hand offers to people, in every hand that has some. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { hasCode } from "../../../src/core/errors.ts";
import type { Hand, HandFiles } from "../../../src/core/hand.ts";
import { bash } from "./handSupport.ts";
import type { MakePlace, Place } from "./handSupport.ts";

async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

async function readAll(files: HandFiles, path: string, offset?: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  await files.read(path, async (chunk) => void pieces.push(Uint8Array.from(chunk)), offset);
  return Buffer.concat(pieces);
}

export function browseContract(makePlace: MakePlace): void {
  let place: Place;
  let hand: Hand;
  let files: HandFiles;
  const at = (name: string): string => `${place.directory}/${name}`;

  beforeEach(async () => {
    place = await makePlace();
    hand = await place.open();
    assert.ok(hand.files);
    files = hand.files;
  });
  afterEach(async () => {
    await hand.destroy();
    await place.remove();
  });

  it("lists what is in a folder, whatever its names are", async () => {
    const names = ["plain", ".hidden", "two words", "new\nline", "Grüße 👋", "-rf", "it's", "..odd", "*"];
    await files.makeDirectory(at("all"));
    for (const name of names) await files.write(at(`all/${name}`), chunks(Buffer.from("x")));
    await files.makeDirectory(at("all/folder"));
    await bash(hand, "cd all; ln -s nowhere broken; ln -s folder link");
    const entries = await files.list(at("all"));
    const found = new Map(entries.map((entry) => [entry.name, entry]));
    assert.deepEqual([...found.keys()].toSorted(), [...names, "broken", "folder", "link"].toSorted());
    assert.equal(found.get("folder")?.kind, "directory");
    assert.equal(found.get("new\nline")?.bytes, 1);
    assert.deepEqual([found.get("link")?.kind, found.get("link")?.is_link], ["directory", true]);
    assert.deepEqual([found.get("broken")?.kind, found.get("broken")?.is_link], ["other", true]);
    assert.deepEqual(await files.list(at("all/folder")), []);
  });

  it("says what a file is and when it changed", async () => {
    await files.write(at("file"), chunks(Buffer.from("12345")));
    await bash(hand, "touch -t 202001020304 file");
    const { kind, bytes, modified_ms, is_link } = await files.stat(at("file"));
    assert.deepEqual({ kind, bytes, is_link }, { kind: "file", bytes: 5, is_link: false });
    assert.equal(new Date(modified_ms).getUTCFullYear(), 2020);
  });

  it("gives back every byte that was written, whole and from a place on", async () => {
    const content = Buffer.concat([randomBytes(3_000_001), Buffer.from([0, 92, 0, 10, 13, 255])]);
    await files.write(at("big"), chunks(content.subarray(0, 70_000), content.subarray(70_000)));
    assert.ok((await place.peek(at("big")))?.equals(content));
    assert.ok((await readAll(files, at("big"))).equals(content));
    assert.ok((await readAll(files, at("big"), 1_000_003)).equals(content.subarray(1_000_003)));
    await files.write(at("empty"), chunks());
    assert.equal((await readAll(files, at("empty"))).length, 0);
  });

  it("keeps the mode of a file that it writes, and what a link leads to", async () => {
    await bash(hand, "echo old >script; chmod 750 script; ln -s script link");
    await files.write(at("link"), chunks(Buffer.from("echo new\n")));
    const { result } = await bash(hand, "./script; ls -l script | cut -c 1-10; [ -L link ] && echo link");
    assert.match(result.text, /^new\n-rwxr-x---\nlink/);
  });

  it("renames, and removes a folder with all that is in it", async () => {
    await files.makeDirectory(at("a"));
    await files.write(at("a/one"), chunks(Buffer.from("1")));
    await files.rename(at("a"), at("b"));
    assert.equal((await readAll(files, at("b/one"))).toString(), "1");
    await files.remove(at("b"));
    await assert.rejects(files.stat(at("b")), (thrown) => hasCode(thrown, "file_missing"));
  });

  it("names what went wrong", async () => {
    await assert.rejects(readAll(files, at("nothing")), (thrown) => hasCode(thrown, "file_missing"));
    await assert.rejects(files.list(at("nothing")), (thrown) => hasCode(thrown, "file_missing"));
    await assert.rejects(files.write(at("no/folder"), chunks(Buffer.from("x"))), (thrown) =>
      hasCode(thrown, "file_missing"),
    );
    await files.makeDirectory(at("folder"));
    await assert.rejects(files.makeDirectory(at("folder")), (thrown) => hasCode(thrown, "file_exists"));
  });

  it("has a way there and back", async () => {
    const ping = hand.ping?.bind(hand);
    assert.ok(((await ping?.()) ?? -1) >= 0);
  });
}
