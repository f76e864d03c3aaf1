/**
 * What the rules of a confinement mean on this computer: where links lead, and what lies in what. Looked up at once: that are
 * a few hundred questions to the kernel, which cost more than they are worth when each takes its turn.
 */
import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import type { Stats } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** `path` is `folder`, or lies in it. Both absolute and in normal form. */
export function isIn(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

/** null: there is nothing, or nothing that may be seen. */
export function lookAt(path: string): Stats | null {
  return attempt(() => lstatSync(path));
}

export function exists(path: string): boolean {
  return lookAt(path) !== null;
}

/** null: it cannot be told. */
export function attempt<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null;
  }
}

/** Where a path leads, as far as there is something; the rest as it is. */
export function whereItLeads(path: string): string {
  for (let known = path, rest = ""; ;) {
    const found = attempt(() => realpathSync.native(known));
    if (found !== null) return rest === "" ? found : join(found, rest);
    if (known === "/") return path;
    rest = rest === "" ? basename(known) : join(basename(known), rest);
    known = dirname(known);
  }
}

/** Whether this user, without any capability, gets as far as the folder that holds it: where not, a sandbox does not either. */
export function isReachable(path: string): boolean {
  const [user, groups] = [process.geteuid?.(), process.getgroups?.() ?? []];
  return [...between("/", path)].every((folder) => {
    const info = lookAt(folder);
    if (info === null) return false;
    const mayEnter = info.uid === user ? 0o100 : groups.includes(info.gid) ? 0o010 : 0o001;
    return (info.mode & mayEnter) !== 0;
  });
}

/** A secret's name, and each place that links at its end lead to. */
export function namesOf(path: string): string[] {
  const names: string[] = [];
  let next: string | null = path;
  while (next !== null && names.length < LINKS_MAX) {
    const name: string = join(whereItLeads(dirname(next)), basename(next));
    if (names.includes(name)) break;
    names.push(name);
    const target: string | null = attempt(() => readlinkSync(name));
    next = target === null ? null : resolve(dirname(name), target);
  }
  return names;
}

/** As many as the kernel follows. */
const LINKS_MAX = 40;

/** The nearest folder above that there is. */
export function folderAbove(path: string): string {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (folder === "/" || lookAt(folder)?.isDirectory() === true) return folder;
  }
}

/** Folders strictly between `root` and `path`, outermost first. */
export function between(root: string, path: string): string[] {
  const folders: string[] = [];
  for (let folder = dirname(path); folder !== root && isIn(folder, root); folder = dirname(folder)) {
    folders.unshift(folder);
  }
  return folders;
}

export function byDepth(a: string, b: string): number {
  return a.split("/").length - b.split("/").length || (a < b ? -1 : 1);
}
