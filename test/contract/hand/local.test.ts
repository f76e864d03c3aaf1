/** The hand on this computer under the contract of all hands. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLocalProvider } from "../../../src/hands/local/localProvider.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { asAnotherUser, canBeAnother, noOther } from "../../fixtures/vault/anotherUser.ts";
import { ASK, makeStandInProxy } from "../../fixtures/vault/standInProxy.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { browseContract } from "./browseContract.ts";
import { commandsContract } from "./commandsContract.ts";
import { entranceContract } from "./entranceContract.ts";
import { filesContract } from "./filesContract.ts";
import { bash, perform, Recorder, callOf, says } from "./handSupport.ts";
import type { Place } from "./handSupport.ts";
import { journalContract } from "./journalContract.ts";
import { processContract } from "./processContract.ts";

async function placeOn(folder: string, shell?: string): Promise<Place> {
  const directory = join(folder, `work "space" it's é`);
  await mkdir(directory, { recursive: true });
  const provider = createLocalProvider({ clock: systemClock, ...(shell === undefined ? {} : { shell }) });
  const context = {
    sessionId: "contract",
    storagePath: join(folder, "storage é"),
    previousInstance: null,
    signal: new AbortController().signal,
    onProgress: () => {},
  };
  return {
    directory,
    open: (entrance) =>
      provider.provision(
        { name: "local", kind: "local", options: { cwd: directory } },
        entrance === undefined ? context : { ...context, entrance },
      ),
    peek: (path) => readFile(path).catch(() => null),
    remove: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
}

async function makePlace(): Promise<Place> {
  return placeOn(await realpath(await mkdtemp(join(tmpdir(), "many-hands-contract-"))));
}

describe("the local hand", function () {
  this.timeout(120_000);

  describe("with commands", () => commandsContract(makePlace));
  describe("with files", () => filesContract(makePlace));
  describe("with its journal", () => journalContract(makePlace));
  describe("with files for people", () => browseContract(makePlace));
  describe("with its way to the vault", () => entranceContract(makePlace));
  describe("with programs", () => processContract(makePlace));

  it("gives a command the signal INT as a keyboard would, in the first call and in later ones", async () => {
    const place = await makePlace();
    const hand = await place.open();
    try {
      for (const _time of [1, 2]) {
        const { call } = await bash(hand, "sleep 60; echo after", { timeout_ms: 100 });
        await hand.signal(call.id, "INT");
        const { result } = await perform(hand, "bash_output", { call_id: call.id, wait_ms: 30_000 });
        assert.match(result.text, /has ended, exit status: 130/);
      }
    } finally {
      await hand.destroy();
      await place.remove();
    }
  });

  it("leaves nothing of acknowledged calls in its journal but their ids", async () => {
    const place = await makePlace();
    const hand = await place.open();
    const calls = await Promise.all([1, 2, 3].map((at) => bash(hand, `echo ${at}`)));
    await hand.acknowledge(calls.map(({ call }) => call.id));
    const journal = join(place.directory, "..", "storage é", "journal");
    for (;;) {
      const names = (await readdir(journal)).filter((name) => calls.some(({ call }) => name.startsWith(call.id)));
      // The environment that the next command starts with is kept.
      if (names.every((name) => name.endsWith(".e")) && names.length <= 1) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await hand.destroy();
    await place.remove();
  });
});

describe("the local hand's way to the vault", function () {
  this.timeout(60_000);

  it("is not taken from another user of this computer, who has the right token", async function () {
    skipUnless(this, canBeAnother(), noOther);
    const proxy = makeStandInProxy();
    const entrance = proxy.entranceOf("local");
    const place = await makePlace();
    const hand = await place.open(entrance.open);
    try {
      const [{ url } = { url: "" }] = entrance.addresses;
      const environment = { MANY_HANDS_PROXY: `${url}/${entrance.token}` };
      assert.equal(await asAnotherUser("id -u", environment), "65534\n");
      assert.equal((await asAnotherUser(ASK, environment)).trim(), "");
      assert.equal(entrance.accepted(), 0);
      assert.equal(await says(hand, ASK), "hello local\n");
    } finally {
      await hand.destroy();
      await place.remove();
      proxy.close();
    }
  });

  it("is at another port where that one is taken, and says nothing of it", async () => {
    const proxy = makeStandInProxy();
    const entrance = proxy.entranceOf("local");
    const place = await makePlace();
    const taker = createServer();
    await new Promise<void>((resolve) => taker.listen(0, "127.0.0.1", resolve));
    const { port } = taker.address() as AddressInfo;
    const hand = await place.open(async (egress) => ({ ...(await entrance.open(egress)), port }));
    try {
      assert.equal(await says(hand, ASK), "hello local\n");
      assert.notEqual(new URL(entrance.addresses[0]?.url ?? "").port, String(port));
    } finally {
      await hand.destroy();
      await place.remove();
      proxy.close();
      await new Promise((resolve) => taker.close(resolve));
    }
  });
});

describe("the local hand on a full disk", function () {
  this.timeout(60_000);
  let folder: string;

  before(async function () {
    const canMount = process.platform === "linux" && process.getuid?.() === 0;
    skipUnless(this, canMount, "mounting a small disk needs root on Linux");
    folder = await mkdtemp(join(tmpdir(), "many-hands-small-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]);
  });
  after(async () => {
    if (folder === undefined) return;
    execFileSync("umount", ["-l", folder]);
    await rm(folder, { recursive: true, force: true });
  });

  it("does not run a call that it cannot put on record, says so, and goes on when there is room", async () => {
    const place = await placeOn(folder);
    const hand = await place.open();
    await bash(hand, "echo before");
    const filler = join(folder, "filler");
    await writeFile(filler, Buffer.alloc(512 * 1024)).catch(() => {});
    const call = callOf("bash", { command: `echo ${"x".repeat(8_000)} >/dev/null; echo run >>${tmpdir()}/never-here` });
    const refused = await hand.execute(call, new Recorder());
    assert.deepEqual(refused.outcome, { kind: "not_run" });
    assert.match(refused.text, /No space left|journal cannot be written/);
    await rm(filler);
    const { result } = await bash(hand, "echo after");
    assert.match(result.text, /after/);
    await hand.destroy();
  });
});
