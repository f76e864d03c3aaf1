/** What the commands about hands do, but for adding one. */
import * as vscode from "vscode";
import type { HandInfo, HandTest } from "../core/handInfo.ts";
import type { AgentTerminals } from "./agentTerminal.ts";
import { browseHand, compareWithWorkspace } from "./browseHand.ts";
import type { Commands } from "./commands.ts";
import { chooseFarEnd, chooseHand } from "./handChoice.ts";
import type { ChosenHand, HandChoicePorts } from "./handChoice.ts";
import { HandPty } from "./handPty.ts";
import { writtenNames } from "./handConfiguration.ts";
import { removeFromSettings, showHandSettings } from "./handSettingsFile.ts";
import { problemOfItem } from "./handsTree.ts";
import { describeHand, failureLine, latencyOf } from "./handText.ts";

export interface HandCommandPorts extends HandChoicePorts {
  readonly terminals: AgentTerminals;
  /** Loads the guided add when it is first used. */
  readonly addHand: () => Promise<void>;
  readonly showLog: () => void;
}

export function createHandCommands(ports: HandCommandPorts): Commands {
  const withFarEnd = async (target: unknown, title: string, use: (chosen: ChosenHand) => Promise<void>) => {
    const chosen = await chooseFarEnd(ports, target, title);
    if (chosen !== undefined) await use(chosen);
  };
  return {
    addHand: () => ports.addHand(),
    testHand: async (target) => {
      const chosen = await chooseHand(ports, target, "Test Hand's Connection");
      if (chosen !== undefined) await testHand(ports, chosen.info);
    },
    openHandShell: (target) => withFarEnd(target, "Open Shell in Hand", (chosen) => openShell(ports, chosen)),
    browseHand: (target) => withFarEnd(target, "Browse Files of Hand", (chosen) => browse(ports, chosen)),
    compareHandFile: (uri) => compareWithWorkspace(ports.service, uri),
    watchHand: (target) => withFarEnd(target, "Watch the Agent's Commands in Hand", (chosen) => watch(ports, chosen)),
    restartHand: (target) => withFarEnd(target, "Restart Hand", (chosen) => restart(ports, chosen)),
    removeHand: (target) => remove(ports, target),
    openHandSettings: (target) => showHandSettings(problemOfItem(target) ?? undefined),
    showHandFailure: (target) => showFailure(ports, target),
    refreshHands: () => refresh(ports),
  };
}

async function refresh({ service, tree }: HandCommandPorts): Promise<void> {
  await service.pingHands();
  tree.refresh();
}

/** With progress, which can be stopped; the result is said, and stays in the view. */
export async function testHand(
  { service }: Pick<HandCommandPorts, "service">,
  { spec }: Pick<HandInfo, "spec">,
): Promise<HandTest> {
  const stop = new AbortController();
  const { Notification } = vscode.ProgressLocation;
  const title = `Testing the hand “${spec.name}”`;
  const test = await vscode.window.withProgress(
    { location: Notification, title, cancellable: true },
    (progress, token) => {
      token.onCancellationRequested(() => stop.abort(new Error("The test was stopped.")));
      const onProgress = (message: string): void => progress.report({ message });
      return service.testHand(spec, { signal: stop.signal, onProgress });
    },
  );
  void sayResult(spec.name, test);
  return test;
}

async function sayResult(name: string, { failure, description, latency_ms, provision_ms }: HandTest): Promise<void> {
  if (failure !== null) {
    void vscode.window.showErrorMessage(`The hand “${name}” (${failure.origin}): ${failure.message}`);
    return;
  }
  const latency = latency_ms === null ? "" : ` in ${latencyOf(latency_ms)}`;
  const text = `The hand “${name}” answers${latency} (provisioned in ${latencyOf(provision_ms)}): ${description ?? ""}`;
  void vscode.window.showInformationMessage(text);
}

