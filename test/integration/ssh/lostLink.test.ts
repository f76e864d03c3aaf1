/** A link that is really cut while a command runs, and hosts that have no session left. */
import assert from "node:assert/strict";
import { hasCode } from "../../../src/core/errors.ts";
import type { Hand } from "../../../src/core/hand.ts";
import { canMakeNetwork, makeBastionNetwork, noNetwork } from "../../fixtures/sshd/bastionNetwork.ts";
import type { BastionNetwork } from "../../fixtures/sshd/bastionNetwork.ts";
import { hasSshd, noSshd, removeFolder, startSshServer } from "../../fixtures/sshd/sshServer.ts";
import { bash, callOf, Recorder, until } from "../../contract/hand/handSupport.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { makeKit, newFolder } from "./sshKit.ts";

const LINES = 60;
/** How long the link stays cut, at least: some tries to open it again fail. */
const CUT_MS = 1_500;

describe("a host over SSH behind a bastion, whose link is cut", function () {
  this.timeout(60_000);
  let folder: string;
  let network: BastionNetwork;

  before(async function () {
    skipUnless(this, canMakeNetwork(), noNetwork);
    folder = await newFolder();
    network = await makeBastionNetwork(folder);
  });
  after(async () => {
    if (folder === undefined) return;
    await network?.remove();
    await removeFolder(folder);
  });

  it("runs a command once, and gives each of its lines once, in order, with its status", async () => {
    const kit = makeKit({ timing: { stepMs: 5_000, keepAliveMs: 200, keepAlivesMax: 3 } });
    const hand = await kit.open({ configFile: network.host.configFile });
    const links: boolean[] = [];
    hand.onDidChangeLink?.((isOpen) => links.push(isOpen));
    const seen = new Recorder();
    const command = `echo run >>~/runs; i=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo line $i; sleep 0.1; done; exit 7`;
    const running = hand.execute(callOf("bash", { command }), seen);
    await until(async () => seen.bytes > 40);
    network.cut();
    await until(async () => links.length > 0);
    await new Promise((resolve) => setTimeout(resolve, CUT_MS));
    assert.deepEqual(links, [false]);
    const heard = seen.bytes;
    network.mend();
    const result = await running;
    assert.ok(seen.bytes > heard);
    assert.deepEqual(result.outcome, { kind: "exited", code: 7 });
    const expected = Array.from({ length: LINES }, (_, at) => `line ${at + 1}\n`).join("");
    assert.equal(seen.raw().toString(), expected);
    assert.deepEqual(links, [false, true]);
    const { result: runs } = await bash(hand, "cat ~/runs");
    assert.equal(runs.text, "run");
    await hand.destroy();
  });

  it("gives a file whole that was on its way", async () => {
    const kit = makeKit({ timing: { stepMs: 5_000, keepAliveMs: 200, keepAlivesMax: 3 } });
    const hand = await kit.open({ configFile: network.host.configFile });
    await bash(hand, "seq 1 1000000 >~/numbers");
    const { result } = await bash(hand, "cksum <~/numbers; echo ~");
    const path = `${result.text.split("\n")[1]}/numbers`;
    const pieces: Buffer[] = [];
    let isCut = false;
    await hand.files?.read(path, async (chunk) => {
      pieces.push(Buffer.from(chunk));
      if (isCut) return;
      isCut = true;
      network.cut();
      await new Promise((resolve) => setTimeout(resolve, CUT_MS));
      network.mend();
    });
    const expected = Array.from({ length: 1_000_000 }, (_, at) => `${at + 1}\n`).join("");
    assert.ok(Buffer.concat(pieces).equals(Buffer.from(expected)));
    await hand.destroy();
  });
});

describe("a host over SSH that gives two sessions on a connection", function () {
  this.timeout(60_000);

  before(function () {
    skipUnless(this, hasSshd(), noSshd);
  });

  it("makes a third hand wait, names MaxSessions when none gets free, and takes it when one does", async () => {
    const folder = await newFolder();
    const server = await startSshServer({ folder, lines: ["MaxSessions 2"] });
    const hands: Hand[] = [];
    try {
      const kit = makeKit({ timing: { stepMs: 1_500 } });
      const open = (): Promise<Hand> => kit.open({ configFile: server.configFile });
      hands.push(await open(), await open());
      await assert.rejects(open(), (thrown) => {
        assert.ok(hasCode(thrown, "hand_unavailable"));
        assert.match(thrown.message, /MaxSessions/);
        return thrown.origin === "hand";
      });
      const refusals = (): number => server.log().split("no more sessions").length;
      const before = refusals();
      const third = open();
      await until(async () => refusals() > before);
      await hands.shift()?.destroy();
      hands.push(await third);
      const { result } = await bash(hands[1] as Hand, "echo here");
      assert.equal(result.text, "here");
      // All of it on one connection.
      assert.equal(server.log().split("Accepted publickey").length, 2);
    } finally {
      await Promise.allSettled(hands.map((hand) => hand.destroy()));
      await server.stop();
      await removeFolder(folder);
    }
  });

  it("lets the files of a hand be read and written when there is no session for SFTP", async () => {
    const folder = await newFolder();
    const server = await startSshServer({ folder, lines: ["MaxSessions 1"] });
    try {
      const kit = makeKit({ timing: { stepMs: 500 } });
      const hand = await kit.open({ configFile: server.configFile });
      const content = Buffer.from("some text\n");
      await hand.files?.write(
        `${server.home}/file`,
        (async function* () {
          yield content;
        })(),
      );
      const pieces: Uint8Array[] = [];
      await hand.files?.read(`${server.home}/file`, async (chunk) => void pieces.push(Buffer.from(chunk)));
      assert.ok(Buffer.concat(pieces).equals(content));
      await hand.destroy();
    } finally {
      await server.stop();
      await removeFolder(folder);
    }
  });
});
