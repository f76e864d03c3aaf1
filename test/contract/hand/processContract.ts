/** What holds of programs that are run in a hand beside its calls, in every hand with a shell. */
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import type { Hand, HandCommand, HandProcess } from "../../../src/core/hand.ts";
import { says, unavailable, until } from "./handSupport.ts";
import type { MakePlace, Place } from "./handSupport.ts";

async function allOf(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

export function processContract(makePlace: MakePlace): void {
  let place: Place;
  let hand: Hand;
  const begin = async (command: HandCommand): Promise<HandProcess> => {
    const opened = await hand.openProcess?.(command, new AbortController().signal);
    assert.ok(opened);
    return opened;
  };
  /** Which processes there have these words in their arguments, leaving out who asks. */
  const running = async (words: string): Promise<string> =>
    says(
      hand,
      `{ for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$f 2>/dev/null | grep -F '${words}'; done | grep -v grep; } 2>/dev/null`,
    );

  beforeEach(async () => {
    place = await makePlace();
    hand = await place.open();
  });
  afterEach(async () => {
    await hand.destroy();
    await place.remove();
  });

  it("passes every byte both ways, and keeps the error stream apart", async () => {
    const content = Buffer.concat([Buffer.from("first line\n"), randomBytes(1_000_003), Buffer.from([0, 10, 13, 255])]);
    const opened = await begin({ argv: ["sh", "-c", "echo aside >&2; exec cat"] });
    const [said, aside] = [allOf(opened.stdout), allOf(opened.stderr)];
    opened.stdin.end(content);
    assert.ok((await said).equals(content));
    assert.equal((await aside).toString(), "aside\n");
    await opened.ended;
  });

  it("gives a program its arguments, directory and environment as they are, and values go into no argument list", async () => {
    await says(hand, `mkdir 'a "b" c'`);
    const value = `it's $HOME "é" \`x\`\nsecond-${randomUUID()}`;
    const script = `printf '%s|%s|%s|' "$1" "$VALUE" "\${PWD##*/}"; exec cat`;
    const opened = await begin({ argv: ["sh", "-c", script, "-", "$1 'q' *"], env: { VALUE: value }, cwd: 'a "b" c' });
    const said = allOf(opened.stdout);
    opened.stderr.resume();
    const secret = value.slice(-36);
    assert.equal(await running(secret.slice(0, 20)), "");
    opened.stdin.end();
    assert.equal((await said).toString(), `$1 'q' *|${value}|a "b" c|`);
  });

  it("says why a program could not be started", async () => {
    await assert.rejects(begin({ argv: ["cat"], cwd: "/not/there" }), unavailable(/could not be started.*not\/there/s));
    await assert.rejects(begin({ argv: ["cat"], env: { "a b": "" } }), unavailable(/no name for a variable/));
    await assert.rejects(begin({ argv: ["cat", "\0"] }), unavailable(/NUL/));
    const opened = await begin({ argv: ["no-such-program-here"] });
    opened.stdout.resume();
    assert.match((await allOf(opened.stderr)).toString(), /not found|No such file/i);
    await opened.ended;
  });

  it("ends a program that is closed, one that does not listen too, and all of them with the hand", async () => {
    const mark = randomUUID();
    const deaf = await begin({ argv: ["sh", "-c", `trap '' HUP; while :; do sleep 1; done # ${mark}`] });
    deaf.stdout.resume();
    deaf.stderr.resume();
    await until(async () => (await running(mark)) !== "");
    deaf.close();
    await deaf.ended;
    await until(async () => (await running(mark)) === "");
    const obedient = await begin({ argv: ["cat"] });
    obedient.stdout.resume();
    obedient.stderr.resume();
    await hand.destroy();
    await obedient.ended;
    hand = await place.open();
  });
}
