/**
 * The file system of a sandbox as arguments of bubblewrap: the computer's, read-only, with what is writable bound over it and
 * what is secret left out.
 *
 * A folder that holds a secret, or would, is not shown itself: its entries are bound one by one into an empty one. So a secret
 * that somebody makes later is not seen, and neither is a file that takes the place of a hidden one (a mount that covers a
 * file falls off when that file is replaced).
 */
import type { Stats } from "node:fs";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { limits } from "../../core/limits.ts";
import type { ConfinementRules } from "./confinement.ts";
import { between, byDepth, exists, folderAbove, isIn, namesOf, whereItLeads } from "./confinementPaths.ts";

export interface MountPorts {
  readonly rules: ConfinementRules;
  readonly journal: string;
  /** Bound at INSIDE, not to be changed there. */
  readonly door: string;
  /** In place of the temporary folders. */
  readonly temporary: string;
  /** An empty file without any right, to be bound over what is hidden. */
  readonly noFile: string;
  /** Whether bubblewrap can say what rights a folder has that it makes (0.5 and later). */
  readonly hasRights: boolean;
}

/** Where the sandbox finds its door. */
export const INSIDE = "/run/many-hands";

const TEMPORARY = ["/tmp", "/var/tmp"];
/** Made anew for each sandbox. */
const REPLACED = [...TEMPORARY, "/run", "/dev", "/proc"];
/** Of /run, what programs need that are found through it. */
const KEPT_OF_RUN = ["/run/current-system", "/run/booted-system", "/run/opengl-driver", "/run/host"];

export async function mountArguments(ports: MountPorts): Promise<string[]> {
  const writable = (await Promise.all(ports.rules.writable.map(whereItLeads))).toSorted(byDepth);
  const journal = await whereItLeads(ports.journal);
  const hidden = outermost((await Promise.all(ports.rules.unreadable.map(namesOf))).flat());
  const plan = new MountPlan(ports, writable, hidden, [journal, ...writable]);
  await plan.hide();
  await plan.open();
  plan.add("--bind", journal, journal);
  plan.add("--ro-bind", ports.door, INSIDE);
  return plan.whole();
}

/** Without those that lie in others. */
function outermost(paths: readonly string[]): string[] {
  const kept: string[] = [];
  for (const path of paths.toSorted(byDepth)) if (!kept.some((other) => isIn(path, other))) kept.push(path);
  return kept;
}

class MountPlan {
  readonly #ports: MountPorts;
  readonly #writable: readonly string[];
  readonly #hidden: readonly string[];
  /** What is shown although it lies in something hidden. */
  readonly #holes: readonly string[];
  readonly #args: string[] = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"];
  /** Filled, then made read-only. */
  readonly #filled: string[] = ["/run"];
  #entries = 0;

  constructor(ports: MountPorts, writable: readonly string[], hidden: readonly string[], holes: readonly string[]) {
    this.#ports = ports;
    this.#writable = writable;
    this.#hidden = hidden;
    this.#holes = holes;
  }

  add(...words: readonly string[]): void {
    this.#args.push(...words);
  }

