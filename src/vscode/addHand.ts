/** The guided way to a hand: lists what exists, asks for a name, writes the setting, and offers a test. */
import { isAbsolute } from "node:path";
import * as vscode from "vscode";
import type { HandSpec } from "../core/config.ts";
import { limits } from "../core/limits.ts";
import type { SessionService } from "../core/service.ts";
import { devContainerName, dockerDiscoveries } from "./dockerDiscovery.ts";
import { workspaceFolder, writtenNames } from "./handConfiguration.ts";
import { testHand } from "./handCommands.ts";
import { freeName } from "./handDiscovery.ts";
import type { HandCandidate, HandDiscovery } from "./handDiscovery.ts";
import { localHand, LOCAL_NAME, problemOfName } from "./handSettings.ts";
import { addToSettings, currentTarget, showHandSettings } from "./handSettingsFile.ts";
import type { HandTarget } from "./handSettingsFile.ts";
import { parseArgv } from "./argvText.ts";
import { remoteCandidate } from "./remoteWindow.ts";
import { sshDiscovery } from "./sshHosts.ts";

const TITLE = "Add Hand";
/** The kinds that the guide has questions of its own for. */
const GUIDED = new Set(["local", "command", "ssh", "docker"]);

type Choose = () => Promise<HandCandidate | undefined>;
type Item = vscode.QuickPickItem & { readonly choose?: Choose };

export interface AddHandPorts {
  readonly service: SessionService;
}

/** `offered`: already chosen, by a notification. */
export async function addHand({ service }: AddHandPorts, offered?: HandCandidate): Promise<void> {
  const chosen = offered ?? (await pickCandidate(await service.handKinds()));
  if (chosen === undefined) return;
  const name = await askName(chosen.name);
  if (name === undefined) return;
  const target = await askTarget();
  if (target === undefined) return;
  const spec: HandSpec = { name, ...chosen.spec };
  const specs = await withLocal(spec);
  if (specs === undefined) return;
  await addToSettings(specs, target);
  await offerTest(service, spec);
}

/** The hand that matches this remote window, if it is one and no hand is it already. */
export async function remoteWindowCandidate(): Promise<HandCandidate | null> {
  const uri = vscode.workspace.workspaceFolders?.[0]?.uri;
  // Where the extension itself runs at the far end, the local hand is this place.
  if (uri?.scheme !== "vscode-remote") return null;
  const signal = AbortSignal.timeout(limits.handDiscoveryMs);
  return remoteCandidate({ authority: uri.authority, folder: uri.path }, (folder) => devContainerName(folder, signal));
}

function discoveries(): readonly HandDiscovery[] {
  const remote: HandDiscovery = {
    title: "This window",
    discover: async () => [await remoteWindowCandidate()].filter((candidate) => candidate !== null),
  };
  return [remote, sshDiscovery(), ...dockerDiscoveries()];
}

/** What can be typed is offered at once; what is looked for appears above it, as it is found. */
async function pickCandidate(kinds: readonly string[]): Promise<HandCandidate | undefined> {
  const pick = vscode.window.createQuickPick<Item>();
  const looking = new AbortController();
  const ways = discoveries();
  const found = ways.map(({ title }) => ({ title, candidates: [] as readonly HandCandidate[] }));
  const show = (): void => {
    pick.items = [...found.flatMap(sectionOf), ...typedItems(kinds)];
  };
  pick.title = TITLE;
  pick.placeholder = "Where shall agents work?";
  pick.matchOnDescription = true;
  pick.busy = true;
  show();
  const signal = AbortSignal.any([looking.signal, AbortSignal.timeout(limits.handDiscoveryMs)]);
  const all = ways.map(async (way, index) => {
    const section = found[index];
    if (section !== undefined) section.candidates = await way.discover(signal);
    if (!looking.signal.aborted) show();
  });
  void Promise.allSettled(all).then(() => {
    if (!looking.signal.aborted) pick.busy = false;
  });
  const choose = await new Promise<Choose | undefined>((resolve) => {
    pick.onDidAccept(() => {
      resolve(pick.selectedItems[0]?.choose);
      pick.hide();
    });
    pick.onDidHide(() => resolve(undefined));
    pick.show();
  });
  looking.abort();
  pick.dispose();
  return choose?.();
}

function sectionOf({ title, candidates }: { title: string; candidates: readonly HandCandidate[] }): readonly Item[] {
  if (candidates.length === 0) return [];
  const items = candidates.map((candidate) => ({
    label: `$(${candidate.icon}) ${candidate.label}`,
    description: candidate.description,
    choose: async () => candidate,
  }));
  return [separator(title), ...items];
}

function typedItems(kinds: readonly string[]): readonly Item[] {
  const others = kinds.filter((kind) => !GUIDED.has(kind));
  return [
    separator("Something else"),
    { label: "$(device-desktop) A folder on this computer…", choose: chooseFolder },
    { label: "$(remote) Another host over SSH…", choose: chooseHost },
    { label: "$(package) A container from another image…", choose: chooseImage },
    { label: "$(terminal) A program that gives a shell…", description: "kubectl exec, nsenter, …", choose: chooseArgv },
    ...others.map((kind) => ({
      label: `$(extensions) ${kind}`,
      description: "of another extension; its options are written in the settings",
      choose: async () => ({ label: kind, description: "", icon: "extensions", name: kind, spec: { kind } }),
    })),
    { label: "$(json) Write it in the settings…", choose: writeByHand },
  ];
}

