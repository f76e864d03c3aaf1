/** The way from a host over SSH to the credential proxy: who gets there, and what becomes of it when the link is cut. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import type { Hand } from "../../../src/core/hand.ts";
import type { EntranceAddress } from "../../../src/core/vault.ts";
import { says, until } from "../../contract/hand/handSupport.ts";
import { canMakeNetwork, makeBastionNetwork, noNetwork } from "../../fixtures/sshd/bastionNetwork.ts";
import { hasSshd, noSshd, removeFolder, startSshServer } from "../../fixtures/sshd/sshServer.ts";
import type { SshServer } from "../../fixtures/sshd/sshServer.ts";
import { asAnotherUser, canBeAnother, noOther } from "../../fixtures/vault/anotherUser.ts";
import { ASK, makeStandInProxy } from "../../fixtures/vault/standInProxy.ts";
import type { StandInEntrance, StandInProxy } from "../../fixtures/vault/standInProxy.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { HANGING } from "./hangingHand.ts";
import { makeKit, newFolder } from "./sshKit.ts";

/** Asks over the socket; prints the last line of the answer. */
const ASK_SOCKET = `${process.execPath} -e 'const at = new URL(process.env.MANY_HANDS_PROXY + "/hello");
require("node:http").get({ socketPath: process.env.MANY_HANDS_SOCKET, path: at.pathname }, (answer) => answer.pipe(process.stdout)).on("error", () => {})'`;

