/** The hand in a container under the contract of all hands: in an image of busybox alone, and in one like Debian. */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDockerProvider } from "../../../src/hands/docker/dockerProvider.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { BASH_IMAGE, BUSYBOX_IMAGE, startEngine, whyNoEngine } from "../../fixtures/docker/testEngine.ts";
import type { TestEngine } from "../../fixtures/docker/testEngine.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { browseContract } from "./browseContract.ts";
import { commandsContract } from "./commandsContract.ts";
import { entranceContract } from "./entranceContract.ts";
import { filesContract } from "./filesContract.ts";
import type { Place } from "./handSupport.ts";
import { journalContract } from "./journalContract.ts";
import { processContract } from "./processContract.ts";

let made = 0;

async function placeIn(engine: TestEngine, image: string): Promise<Place> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "many-hands-place-")));
  const directory = `/home/work "space" it's é`;
  const provider = createDockerProvider({ clock: systemClock, openServer: engine.openServer });
  made += 1;
  const context = {
    sessionId: `sesn_contract_${made}`,
    storagePath: join(folder, "storage"),
    previousInstance: null,
    signal: new AbortController().signal,
    onProgress: () => {},
  };
  const spec = { name: "box", kind: "docker", options: { image, cwd: directory, socket: engine.socket } };
  let container = "";
  return {
    directory,
    open: async (entrance) => {
      const hand = await provider.provision(spec, entrance === undefined ? context : { ...context, entrance });
      container = hand.containerId;
      return hand;
    },
    peek: (path) => engine.peek(container, path),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

describe("the hand in a container", function () {
  this.timeout(120_000);
  let engine: TestEngine | undefined;

  before(async function () {
    const reason = whyNoEngine();
    skipUnless(this, reason === null, reason ?? "");
    engine = await startEngine();
  });
  after(async () => engine?.stop());

  for (const [name, image] of Object.entries({ "busybox alone": BUSYBOX_IMAGE, "a system with bash": BASH_IMAGE })) {
    describe(`of ${name}`, () => {
      const makePlace = (): Promise<Place> => placeIn(engine as TestEngine, image);
      describe("with commands", () => commandsContract(makePlace));
      describe("with files", () => filesContract(makePlace));
      describe("with its journal", () => journalContract(makePlace));
      describe("with files for people", () => browseContract(makePlace));
      describe("with programs", () => processContract(makePlace));
      describe("with its way to the vault", () => {
        before(function () {
          skipUnless(this, process.getuid?.() === 0, "listening in the network of a test's Docker engine needs root");
        });
        entranceContract(makePlace);
      });
    });
  }
});
