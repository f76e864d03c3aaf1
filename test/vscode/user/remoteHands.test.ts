/** What commands on far hands survive in the real VS Code: a container and a host behind a bastion, over a reload, a kill and a cut. */
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { BASH_IMAGE, startEngine, whyNoEngine } from "../../fixtures/docker/testEngine.ts";
import type { TestEngine } from "../../fixtures/docker/testEngine.ts";
import type { Scenario } from "../../fixtures/messages/scenario.ts";
import { startMessagesServer } from "../../fixtures/messages/strictServer.ts";
import type { MessagesServer } from "../../fixtures/messages/strictServer.ts";
import { canMakeNetwork, makeBastionNetwork, noNetwork } from "../../fixtures/sshd/bastionNetwork.ts";
import type { BastionNetwork } from "../../fixtures/sshd/bastionNetwork.ts";
import { openBrowser, openWorkbench, reloadWorkbench, screenshot } from "../host/browser.ts";
import { startCodeServer } from "../host/codeServer.ts";
import type { TestServer } from "../host/codeServer.ts";
import { skipUnless } from "../host/skip.ts";
import { isIdle, logShows, newSession, results, sampleCopy, say, sessionPage, textOf } from "./many.ts";

const LINES = 60;
const command = `echo run >>runs.txt; i=1; while [ $i -le ${LINES} ]; do echo "line $i"; i=$((i+1)); sleep 1; done; exit 7`;
const bash = (hand: string, input: string) => ({ type: "tool_use", name: "bash", input: { command: input, hand } });

const scenario: Scenario = {
  by: "transcript",
  turns: [
    { blocks: ["On both.", bash("vpc", command), bash("box", command)] },
    { blocks: ["Both are over."] },
    { blocks: ["In the container.", bash("box", "echo begun; sleep 600")] },
    { blocks: ["It was lost; again.", bash("box", "cat /etc/hostname; echo back")] },
    { blocks: ["Another container answered."] },
  ],
};

const expected = `${Array.from({ length: LINES }, (_, at) => `line ${at + 1}`).join("\n")}\n[exit status: 7]`;

/** A socket between a program and its engine: a link that can be cut. */
class Relay {
  readonly #from: string;
  readonly #to: string;
  #server: Server | null = null;
  readonly #sockets = new Set<Socket>();

  constructor(from: string, to: string) {
    this.#from = from;
    this.#to = to;
  }

  async mend(): Promise<void> {
    await rm(this.#from, { force: true });
    const server = createServer({ allowHalfOpen: true }, (near) => {
      const far = createConnection({ path: this.#to, allowHalfOpen: true });
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.pipe(other);
        socket.on("error", () => other.destroy());
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#from, resolve));
  }

  cut(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

describe("far hands in the real VS Code", function () {
  this.timeout(300_000);
  const sample = sampleCopy();
  let folder: string;
  let engine: TestEngine;
  let network: BastionNetwork;
  let relay: Relay;
  let model: MessagesServer;
  let server: TestServer;
  let browser: Browser;
  let page: Page;

  before(async function () {
    skipUnless(this, canMakeNetwork(), noNetwork);
    const why = whyNoEngine();
    skipUnless(this, why === null, why ?? "");
    folder = await realpath(await mkdtemp(join(tmpdir(), "many-hands-far-")));
    [engine, network] = await Promise.all([startEngine(), makeBastionNetwork(folder)]);
    relay = new Relay(join(folder, "engine.sock"), engine.socket);
    await relay.mend();
    await mkdir(join(network.host.home, "work"));
    model = await startMessagesServer({ scenario, keys: [] });
    const { configFile, home } = network.host;
    server = await startCodeServer({
      workspace: sample.folder,
      settings: {
        "manyHands.model.baseUrl": model.url,
        "manyHands.permissions": { bash: "always_allow" },
        "manyHands.hands": [
          { name: "vpc", kind: "ssh", options: { host: "box", configFile, cwd: join(home, "work") } },
          {
            name: "box",
            kind: "docker",
            options: { image: BASH_IMAGE, socket: join(folder, "engine.sock"), cwd: "/" },
          },
        ],
      },
    });
    browser = await openBrowser();
    page = await browser.newPage({ viewport: { width: 1300, height: 900 } });
    await openWorkbench(page, server.url);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await model?.close();
    relay?.cut();
    await Promise.allSettled([engine?.stop(), network?.remove()]);
    sample.remove();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const container = async (): Promise<string> => (await engine.docker.listContainers())[0]?.Id ?? "";

  it("give every line once and the real status over a reload, a killed host and a cut link, and ran the command once", async () => {
    const frame = await newSession(page);
    await say(frame, "Run it on both.");
    await logShows(server.userDataDir, (log) => log.filter(({ type }) => type === "hand.call_started").length === 2);
    const start = Date.now();
    const at = (seconds: number): Promise<void> =>
      page.waitForTimeout(Math.max(0, start + seconds * 1_000 - Date.now()));
    await at(10);
    await screenshot(page, "far-hands-running");
    await reloadWorkbench(page);
    // VS Code gives a window no other host where its first one dies before the window has begun.
    await sessionPage(page);
    await at(20);
    for (const pid of server.extensionHostPids()) process.kill(pid, "SIGKILL");
    await at(30);
    network.cut();
    relay.cut();
    await at(45);
    network.mend();
    await relay.mend();
    await at(50);
    await screenshot(page, "far-hands-mended");
    const lines = await logShows(server.userDataDir, (log) => results(log).length === 2 && isIdle(log), 180_000);
    for (const result of results(lines)) assert.equal(textOf(result), expected);
    assert.equal(readFileSync(join(network.host.home, "work", "runs.txt"), "utf8"), "run\n");
    assert.equal((await engine.peek(await container(), "/runs.txt"))?.toString(), "run\n");
    assert.equal(lines.filter(({ type }) => type === "hand.provisioned").length, 2);
    assert.deepEqual(model.problems, []);
  });

  it("say that a container was killed, and provision another for the next call", async () => {
    const frame = await sessionPage(page);
    const first = await container();
    await say(frame, "And now in the container.");
    await logShows(server.userDataDir, (log) => log.filter(({ type }) => type === "hand.call_started").length === 3);
    await page.waitForTimeout(3_000);
    await engine.docker.getContainer(first).kill();
    const lines = await logShows(server.userDataDir, (log) => results(log).length === 4 && isIdle(log), 120_000);
    const [, , lost, again] = results(lines);
    assert.equal((lost!["outcome"] as { kind: string }).kind, "hand_lost");
    assert.match(textOf(lost!), /is gone \(The container .* is not running any more/);
    assert.match(textOf(again!), /back$/);
    assert.notEqual(await container(), first);
    assert.deepEqual(model.problems, []);
    await screenshot(page, "container-lost");
  });
});