describe("the way from a host over SSH to the vault", function () {
  this.timeout(60_000);
  let folder: string;
  let server: SshServer | undefined;
  let proxy: StandInProxy;
  let entrance: StandInEntrance;
  const hands: Hand[] = [];

  before(function () {
    skipUnless(this, hasSshd(), noSshd);
  });
  beforeEach(async () => {
    folder = await newFolder();
    proxy = makeStandInProxy();
    entrance = proxy.entranceOf("box");
  });
  afterEach(async () => {
    await Promise.allSettled(hands.splice(0).map((hand) => hand.destroy()));
    await server?.stop();
    server = undefined;
    proxy.close();
    await removeFolder(folder);
  });

  const openAt = async (configFile: string, more: Partial<Parameters<typeof makeKit>[0]> = {}): Promise<Hand> => {
    const hand = await makeKit({ ...more, entrance: entrance.open }).open({ configFile });
    hands.push(hand);
    return hand;
  };

  it("is a socket that only its user may open, and goes with the hand", async () => {
    server = await startSshServer({ folder });
    const hand = await openAt(server.configFile);
    assert.equal(await says(hand, ASK_SOCKET), "hello box\n");
    const socket = entrance.addresses[0]?.socket_path ?? "";
    assert.ok(socket.startsWith(`${server.home}/.many-hands/`), socket);
    assert.equal((await stat(socket)).mode & 0o777, 0o600);
    assert.equal((await stat(dirname(socket))).mode & 0o777, 0o700);
    await hand.destroy();
    await assert.rejects(stat(dirname(socket)));
  });

  it("is not taken from another user of the host, who has the right token", async function () {
    skipUnless(this, canBeAnother(), noOther);
    server = await startSshServer({ folder });
    const hand = await openAt(server.configFile);
    const asNobody = (script: string): Promise<string> => {
      const { url, socket_path = "" } = entrance.addresses[0] ?? { url: "" };
      return asAnotherUser(script, {
        MANY_HANDS_PROXY: `${url}/${entrance.token}`,
        MANY_HANDS_SOCKET: socket_path,
      });
    };
    assert.equal(await asNobody("id -u"), "65534\n");
    assert.equal((await asNobody(ASK)).trim(), "");
    // Even where the folders let them through, the socket does not.
    for (let above = folder; above.length > "/tmp".length; above = dirname(above)) await chmod(above, 0o755);
    for (const each of [server.home, `${server.home}/.many-hands`]) await chmod(each, 0o755);
    await chmod(dirname(entrance.addresses[0]?.socket_path ?? ""), 0o755);
    assert.equal(await asNobody(ASK_SOCKET), "");
    assert.equal(entrance.accepted(), 0);
    assert.equal(await says(hand, ASK), "hello box\n");
  });

  it("is by the socket alone where the host forwards no port, and says that git has none", async () => {
    server = await startSshServer({ folder, lines: ["PermitListen none"] });
    const hand = await openAt(server.configFile);
    assert.match(hand.description, /by \$MANY_HANDS_SOCKET alone.*git/);
    assert.equal(await says(hand, ASK_SOCKET), "hello box\n");
  });

  it("is by the port alone where the host forwards no socket", async () => {
    server = await startSshServer({ folder, lines: ["AllowStreamLocalForwarding no"] });
    const hand = await openAt(server.configFile);
    assert.equal(await says(hand, `echo "[$MANY_HANDS_SOCKET]"; ${ASK}`), "[]\nhello box\n");
  });

  for (const transport of ["ssh2", "system"]) {
    it(`is said not to be there where the host forwards nothing: ${transport}`, async () => {
      server = await startSshServer({ folder, lines: ["DisableForwarding yes"] });
      const kit = makeKit({ entrance: entrance.open });
      const hand = await kit.open({ configFile: server.configFile, transport });
      hands.push(hand);
      assert.match(hand.description, /without a way to the vault: the host forwards no.*AllowTcpForwarding/);
      assert.equal(await says(hand, 'echo "[$MANY_HANDS_PROXY]"'), "[]\n");
    });
  }

  it("is at another port where somebody else took that one", async () => {
    server = await startSshServer({ folder });
    const hand = await openAt(server.configFile);
    await hand.close();
    const port = Number(new URL(entrance.addresses[0]?.url ?? "").port);
    const taker = createServer();
    await until(async () => {
      const isListening = new Promise<boolean>((resolve) => taker.once("listening", () => resolve(true)));
      const isTaken = new Promise<boolean>((resolve) => taker.once("error", () => resolve(false)));
      taker.listen(port, "127.0.0.1");
      return Promise.race([isListening, isTaken]);
    });
    try {
      const again = await openAt(server.configFile);
      assert.notEqual(entrance.addresses[1]?.url, entrance.addresses[0]?.url);
      assert.equal(await says(again, ASK), "hello box\n");
    } finally {
      await new Promise((resolve) => taker.close(resolve));
    }
  });

  it("takes its addresses back from a life of the program that hangs, and whose connection the host takes for alive", async () => {
    server = await startSshServer({ folder });
    const words = [join(import.meta.dirname, "hangingHand.ts"), server.configFile];
    const child = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"] });
    try {
      const [said] = (await once(child.stdout, "data")) as [Buffer];
      const before = JSON.parse(said.toString()) as EntranceAddress;
      child.kill("SIGSTOP");
      const port = Number(new URL(before.url).port);
      const take: typeof entrance.open = async (egress) => ({ ...(await entrance.open(egress)), port });
      const hand = await makeKit({ session: HANGING, entrance: take }).open({ configFile: server.configFile });
      hands.push(hand);
      assert.deepEqual(entrance.addresses, [before]);
      assert.equal(await says(hand, `${ASK}; ${ASK_SOCKET}`), "hello box\nhello box\n");
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("is there again at the same addresses after a cut", async function () {
    skipUnless(this, canMakeNetwork(), noNetwork);
    const network = await makeBastionNetwork(folder);
    try {
      const hand = await openAt(network.host.configFile, {
        timing: { stepMs: 5_000, keepAliveMs: 200, keepAlivesMax: 3 },
      });
      assert.equal(await says(hand, `${ASK}; ${ASK_SOCKET}`), "hello box\nhello box\n");
      const links: boolean[] = [];
      hand.onDidChangeLink?.((isOpen) => links.push(isOpen));
      network.cut();
      await until(async () => links.length > 0);
      network.mend();
      await until(async () => links.length > 1);
      assert.equal(await says(hand, `${ASK}; ${ASK_SOCKET}`), "hello box\nhello box\n");
      // It was not told of another one.
      assert.equal(entrance.addresses.length, 1);
      assert.equal(entrance.accepted(), 4);
      await hand.destroy();
    } finally {
      await network.remove();
    }
  });
});
