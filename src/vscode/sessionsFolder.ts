/** Where the sessions of a workspace are kept: in one place for all of its windows. */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * `storage` is the folder that VS Code gives to this extension for this workspace. The first window on a workspace locks
 * `<workspace id>`, and a second one is given `<workspace id>-1` up to `-9` (in 1.12x: ExtensionStoragePaths of the
 * node host); so is a window whose earlier life has not let go of the lock yet. The sessions stay with the first: their
 * leases say who may write.
 */
export function sessionsFolder(storage: string): string {
  const workspace = dirname(storage);
  const id = /^(.+)-[1-9]$/.exec(basename(workspace))?.[1];
  const first = id === undefined ? null : join(dirname(workspace), id);
  const home = first !== null && existsSync(first) ? first : workspace;
  return join(home, basename(storage), "sessions");
}
