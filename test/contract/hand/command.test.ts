/** The hand behind any program that gives a shell, under the contract of all hands, with every shell that is at hand. */
import { mkdir, mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCommandProvider } from "../../../src/hands/command/commandProvider.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { browseContract } from "./browseContract.ts";
import { commandsContract } from "./commandsContract.ts";
import { entranceContract } from "./entranceContract.ts";
import { filesContract } from "./filesContract.ts";
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
