/** What the rules of a confinement mean on this computer: where links lead, and what lies in what. */
import { lstat, readlink, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

/** `path` is `folder`, or lies in it. Both absolute and in normal form. */
export function isIn(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

export async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null)) !== null;
}

/** Where a path leads, as far as there is something; the rest as it is. */
export async function whereItLeads(path: string): Promise<string> {
  for (let known = path, rest = ""; ;) {
    const found = await realpath(known).catch(() => null);
    if (found !== null) return rest === "" ? found : join(found, rest);
    if (known === "/") return path;
    rest = rest === "" ? basename(known) : join(basename(known), rest);
    known = dirname(known);
  }
}

/** A secret's name, and each place that links at its end lead to. */
export async function namesOf(path: string): Promise<string[]> {
  const names: string[] = [];
  let next: string | null = path;
  while (next !== null && names.length < LINKS_MAX) {
    const name: string = join(await whereItLeads(dirname(next)), basename(next));
    if (names.includes(name)) break;
    names.push(name);
    const target: string | null = await readlink(name).catch(() => null);
    next = target === null ? null : resolve(dirname(name), target);
  }
  return names;
}

/** As many as the kernel follows. */
const LINKS_MAX = 40;

/** The nearest folder above that there is. */
export async function folderAbove(path: string): Promise<string> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (folder === "/" || (await lstat(folder).catch(() => null))?.isDirectory() === true) return folder;
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
