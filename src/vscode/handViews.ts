/** Everything of hands that a window shows: the view, problems in the settings, commands, and the offer in a remote window. */
import * as vscode from "vscode";
import type { SessionService } from "../core/service.ts";
import type { AgentTerminals } from "./agentTerminal.ts";
import type { Commands } from "./commands.ts";
import { hasHandSettings, readHandSettings } from "./handConfiguration.ts";
import { HandsTree } from "./handsTree.ts";

export interface HandViewPorts {
  readonly service: SessionService;
  readonly terminals: AgentTerminals;
  readonly memory: vscode.Memento;
  readonly showLog: () => void;
  readonly report: (what: string, thrown?: unknown) => void;
}

const OFFERED = "manyHands.remoteHandOffered";

/** What stands behind them is loaded when one is first used. */
const COMMANDS = [
  "addHand",
  "testHand",
  "openHandShell",
  "browseHand",
  "compareHandFile",
  "watchHand",
  "restartHand",
  "removeHand",
  "openHandSettings",
  "showHandFailure",
  "refreshHands",
];

export function createHandViews(ports: HandViewPorts): vscode.Disposable & { readonly commands: Commands } {
  const { service, terminals, showLog, report } = ports;
  const problems = async () => readHandSettings(await service.handKinds()).problems;
  const tree = new HandsTree({ service, problems, report });
  const diagnostics = diagnosticsWhenNeeded(ports);
  const addHand = async (): Promise<void> => (await import("./addHand.ts")).addHand({ service });
  const load = async (): Promise<Commands> => {
    const { createHandCommands } = await import("./handCommands.ts");
    return createHandCommands({ service, tree, terminals, addHand, showLog });
  };
  const run = async (name: string, args: readonly unknown[]): Promise<unknown> => (await load())[name]?.(...args);
  const commands = Object.fromEntries(COMMANDS.map((name) => [name, (...args: unknown[]) => run(name, args)]));
  offerRemoteHand(ports).catch((thrown: unknown) => report("the hand of this window could not be offered", thrown));
  return { commands, dispose: () => vscode.Disposable.from(tree, diagnostics).dispose() };
}

/** Not loaded as long as nobody has written down anything about hands. */
function diagnosticsWhenNeeded({ service, report }: HandViewPorts): vscode.Disposable {
  let shown: vscode.Disposable | null = null;
  let isDisposed = false;
  const look = async (): Promise<void> => {
    if (shown !== null || !hasHandSettings()) return;
    const { createHandDiagnostics } = await import("./handDiagnostics.ts");
    if (isDisposed || shown !== null) return;
    const onDidChangeKinds = service.onDidChangeHands;
    shown = createHandDiagnostics({ kinds: () => service.handKinds(), onDidChangeKinds, report });
  };
  const failed = (thrown: unknown): void => report("the settings of hands could not be looked at", thrown);
  const listening = vscode.workspace.onDidChangeConfiguration(() => void look().catch(failed));
  look().catch(failed);
  return {
    dispose: () => {
      isDisposed = true;
      listening.dispose();
      shown?.dispose();
    },
  };
}

/** Once for a workspace: the place that this window is connected to, where no hand is named yet. */
async function offerRemoteHand({ service, memory }: HandViewPorts): Promise<void> {
  const isRemote = vscode.workspace.workspaceFolders?.[0]?.uri.scheme === "vscode-remote";
  if (!isRemote || !vscode.workspace.isTrusted || memory.get(OFFERED) === true) return;
  if ((await service.listHands()).some(({ configured }) => configured)) return;
  const { addHand, remoteWindowCandidate } = await import("./addHand.ts");
  const candidate = await remoteWindowCandidate();
  if (candidate === null) return;
  await memory.update(OFFERED, true);
  const message = `Agents can work on ${candidate.label}, ${candidate.description}. Nothing is installed there.`;
  const choice = await vscode.window.showInformationMessage(message, "Add as Hand");
  if (choice === "Add as Hand") await addHand({ service }, candidate);
}
