/** What is wrong with the settings of hands, shown where it is written. */
import * as vscode from "vscode";
import type { Listen } from "../core/listen.ts";
import { SECTION, workspaceFolder } from "./handConfiguration.ts";
import { parseHandSettings } from "./handSettings.ts";
import type { HandProblem, HandSettingsInput } from "./handSettings.ts";
import { nodeAt, positionAt, settingsNode } from "./jsonPlaces.ts";
import type { JsonNode } from "./jsonPlaces.ts";

/** Somebody who types is not told of each letter, in milliseconds. */
const QUIET_MS = 250;
const SETTINGS_FILE = /\/(\.vscode|User|Machine|profiles\/[^/]+)\/settings\.json$|\.code-workspace$/;
const SETTINGS_SCHEMES = new Set(["file", "vscode-userdata", "vscode-remote"]);

export interface HandDiagnosticsPorts {
  readonly kinds: () => Promise<readonly string[]>;
  /** May come more often than the kinds change. */
  readonly onDidChangeKinds: Listen<null>;
  readonly report: (what: string, thrown?: unknown) => void;
}

/** Shows problems in the settings files that they come from: those of the workspace always, others while they are open. */
export function createHandDiagnostics(ports: HandDiagnosticsPorts): vscode.Disposable {
  const diagnostics = vscode.languages.createDiagnosticCollection("many-hands");
  let timer: NodeJS.Timeout | null = null;
  const soon = (): void => {
    timer ??= setTimeout(() => {
      timer = null;
      look(diagnostics, ports).catch((thrown: unknown) =>
        ports.report("the settings of hands could not be read", thrown),
      );
    }, QUIET_MS);
  };
  let known = "";
  const ofKinds = async (): Promise<void> => {
    const kinds = (await ports.kinds()).toSorted().join(" ");
    if (kinds !== known) soon();
    known = kinds;
  };
  const ofDocument = ({ uri }: vscode.TextDocument): void => {
    if (isSettingsFile(uri)) soon();
  };
  soon();
  return vscode.Disposable.from(
    diagnostics,
    vscode.workspace.onDidOpenTextDocument(ofDocument),
    vscode.workspace.onDidCloseTextDocument(ofDocument),
    vscode.workspace.onDidChangeTextDocument(({ document }) => ofDocument(document)),
    vscode.workspace.onDidChangeWorkspaceFolders(soon),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration(SECTION)) soon();
    }),
    ports.onDidChangeKinds(() => void ofKinds()),
    { dispose: () => clearTimeout(timer ?? undefined) },
  );
}

async function look(diagnostics: vscode.DiagnosticCollection, ports: HandDiagnosticsPorts): Promise<void> {
  const kinds = await ports.kinds();
  const texts = new Map<string, { readonly uri: vscode.Uri; readonly text: string }>();
  for (const uri of workspaceFiles()) {
    const text = await textOf(uri);
    if (text !== null) texts.set(uri.toString(), { uri, text });
  }
  for (const document of vscode.workspace.textDocuments) {
    if (isSettingsFile(document.uri)) {
      texts.set(document.uri.toString(), { uri: document.uri, text: document.getText() });
    }
  }
  diagnostics.clear();
  for (const { uri, text } of texts.values()) diagnostics.set(uri, problemsIn(text, uri, kinds));
}

function isSettingsFile(uri: vscode.Uri): boolean {
  return SETTINGS_SCHEMES.has(uri.scheme) && SETTINGS_FILE.test(uri.path);
}

function workspaceFiles(): readonly vscode.Uri[] {
  const folders = vscode.workspace.workspaceFolders ?? [];
  const files = folders.map(({ uri }) => vscode.Uri.joinPath(uri, ".vscode", "settings.json"));
  const { workspaceFile } = vscode.workspace;
  return workspaceFile === undefined || workspaceFile.scheme === "untitled" ? files : [...files, workspaceFile];
}

async function textOf(uri: vscode.Uri): Promise<string | null> {
  try {
    return new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
  } catch {
    return null;
  }
}

/** What is wrong with what this file says itself; what another file says is that one's problem. */
function problemsIn(text: string, uri: vscode.Uri, kinds: readonly string[]): readonly vscode.Diagnostic[] {
  const settings = settingsNode(text, uri.path);
  const nodes: Readonly<Record<HandProblem["setting"], JsonNode | undefined>> = {
    hands: settings?.children.get(`${SECTION}.hands`),
    defaultHands: settings?.children.get(`${SECTION}.defaultHands`),
  };
  const effective = vscode.workspace.getConfiguration(SECTION);
  const input: HandSettingsInput = {
    hands: nodes.hands === undefined ? effective.get("hands") : nodes.hands.value,
    defaultHands: nodes.defaultHands?.value,
    folder: workspaceFolder(),
    kinds,
  };
  return parseHandSettings(input).problems.flatMap((problem) => {
    const node = nodes[problem.setting];
    return node === undefined ? [] : [diagnosticOf(problem, node, text)];
  });
}

function diagnosticOf(problem: HandProblem, setting: JsonNode, text: string): vscode.Diagnostic {
  const { start, end } = nodeAt(setting, problem.place);
  const [from, to] = [positionAt(text, start), positionAt(text, end)];
  const range = new vscode.Range(from.line, from.character, to.line, to.character);
  const { Error: Fault, Warning } = vscode.DiagnosticSeverity;
  const diagnostic = new vscode.Diagnostic(range, problem.message, problem.isFatal ? Fault : Warning);
  diagnostic.source = "Many Hands";
  return diagnostic;
}