function separator(label: string): Item {
  return { label, kind: vscode.QuickPickItemKind.Separator };
}

const chooseFolder: Choose = async () => {
  const folder = workspaceFolder();
  const cwd = await ask({
    prompt: "The folder in which the agent's commands begin.",
    value: folder ?? "",
    problem: (text) => (isAbsolute(text) ? null : "An absolute path."),
  });
  if (cwd === undefined) return undefined;
  const isWorkspace = cwd === folder;
  const name = isWorkspace ? LOCAL_NAME : (cwd.split(/[\\/]/).findLast((part) => part !== "") ?? LOCAL_NAME);
  const spec = isWorkspace ? { kind: "local" } : { kind: "local", options: { cwd } };
  return { label: cwd, description: "", icon: "device-desktop", name, spec };
};

const chooseHost: Choose = async () => {
  const host = await ask({
    prompt: "The host, as ssh would be given it: an alias, a name, or user@name.",
    problem: (text) => (/^[^\s-]\S*$/.test(text) ? null : "A host's name has no blanks and does not begin with “-”."),
  });
  if (host === undefined) return undefined;
  const name = host.split("@").at(-1) ?? host;
  return { label: host, description: "", icon: "remote", name, spec: { kind: "ssh", options: { host } } };
};

const chooseImage: Choose = async () => {
  const image = await ask({
    prompt: "The image of the container, such as debian:12.",
    problem: (text) => (/^[^\s-]\S*$/.test(text) ? null : "An image's name has no blanks."),
  });
  if (image === undefined) return undefined;
  const name = image.split("/").at(-1)?.split(/[:@]/, 1)[0] ?? image;
  return { label: image, description: "", icon: "package", name, spec: { kind: "docker", options: { image } } };
};

const chooseArgv: Choose = async () => {
  const typed = await ask({
    prompt: "The program and its arguments. What it reads and writes must be a POSIX shell.",
    placeHolder: "kubectl exec -i pod -- sh",
    problem: (text) => {
      const parsed = parseArgv(text);
      return parsed.ok ? null : parsed.message;
    },
  });
  const parsed = typed === undefined ? undefined : parseArgv(typed);
  if (parsed === undefined || !parsed.ok) return undefined;
  const { argv } = parsed;
  const name =
    argv[0]
      ?.split(/[\\/]/)
      .at(-1)
      ?.replace(/\.exe$/i, "") ?? "command";
  return { label: name, description: "", icon: "terminal", name, spec: { kind: "command", options: { argv } } };
};

const writeByHand: Choose = async () => {
  await showHandSettings();
  return undefined;
};

interface Question {
  readonly prompt: string;
  readonly value?: string;
  readonly placeHolder?: string;
  readonly problem: (text: string) => string | null;
}

async function ask({ problem, ...question }: Question): Promise<string | undefined> {
  const validateInput = (text: string): string | undefined =>
    text.trim() === "" ? undefined : (problem(text.trim()) ?? undefined);
  const text = (
    await vscode.window.showInputBox({ title: TITLE, ignoreFocusOut: true, ...question, validateInput })
  )?.trim();
  return text === undefined || text === "" ? undefined : text;
}

function askName(wanted: string): Promise<string | undefined> {
  const taken = writtenNames();
  return ask({
    prompt: "How you and the model call it.",
    value: freeName(wanted, taken),
    problem: (text) => problemOfName(text, taken),
  });
}

/** Not asked where there is one place only. */
async function askTarget(): Promise<HandTarget | undefined> {
  if (vscode.workspace.workspaceFolders === undefined) return "user";
  const items = [
    { label: "$(root-folder) This workspace", description: "in .vscode/settings.json", target: "workspace" as const },
    { label: "$(account) All of your workspaces", description: "in your own settings", target: "user" as const },
  ];
  // A list of the workspace hides the person's own: nothing that is added there would be seen.
  if (currentTarget() === "workspace") return "workspace";
  const picked = await vscode.window.showQuickPick(items, { title: TITLE, placeHolder: "For which sessions?" });
  return picked?.target;
}

/** The first hand of the settings would take the place of the local one, which nobody had to name: it is asked about. */
async function withLocal(spec: HandSpec): Promise<readonly HandSpec[] | undefined> {
  const isFirst = writtenNames().length === 0;
  if (!isFirst || spec.kind === "local" || localHand(workspaceFolder()) === null) return [spec];
  const items = [
    { label: `$(layers) “${spec.name}” and this computer`, specs: [{ name: LOCAL_NAME, kind: "local" }, spec] },
    { label: `$(circle-filled) “${spec.name}” only`, description: "nothing runs on this computer", specs: [spec] },
  ];
  const picked = await vscode.window.showQuickPick(items, { title: TITLE, placeHolder: "What do new sessions get?" });
  return picked?.specs;
}

async function offerTest(service: SessionService, spec: HandSpec): Promise<void> {
  const message = `The hand “${spec.name}” is in the settings. New sessions get it.`;
  const choice = await vscode.window.showInformationMessage(message, "Test Connection", "Open Settings");
  if (choice === "Open Settings") await showHandSettings();
  if (choice !== "Test Connection") return;
  const written = (await service.listHands()).find((info) => info.configured && info.spec.name === spec.name);
  await testHand({ service }, written ?? { spec });
}
