/** Containers and networks of sessions that are no more: what a crash, or a session's folder that was deleted, left behind. */
import type { EngineChoice } from "./dockerSpec.ts";
import { removeContainer } from "./dockerContainer.ts";
import { removeNetwork } from "./dockerNetwork.ts";
import { connectEngine, engineError, step } from "./engine.ts";
import type { Engine } from "./engine.ts";
import { LABELS } from "./labels.ts";

export interface Orphan {
  readonly kind: "container" | "network";
  readonly id: string;
  readonly name: string;
  readonly sessionId: string;
  /** Of a container. */
  readonly hand?: string;
  /** Of a container: as the engine says it, `Up 2 hours`. */
  readonly status?: string;
}

export interface OrphanSearch {
  readonly engine?: EngineChoice;
  readonly environment: NodeJS.ProcessEnv;
  /** Those that live: what belongs to them is none of it. */
  readonly sessionIds: ReadonlySet<string>;
  /** Only containers of sessions whose folder is below this one: other workspaces and computers use the same engine. */
  readonly storageRoot?: string;
  readonly signal: AbortSignal;
}

/** Rejects with `hand_unavailable`. A network is listed where no container of its session would be left on it. */
export async function listOrphans(search: OrphanSearch): Promise<readonly Orphan[]> {
  const { sessionIds, storageRoot, signal } = search;
  const engine = await connectEngine(search.engine ?? {}, search.environment, signal);
  const filters = { label: [LABELS.session] };
  try {
    const [containers, networks] = await step("looking for what was left behind", signal, (abortSignal) =>
      Promise.all([
        engine.docker.listContainers({ all: true, filters, abortSignal }),
        engine.docker.listNetworks({ filters, abortSignal }),
      ]),
    );
    const kept = new Set(sessionIds);
    const orphans: Orphan[] = [];
    for (const { Id, Names, Labels, Status } of containers) {
      const sessionId = Labels[LABELS.session] ?? "";
      const isHere = storageRoot === undefined || isBelow(Labels[LABELS.storage] ?? "", storageRoot);
      if (kept.has(sessionId) || !isHere) {
        kept.add(sessionId);
        continue;
      }
      const name = Names[0]?.replace(/^\//, "") ?? Id;
      orphans.push({ kind: "container", id: Id, name, sessionId, hand: Labels[LABELS.hand] ?? "", status: Status });
    }
    // A network does not say whose it is: it goes with its containers, and an empty one is nobody's where all are asked for.
    const going = new Set(orphans.map(({ sessionId }) => sessionId));
    for (const { Id, Name, Labels } of networks) {
      const sessionId = Labels?.[LABELS.session] ?? "";
      if (kept.has(sessionId) || (storageRoot !== undefined && !going.has(sessionId))) continue;
      orphans.push({ kind: "network", id: Id, name: Name, sessionId });
    }
    return orphans;
  } catch (thrown) {
    signal.throwIfAborted();
    throw engineError(engine, "What was left behind cannot be looked for", thrown);
  }
}

/** Containers first, then their networks. What is gone already is no fault. Rejects with `hand_unavailable`. */
export async function removeOrphans(
  orphans: readonly Orphan[],
  { engine: choice = {}, environment, signal }: Pick<OrphanSearch, "engine" | "environment" | "signal">,
): Promise<void> {
  const engine: Engine = await connectEngine(choice, environment, signal);
  const of = (kind: Orphan["kind"]): readonly Orphan[] => orphans.filter((orphan) => orphan.kind === kind);
  for (const { id } of of("container")) await removeContainer(engine, id);
  for (const { id } of of("network")) await removeNetwork(engine, id);
}

function isBelow(path: string, root: string): boolean {
  return (
    path === root ||
    path.startsWith(root.endsWith("/") || root.endsWith("\\") ? root : `${root}/`) ||
    path.startsWith(`${root}\\`)
  );
}
