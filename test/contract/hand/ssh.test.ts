/** Hands over SSH under the contract of all hands: on loopback, and behind a bastion in a network of its own. */
import { mkdir, mkdtemp, readFile, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSshProvider } from "../../../src/hands/ssh/sshProvider.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { canMakeNetwork, makeBastionNetwork, noNetwork } from "../../fixtures/sshd/bastionNetwork.ts";
import type { BastionNetwork } from "../../fixtures/sshd/bastionNetwork.ts";
import { hasSshd, noSshd, removeFolder, startSshServer } from "../../fixtures/sshd/sshServer.ts";
import type { SshServer } from "../../fixtures/sshd/sshServer.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { browseContract } from "./browseContract.ts";
import { commandsContract } from "./commandsContract.ts";
import { entranceContract } from "./entranceContract.ts";
import { filesContract } from "./filesContract.ts";
import type { MakePlace, Place } from "./handSupport.ts";
import { journalContract } from "./journalContract.ts";
import { processContract } from "./processContract.ts";

async function newFolder(): Promise<string> {
  return realpath(await mkdtemp(join(tmpdir(), "many-hands-ssh-")));
}

/** Places at one host, whose files are those of this computer: only its network is another. */
function placesAt(serverOf: () => SshServer, transport: string): MakePlace {
  const provider = createSshProvider({
    clock: systemClock,
    environment: () => ({ ...process.env, SSH_AUTH_SOCK: "" }),
    ask: { hostKey: () => Promise.resolve(false), secret: () => Promise.resolve(null) },
  });
  let made = 0;
  return async (): Promise<Place> => {
    const { home, configFile } = serverOf();
    made += 1;
    const folder = join(home, `place ${made}`);
    const directory = join(folder, `work "space" it's é`);
    await mkdir(directory, { recursive: true });
    const context = {
      sessionId: `sesn_contract${made}`,
      storagePath: join(folder, "storage"),
      previousInstance: null,
      signal: new AbortController().signal,
      onProgress: () => {},
    };
    const options = { host: "box", configFile, cwd: directory, transport };
    return {
      directory,
      open: (entrance) =>
        provider.provision(
          { name: "box", kind: "ssh", options },
          entrance === undefined ? context : { ...context, entrance },
        ),
      peek: (path) => readFile(path).catch(() => null),
      remove: () => removeFolder(folder),
    };
  };
}

function allContracts(makePlace: MakePlace): void {
  describe("with commands", () => commandsContract(makePlace));
  describe("with files", () => filesContract(makePlace));
  describe("with its journal", () => journalContract(makePlace));
  describe("with files for people", () => browseContract(makePlace));
  describe("with its way to the vault", () => entranceContract(makePlace));
  describe("with programs", () => processContract(makePlace));
}

for (const transport of ["auto", "system"]) {
  describe(`the hand over SSH${transport === "system" ? ", by the system's ssh" : ""}`, function () {
    this.timeout(120_000);
    let folder: string;
    let server: SshServer;

    before(async function () {
      skipUnless(this, hasSshd(), noSshd);
      folder = await newFolder();
      server = await startSshServer({ folder });
    });
    after(async () => {
      if (folder === undefined) return;
      await server?.stop();
      await removeFolder(folder);
    });
    allContracts(placesAt(() => server, transport));
  });
}

describe("the hand over SSH behind a bastion", function () {
  this.timeout(120_000);
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
  allContracts(placesAt(() => network.host, "auto"));
});
