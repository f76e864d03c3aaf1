/** The confined hand on this computer under the contract of all hands. */
import { mkdir, mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { findBubblewrap } from "../../../src/hands/local/confinementMissing.ts";
import { createLocalProvider } from "../../../src/hands/local/localProvider.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { browseContract } from "./browseContract.ts";
import { commandsContract } from "./commandsContract.ts";
import { filesContract } from "./filesContract.ts";
import type { Place } from "./handSupport.ts";
import { journalContract } from "./journalContract.ts";

/** In the home folder: temporary ones are the sandbox's own. */
async function makePlace(): Promise<Place> {
  const folder = await realpath(await mkdtemp(join(homedir(), ".many-hands-contract-")));
  const directory = join(folder, `work "space" it's é`);
  await mkdir(directory, { recursive: true });
  const confinement = () =>
    ({ mode: "required", unreadable: [], writable: [], environment: [], allowedHosts: [] }) as const;
  const provider = createLocalProvider({ clock: systemClock, confinement });
  const context = {
    sessionId: "contract",
    storagePath: join(folder, "storage é"),
    previousInstance: null,
    signal: new AbortController().signal,
    onProgress: () => {},
  };
  return {
    directory,
    open: () => provider.provision({ name: "local", kind: "local", options: { cwd: directory } }, context),
    peek: (path) => readFile(path).catch(() => null),
    remove: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
}

describe("the confined local hand", function () {
  this.timeout(120_000);

  before(async function () {
    const found = process.platform === "linux" ? await findBubblewrap(process.env["PATH"] ?? "") : "Linux only";
    skipUnless(this, typeof found !== "string", typeof found === "string" ? found : "");
  });

  describe("with commands", () => commandsContract(makePlace));
  describe("with files", () => filesContract(makePlace));
  describe("with its journal", () => journalContract(makePlace));
  describe("with files for people", () => browseContract(makePlace));
});
