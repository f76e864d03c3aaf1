/** Confinement on Linux: one sandbox of bubblewrap for each hand, which outlives the program that asks for shells in it. */
import { appendFile, mkdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ManyHandsError } from "../../core/errors.ts";
import type { ConfinedFarEnd, ConfinedPlace, Confinement } from "./confinement.ts";
import { openEntranceSocket } from "./confinementEntrance.ts";
import { systemCallFilter } from "./confinementFilter.ts";
import { findBubblewrap, namespaceArguments } from "./confinementMissing.ts";
import type { Bubblewrap } from "./confinementMissing.ts";
import { INSIDE, mountArguments } from "./confinementMounts.ts";
import { exists, whereItLeads } from "./confinementPaths.ts";
import { doorOf, Sandbox } from "./confinementSandbox.ts";

/** Of the sandbox's own loopback, where nothing else is at first. */
const ENTRANCE_PORT = 47_311;

/** By PATH; what was found once is not asked again. */
const known = new Map<string, Bubblewrap>();

async function find(path: string): Promise<Bubblewrap | string> {
  const found = known.get(path) ?? (await findBubblewrap(path));
  // What is missing may be installed while this program runs.
  if (typeof found !== "string") known.set(path, found);
  return found;
}

/** `path`: where to look for programs, as in PATH. */
export function bubblewrapConfinement(path: string): Confinement {
  return {
    missing: async () => {
      const it = await find(path);
      return typeof it === "string" ? it : null;
    },
    farEnd: async (place) => {
      const it = await find(path);
      if (typeof it === "string") throw new ManyHandsError("hand_unavailable", "hand", it);
      return sandboxFarEnd(it, place);
    },
  };
}

async function sandboxFarEnd(bubblewrap: Bubblewrap, place: ConfinedPlace): Promise<ConfinedFarEnd> {
  const { folder, rules, journal } = place;
  const [temporary, noFile, door] = [join(folder, "tmp"), join(folder, "nothing"), doorOf(folder)];
  refuseSecretFolders(place);
  for (const each of [temporary, door, journal]) await mkdir(each, { recursive: true, mode: 0o700 });
  await writeFile(noFile, "", { mode: 0o000, flag: "wx" }).catch(() => {});
  const made = join(folder, "made");
  await makeReadOnlyFolders(rules.readOnly, made);
  const sandbox = new Sandbox({
    folder,
    bubblewrap: bubblewrap.program,
    rules: JSON.stringify(rules),
    arguments: () => [
      ...namespaceArguments(bubblewrap),
      ...mountArguments({ rules, journal, door, temporary, noFile, hasRights: bubblewrap.hasRights }),
    ],
    filter: systemCallFilter(),
    shell: place.shell,
    environment: { ...place.environment, TMPDIR: "/tmp" },
  });
  if (!(await sandbox.renew())) {
    place.onProgress("Commands from before still run: the rules that have changed hold when they have ended.");
  }
  return {
    open: (signal) => sandbox.shell(signal),
    openEntrance: async (accept, { port }) => {
      const server = await openEntranceSocket(door, accept);
      sandbox.port = port ?? ENTRANCE_PORT;
      return {
        url: `http://127.0.0.1:${sandbox.port}`,
        socket_path: `${INSIDE}/entrance`,
        close: () => server.close(),
      };
    },
    close: () => {},
    remove: async () => {
      await sandbox.end();
      for (const each of await linesOf(made)) await rmdir(each).catch(() => {});
      // Its content is gone; the folder itself is mounted in there.
      await rmdir(journal).catch(() => {});
      await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
    },
  };
}

/** A folder that is not there cannot be kept from being made; so it is. One that stays empty goes with the hand. */
async function makeReadOnlyFolders(paths: readonly string[], record: string): Promise<void> {
  for (const path of paths) {
    // A repository without hooks: one that the hand put there would run outside, by an editor's git.
    const isWanted = basename(path) === ".vscode" || path.endsWith("/.git/hooks");
    if (!isWanted || exists(path) || !exists(dirname(path))) continue;
    await mkdir(path).catch(() => {});
    await appendFile(record, `${path}\0`, { mode: 0o600 });
  }
}

async function linesOf(record: string): Promise<string[]> {
  const text = await readFile(record, "utf8").catch(() => "");
  return text.split("\0").filter((path) => path !== "");
}

function refuseSecretFolders({ rules }: ConfinedPlace): void {
  const unreadable = new Set(rules.unreadable.map(whereItLeads));
  for (const path of rules.writable) {
    const at = whereItLeads(path);
    if (!unreadable.has(at)) continue;
    const message = `The local hand cannot be confined to ${path}: that is what confined hands are kept from. Choose another folder.`;
    throw new ManyHandsError("hand_unavailable", "hand", message);
  }
}
