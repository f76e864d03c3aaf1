/** The hand behind any program that gives a shell, under the contract of all hands, with every shell that is at hand. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hand, ProvisionContext } from "../../../src/core/hand.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { createCommandProvider } from "../../../src/hands/command/commandProvider.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { ASK, makeStandInProxy } from "../../fixtures/vault/standInProxy.ts";
import { browseContract } from "./browseContract.ts";
import { commandsContract } from "./commandsContract.ts";
import { entranceContract } from "./entranceContract.ts";
import { filesContract } from "./filesContract.ts";
import { says, unavailable } from "./handSupport.ts";
import type { Place } from "./handSupport.ts";
import { journalContract } from "./journalContract.ts";
import { processContract } from "./processContract.ts";

const WAY = { proxy: "http://127.0.0.1:{port}", proxy_listen: "127.0.0.1:0" };

async function placeBehind(argv: readonly string[]): Promise<Place> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "many-hands-command-")));
  const directory = join(folder, `work "space" it's é`);
  await mkdir(directory, { recursive: true });
  const provider = createCommandProvider({ clock: systemClock, environment: () => ({ ...process.env, HOME: folder }) });
  const context = {
    sessionId: "sesn_contract",
    storagePath: join(folder, "storage"),
    previousInstance: null,
    signal: new AbortController().signal,
    onProgress: () => {},
  };
  return {
    directory,
    open: (entrance) =>
      provider.provision(
        { name: "box", kind: "command", options: { argv, cwd: directory, ...WAY } },
        entrance === undefined ? context : { ...context, entrance },
      ),
    peek: (path) => readFile(path).catch(() => null),
    remove: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
}

const SHELLS: Readonly<Record<string, readonly string[]>> = {
  sh: ["sh"],
  dash: ["dash"],
  bash: ["bash", "--posix"],
  "busybox ash": ["busybox", "sh"],
};

for (const [name, argv] of Object.entries(SHELLS)) {
  describe(`the hand behind a command: ${name}`, function () {
    this.timeout(120_000);
    const makePlace = (): Promise<Place> => placeBehind(argv);
    describe("with commands", () => commandsContract(makePlace));
    describe("with files", () => filesContract(makePlace));
    describe("with its journal", () => journalContract(makePlace));
    describe("with files for people", () => browseContract(makePlace));
    describe("with its way to the vault", () => entranceContract(makePlace));
    describe("with programs", () => processContract(makePlace));
  });
}

describe("the hand behind a command, and the vault", function () {
  this.timeout(60_000);
  let folder: string;

  beforeEach(async () => (folder = await realpath(await mkdtemp(join(tmpdir(), "many-hands-command-")))));
  afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

  const open = (options: JsonObject, entrance: ProvisionContext["entrance"]): Promise<Hand> =>
    createCommandProvider({ clock: systemClock, environment: () => ({ ...process.env, HOME: folder }) }).provision(
      { name: "box", kind: "command", options: { argv: ["sh"], ...options } },
      {
        sessionId: "sesn_command",
        storagePath: join(folder, "storage"),
        previousInstance: null,
        signal: new AbortController().signal,
        onProgress: () => {},
        ...(entrance === undefined ? {} : { entrance }),
      },
    );

  it("has no way where its spec names none, and says so where there is a vault", async () => {
    const proxy = makeStandInProxy();
    const hand = await open({}, proxy.entranceOf("box").open);
    assert.match(hand.description, /without a way to the vault: its spec names none \(options\.proxy/);
    assert.equal(await says(hand, 'echo "[$MANY_HANDS_PROXY]"'), "[]\n");
    await hand.destroy();
    const alone = await open({}, undefined);
    assert.doesNotMatch(alone.description, /vault/);
    await alone.destroy();
  });

  it("listens where its spec says, and at no other port", async () => {
    const proxy = makeStandInProxy();
    const entrance = proxy.entranceOf("box");
    const taker = createServer();
    await new Promise<void>((resolve) => taker.listen(0, "127.0.0.1", resolve));
    const { port } = taker.address() as AddressInfo;
    const way = { proxy: `http://127.0.0.1:${port}`, proxy_listen: `127.0.0.1:${port}` };
    const without = await open(way, entrance.open);
    assert.match(without.description, new RegExp(`127\\.0\\.0\\.1:${port} is taken by another program`));
    await without.destroy();
    await new Promise((resolve) => taker.close(resolve));
    const hand = await open(way, entrance.open);
    assert.equal(await says(hand, ASK), "hello box\n");
    assert.equal(entrance.addresses[0]?.url, way.proxy);
    await hand.destroy();
    proxy.close();
  });

  it("refuses a way that it cannot understand, with what to write instead", async () => {
    const refused: readonly (readonly [JsonObject, RegExp])[] = [
      [{ proxy: "http://10.0.0.5:1" }, /belong together/],
      [{ proxy: "http://10.0.0.5:1", proxy_listen: "4711" }, /proxy_listen is "4711": give an address/],
      [{ proxy: "http://10.0.0.5:1/path", proxy_listen: "127.0.0.1:1" }, /without a path/],
      [{ proxy: "http://10.0.0.5:1", proxy_listen: "127.0.0.1:0" }, /needs \{port\}/],
    ];
    for (const [options, words] of refused) await assert.rejects(open(options, undefined), unavailable(words));
  });
});
