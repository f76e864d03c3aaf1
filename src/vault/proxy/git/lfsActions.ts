/** Where objects of git-lfs really are: addresses with signatures and tokens stay here, a hand knows them by a number. */
import { randomBytes } from "node:crypto";
import { limits } from "../../../core/limits.ts";

export type LfsActionName = "download" | "upload" | "verify";

export interface LfsAction {
  /** Whose it is; nobody else's. */
  readonly owner: string;
  /** Origin and path of the repository that it was given for. */
  readonly repository: string;
  readonly name: LfsActionName;
  readonly refs: readonly string[] | undefined;
  /** https. */
  readonly href: URL;
  /** That the LFS server wants to see there, names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface LfsActions {
  /** The id under which it is found for `limits.lfsActionMs`. The oldest go where there are too many. */
  add(action: LfsAction): string;
  get(id: string, owner: string, repository: string): LfsAction | undefined;
}

interface Kept {
  readonly action: LfsAction;
  readonly until: number;
}

/** @param now in milliseconds */
export function createLfsActions(now: () => number = Date.now): LfsActions {
  /** By owner and id; both in the order in which they were added. */
  const owners = new Map<string, Map<string, Kept>>();
  let count = 0;

  function drop(owner: string, id: string): void {
    const own = owners.get(owner);
    if (own?.delete(id) === true) count -= 1;
    if (own?.size === 0) owners.delete(owner);
  }

  function dropOldest(owner: string): void {
    const [id] = owners.get(owner)?.keys() ?? [];
    if (id !== undefined) drop(owner, id);
  }

  function dropExpired(): void {
    for (const [owner, own] of owners) {
      for (const [id, { until }] of own) {
        if (until > now()) break;
        drop(owner, id);
      }
    }
  }

  return {
    add(action) {
      dropExpired();
      const { owner } = action;
      if ((owners.get(owner)?.size ?? 0) >= limits.lfsActionsMax) dropOldest(owner);
      if (count >= limits.lfsActionsMaxAll) dropOldest(owners.keys().next().value ?? owner);
      const own = owners.get(owner) ?? new Map<string, Kept>();
      owners.set(owner, own);
      const id = randomBytes(18).toString("base64url");
      own.set(id, { action, until: now() + limits.lfsActionMs });
      count += 1;
      return id;
    },
    get(id, owner, repository) {
      const kept = owners.get(owner)?.get(id);
      return kept !== undefined && kept.until > now() && kept.action.repository === repository
        ? kept.action
        : undefined;
    },
  };
}
