/**
 * The file system of a sandbox as arguments of bubblewrap: the computer's, read-only, with what is writable bound over it and
 * what is secret left out.
 *
 * A folder that holds a secret, or would, is not shown itself: its entries are bound one by one into an empty one. So a secret
 * that somebody makes later is not seen, and neither is a file that takes the place of a hidden one (a mount that covers a
 * file falls off when that file is replaced).
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { limits } from "../../core/limits.ts";
import type { ConfinementRules } from "./confinement.ts";
import {
  attempt,
  between,
  byDepth,
  exists,
  folderAbove,
  isIn,
  isReachable,
  lookAt,
  namesOf,
  whereItLeads,
} from "./confinementPaths.ts";

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

export function mountArguments(ports: MountPorts): string[] {
  const writable = ports.rules.writable.map(whereItLeads).toSorted(byDepth);
  const journal = whereItLeads(ports.journal);
  const hidden = outermost(ports.rules.unreadable.flatMap(namesOf));
  const plan = new MountPlan(ports, writable, hidden, [journal, ...writable]);
  plan.hide();
  plan.open();
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
  hide(): void {
    const outside = this.#hidden.filter((path) => !this.#isWritable(path) && !isReplaced(path));
    const folders = new Map<string, string[]>();
    for (const path of outside) {
      const folder = folderAbove(path);
      folders.set(folder, [...(folders.get(folder) ?? []), path]);
    }
    for (const folder of [...folders.keys()].toSorted(byDepth)) {
      const names = folder === "/" ? null : this.#namesToShow(folder);
      if (names === null) for (const path of folders.get(folder) ?? []) this.#cover(path);
      else this.#refill(folder, names);
    }
    this.add("--tmpfs", "/run");
    for (const path of KEPT_OF_RUN) if (exists(path)) this.add("--ro-bind", path, path);
    for (const path of TEMPORARY) {
      const at = whereItLeads(path);
      if (exists(at)) this.add("--bind", this.#ports.temporary, at);
    }
    const covered = this.#ports.rules.covered.map(whereItLeads);
    const sockets = listeningSockets().filter((path) => !folders.has(dirname(path)));
    for (const path of outermost([...covered, ...sockets].filter(isReachable))) {
      const isHidden = this.#hidden.some((folder) => isIn(path, folder));
      if (!isHidden && !isReplaced(path) && !this.#isWritable(path)) this.#cover(path);
    }
  }

  /** What is writable, and what in it is not, or is hidden. */
  open(): void {
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
      const at = whereItLeads(path);
      if (!exists(at) || !this.#isWritable(at)) continue;
      pin(at);
      this.add("--ro-bind", at, at);
    }
    for (const path of this.#hidden) {
      if (!this.#isWritable(path) || !exists(path)) continue;
      pin(path);
      this.#cover(path);
    }
  }

  #isWritable(path: string): boolean {
    return this.#writable.some((folder) => isIn(path, folder));
  }

  /** null: there are too many to bind each of them, or they cannot be read. */
  #namesToShow(folder: string): string[] | null {
    const names = attempt(() => readdirSync(folder));
    if (names === null || this.#entries + names.length > limits.confinedEntriesMax) return null;
    this.#entries += names.length;
    return names;
  }

  #refill(folder: string, names: readonly string[]): void {
    this.add("--tmpfs", folder);
    this.#filled.push(folder);
    for (const name of names) {
      const path = join(folder, name);
      const info = lookAt(path);
      if (info === null) continue;
      if (this.#hidden.includes(path)) this.#cover(path);
      else if (info.isSymbolicLink()) this.#link(path);
      else if (info.isDirectory() || info.isFile()) this.add("--ro-bind-try", path, path);
    }
  }

  /** As the link that it is: bound, it would show what it leads to without what is hidden there. */
  #link(path: string): void {
    const target = attempt(() => readlinkSync(path));
    if (target !== null) this.add("--symlink", target, path);
  }

  #cover(path: string): void {
    const info = lookAt(path);
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
function listeningSockets(): string[] {
  const text = attempt(() => readFileSync("/proc/net/unix", "utf8")) ?? "";
  const paths = text.split("\n").flatMap((line) => {
    const [, , , flags, , , , ...path] = line.split(" ").filter((word) => word !== "");
    return flags === "00010000" && path[0]?.startsWith("/") === true ? [path.join(" ")] : [];
  });
  return [...new Set(paths.map(whereItLeads))];
}