/** A local hand's shell is VS Code's own kind of terminal, where VS Code's terminals are on this computer. */
async function openShell(ports: HandCommandPorts, { info, sessionId }: ChosenHand): Promise<void> {
  const { name, kind, options } = info.spec;
  const cwd = options?.["cwd"];
  if (kind === "local" && vscode.workspace.workspaceFolders?.[0]?.uri.scheme !== "vscode-remote") {
    vscode.window.createTerminal({ name, ...(typeof cwd === "string" ? { cwd } : {}) }).show();
    return;
  }
  const hand = await opening(ports, info, sessionId);
  if (hand.openTerminal === undefined) {
    const watchIt = "Watch the Agent's Commands";
    const choices = sessionId === null ? [] : [watchIt];
    const message = `The hand “${name}” has no terminal for people: a hand of kind ${kind} gives a shell without one.`;
    const choice = await vscode.window.showInformationMessage(message, ...choices);
    if (choice === watchIt) await watch(ports, { info, sessionId });
    return;
  }
  const open = hand.openTerminal;
  const pty: vscode.Pseudoterminal = new HandPty((size) => open(size));
  vscode.window.createTerminal({ name, pty, iconPath: new vscode.ThemeIcon("terminal") }).show();
}

async function browse(ports: HandCommandPorts, { info, sessionId }: ChosenHand): Promise<void> {
  const { files } = await opening(ports, info, sessionId);
  if (files === undefined) throw new Error(`The hand “${info.spec.name}” has no files that one could browse.`);
  await browseHand({ sessionId, hand: info.spec.name, files });
}

function opening(
  { service }: HandCommandPorts,
  { spec }: HandInfo,
  sessionId: string | null,
): ReturnType<HandCommandPorts["service"]["openHand"]> {
  const title = `Reaching the hand “${spec.name}”`;
  const location = vscode.ProgressLocation.Window;
  return Promise.resolve(vscode.window.withProgress({ location, title }, () => service.openHand(sessionId, spec.name)));
}

async function watch({ terminals }: HandCommandPorts, { info, sessionId }: ChosenHand): Promise<void> {
  if (sessionId === null) throw new Error("No open session uses this hand, so there is nothing to watch.");
  await terminals.show(sessionId, info.spec.name);
}

async function restart({ service }: HandCommandPorts, { info, sessionId }: ChosenHand): Promise<void> {
  const detail =
    "All that runs there is ended, and what was made for it is removed: a container with the files in it. It is provisioned anew when it is next needed.";
  const choice = await vscode.window.showWarningMessage(
    `Restart the hand “${info.spec.name}”?`,
    { modal: true, detail },
    "Restart",
  );
  if (choice === "Restart") await service.restartHand(sessionId, info.spec.name);
}

async function remove(ports: HandCommandPorts, target: unknown): Promise<void> {
  const isNamed = (info: HandInfo): boolean => info.configured && writtenNames().includes(info.spec.name);
  const chosen = await chooseHand(ports, target, "Remove Hand from Settings", isNamed);
  if (chosen === undefined) return;
  const { name } = chosen.info.spec;
  if (!isNamed(chosen.info)) throw new Error(`The hand “${name}” is not in the settings: there is nothing to remove.`);
  const detail = "New sessions do not get it any more. Sessions that have it keep it.";
  const choice = await vscode.window.showWarningMessage(
    `Remove the hand “${name}” from the settings?`,
    { modal: true, detail },
    "Remove",
  );
  if (choice !== "Remove") return;
  await ports.service.restartHand(null, name);
  await removeFromSettings(name);
}

async function showFailure(ports: HandCommandPorts, target: unknown): Promise<void> {
  const chosen = await chooseHand(ports, target, "Show What Went Wrong with Hand");
  if (chosen === undefined) return;
  const failure = chosen.use?.failure ?? describeHand(chosen.info).failure;
  const { name } = chosen.info.spec;
  if (failure === null) {
    void vscode.window.showInformationMessage(`Nothing went wrong with the hand “${name}”.`);
    return;
  }
  const choice = await vscode.window.showErrorMessage(`The hand “${name}”, ${failureLine(failure)}`, "Show Output");
  if (choice === "Show Output") ports.showLog();
}
