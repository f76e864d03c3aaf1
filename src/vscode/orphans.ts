/** Containers and networks of sessions that are gone: shown to the person, who says which are removed. */
import * as vscode from "vscode";

interface Orphan {
  readonly kind: "container" | "network";
  readonly id: string;
  readonly name: string;
  readonly sessionId: string;
  readonly hand?: string;
  readonly status?: string;
}

export interface OrphanPorts {
  /** Of this workspace's sessions. Rejects where no engine answers. */
  readonly list: () => Promise<readonly Orphan[]>;
  readonly remove: (orphans: readonly Orphan[]) => Promise<void>;
  readonly report: (what: string, thrown?: unknown) => void;
}

/** Says so where there are some; silent where there are none, or where no engine answers. */
export async function offerToRemoveOrphans(ports: OrphanPorts): Promise<void> {
  let orphans: readonly Orphan[];
  try {
    orphans = await ports.list();
  } catch (thrown) {
    return ports.report("containers that were left behind could not be looked for", thrown);
  }
  if (orphans.length === 0) return;
  const count = orphans.length === 1 ? "A container or network" : `${orphans.length} containers and networks`;
  const message = `${count} of sessions that are gone ${orphans.length === 1 ? "is" : "are"} left on this computer's container engine.`;
  const show = "Show…";
  if ((await vscode.window.showInformationMessage(message, show)) === show) await pick(ports, orphans);
}

export async function chooseOrphans(ports: OrphanPorts): Promise<void> {
  try {
    const orphans = await ports.list();
    if (orphans.length > 0) return await pick(ports, orphans);
    void vscode.window.showInformationMessage("Nothing of sessions that are gone is left on the container engine.");
  } catch (thrown) {
    void vscode.window.showErrorMessage(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

async function pick(ports: OrphanPorts, orphans: readonly Orphan[]): Promise<void> {
  const items = orphans.map((orphan) => ({
    label: `$(${orphan.kind === "container" ? "package" : "globe"}) ${orphan.name}`,
    description: [orphan.kind, orphan.hand, orphan.status].filter(Boolean).join(" · "),
    detail: `of the session ${orphan.sessionId}`,
    picked: true,
    orphan,
  }));
  const title = "Left behind by sessions that are gone: what is chosen is removed, with all that is in it";
  const chosen = await vscode.window.showQuickPick(items, { title, canPickMany: true });
  if (chosen === undefined || chosen.length === 0) return;
  await ports.remove(chosen.map(({ orphan }) => orphan));
  void vscode.window.showInformationMessage(`${chosen.length} removed.`);
}