  whole(): string[] {
    return [...this.#args, ...this.#filled.flatMap((folder) => ["--remount-ro", folder])];
  }

  /** All that is hidden outside of what is writable. */
  async hide(): Promise<void> {
    const outside = this.#hidden.filter((path) => !this.#isWritable(path) && !isReplaced(path));
    const folders = new Map<string, string[]>();
    for (const path of outside) {
      const folder = await folderAbove(path);
      folders.set(folder, [...(folders.get(folder) ?? []), path]);
    }
    for (const folder of [...folders.keys()].toSorted(byDepth)) {
      const names = folder === "/" ? null : await this.#namesToShow(folder);
      if (names === null) for (const path of folders.get(folder) ?? []) await this.#cover(path);
      else await this.#refill(folder, names);
    }
    this.add("--tmpfs", "/run");
    for (const path of KEPT_OF_RUN) if (await exists(path)) this.add("--ro-bind", path, path);
    for (const path of TEMPORARY) {
      const at = await whereItLeads(path);
      if (await exists(at)) this.add("--bind", this.#ports.temporary, at);
    }
    for (const socket of await listeningSockets()) {
      const isHidden = this.#hidden.some((path) => isIn(socket, path));
      if (isHidden || isReplaced(socket) || this.#isWritable(socket) || folders.has(dirname(socket))) continue;
      if (await exists(socket)) this.add("--ro-bind", this.#ports.noFile, socket);
    }
  }

  /** What is writable, and what in it is not, or is hidden. */
  async open(): Promise<void> {
    for (const path of this.#writable) this.add("--bind", path, path);
    const pinned = new Set<string>();
    const pin = (path: string): void => {
      // A folder above could be renamed, and be another one to the next sandbox; one that is mounted cannot.
      const root = this.#writable.findLast((folder) => isIn(path, folder)) ?? "/";
      for (const folder of between(root, path)) {
        if (!pinned.has(folder)) this.add("--bind", folder, folder);
        pinned.add(folder);
      }
    };
    for (const path of this.#ports.rules.readOnly) {
      const at = await whereItLeads(path);
      if (!(await exists(at)) || !this.#isWritable(at)) continue;
      pin(at);
      this.add("--ro-bind", at, at);
    }
    for (const path of this.#hidden) {
      if (!this.#isWritable(path) || !(await exists(path))) continue;
      pin(path);
      await this.#cover(path);
    }
  }

  #isWritable(path: string): boolean {
    return this.#writable.some((folder) => isIn(path, folder));
  }

  /** null: there are too many to bind each of them, or they cannot be read. */
  async #namesToShow(folder: string): Promise<string[] | null> {
    const names = await readdir(folder).catch(() => null);
    if (names === null || this.#entries + names.length > limits.confinedEntriesMax) return null;
    this.#entries += names.length;
    return names;
  }

  async #refill(folder: string, names: readonly string[]): Promise<void> {
    this.add("--tmpfs", folder);
    this.#filled.push(folder);
    for (const name of names) {
      const path = join(folder, name);
      const info = await lstat(path).catch(() => null);
      if (info === null) continue;
      if (this.#hidden.includes(path)) await this.#cover(path);
      else if (info.isSymbolicLink()) await this.#link(path);
      else if (info.isDirectory() || info.isFile()) this.add("--ro-bind-try", path, path);
    }
  }

  /** As the link that it is: bound, it would show what it leads to without what is hidden there. */
  async #link(path: string): Promise<void> {
    const target = await readlink(path).catch(() => null);
    if (target !== null) this.add("--symlink", target, path);
  }

  async #cover(path: string): Promise<void> {
    const info: Stats | null = await lstat(path).catch(() => null);
    if (info === null) return;
    if (!info.isDirectory()) {
      // Nothing is mounted on a link; where it leads is hidden for itself.
      if (!info.isSymbolicLink()) this.add("--ro-bind", this.#ports.noFile, path);
      return;
    }
    const isOnTheWay = this.#holes.some((hole) => isIn(hole, path));
    if (this.#ports.hasRights) this.add("--perms", isOnTheWay ? "0111" : "0000");
    this.add("--tmpfs", path);
    this.#filled.push(path);
  }
}

function isReplaced(path: string): boolean {
  return REPLACED.some((folder) => isIn(path, folder));
}

/** Ways to other programs: agents that hold keys, an engine of containers, a bus. */
async function listeningSockets(): Promise<string[]> {
  const text = await readFile("/proc/net/unix", "utf8").catch(() => "");
  const paths = text.split("\n").flatMap((line) => {
    const [, , , flags, , , , ...path] = line.split(" ").filter((word) => word !== "");
    return flags === "00010000" && path[0]?.startsWith("/") === true ? [path.join(" ")] : [];
  });
  return [...new Set(await Promise.all(paths.map(whereItLeads)))];
}
