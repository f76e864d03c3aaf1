/** The composition root: the only file that knows every room. The model, the harness and the hands are loaded when used. */
import { rm } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import * as vscode from "vscode";
import { composeVault } from "./composeVault.ts";
import type { VaultParts } from "./composeVault.ts";
import { createModels } from "./brain/models.ts";
import type { Models } from "./brain/models.ts";
import type { HandSpec } from "./core/config.ts";
import type { SessionService } from "./core/service.ts";
import { DEFAULT_BASE_URL, parseModelEndpoint } from "./core/modelEndpoint.ts";
import { createCommandProvider } from "./hands/command/commandProvider.ts";
import { createDockerProvider } from "./hands/docker/dockerProvider.ts";
import { createLocalProvider } from "./hands/local/localProvider.ts";
import { programEnvironment } from "./hands/shell/programEnvironment.ts";
import type { SshAsk } from "./hands/ssh/ask.ts";
import { createSshProvider } from "./hands/ssh/sshProvider.ts";
import { LocalSessionService } from "./orchestrator/localSessionService.ts";
import type { OrchestratorPorts } from "./orchestrator/ports.ts";
import { systemClock } from "./orchestrator/systemClock.ts";
import { createFileStore } from "./session/fileStore.ts";
import { createIds } from "./session/ids.ts";
import { createAskedSecrets } from "./vault/askedSecrets.ts";
import { createModelKeys, keyInEnvironment, parseModelKey } from "./vault/modelKey.ts";
import type { ModelKeys } from "./vault/modelKey.ts";
import { createRedactor } from "./vault/redactor.ts";
import type { Redactor } from "./vault/redactor.ts";
import { AgentTerminals } from "./vscode/agentTerminal.ts";
import { createAskSsh } from "./vscode/askSsh.ts";
import type { ApiKeyPorts } from "./vscode/apiKeyCommands.ts";
import { createCommands } from "./vscode/commands.ts";
import type { Commands } from "./vscode/commands.ts";
import { readHandSettings } from "./vscode/handConfiguration.ts";
import { createHandViews } from "./vscode/handViews.ts";
import type { OrphanPorts } from "./vscode/orphans.ts";
import { createMcpConfiguration } from "./vscode/mcpConfiguration.ts";
import type { McpConfiguration } from "./vscode/mcpConfiguration.ts";
import { openSampleWorkspace } from "./vscode/sampleWorkspace.ts";
import { createSecretStore } from "./vscode/secrets.ts";
import { SessionDocuments } from "./vscode/sessionDocuments.ts";
import { SessionPanels } from "./vscode/sessionPanels.ts";
import { sessionsFolder } from "./vscode/sessionsFolder.ts";
import { SessionsTree } from "./vscode/sessionsTree.ts";
import { readLocalSettings, readSettings } from "./vscode/settings.ts";
import { createStatusBar } from "./vscode/statusBar.ts";
import { createVaultViews } from "./vscode/vaultViews.ts";

/** Events that a person may want to hear of at once. */
const NOTIFIED = /^(session\.(error|status_idle)|vault\.grant_requested)$/;

type Report = OrchestratorPorts["report"];

/** The extension once it runs. */
export interface Running {
  readonly service: SessionService;
  /** What stands behind the commands of the manifest, by their names without `manyHands.`. */
  readonly commands: Commands;
  readonly pages: vscode.WebviewPanelSerializer;
  /** Gives leases back and lets go of streams; commands of the agent live on. */
  close(): Promise<void>;
}

export function compose(context: vscode.ExtensionContext): Running {
  const output = vscode.window.createOutputChannel("Many Hands", { log: true });
  const redactor = createRedactor({
    detectTokens: () => readSettings().detectTokens,
    report: (what, thrown) => report(what, thrown),
  });
  const redact = (text: string): string => redactor.redact(text);
  const report = reportTo(output, redact);
  const secrets = createSecretStore(context.secrets);
  const keys = createModelKeys({ secrets, redactor });
  const models = createModels({ choice: readSettings, fetchFor: (baseUrl) => keys.fetchFor(baseUrl), redact });
  const sessions = vscode.Uri.file(sessionsFolder((context.storageUri ?? context.globalStorageUri).fsPath));
  const vault = composeVault({
    secrets,
    redactor,
    workspace: sessions.fsPath,
    record: (id, events) => local.record(id, events),
    isLive: (id) => local.isLive(id),
    mcpServers: () => remoteServers(mcp.servers()),
    report,
  });
  const mcp = createMcpConfiguration({ onChange: () => local.refreshHands(), report });
  const local: LocalSessionService = createService({
    sessions,
    models,
    report,
    redactor,
    vault,
    mcp,
    loadProvider: lateProviders(context, () => ({ service: local, vault, report })),
  });
  const asked = createAskedSecrets(secrets, redactor);
  registerHands(context, { local, ask: createAskSsh({ secrets: asked, report }), report });
  context.subscriptions.push(output, keys, models, vault, mcp);
  const views = registerViews(context, { local, models, keys, sessions, report, output, vault });
  local.start().catch((thrown: unknown) => report("the sessions could not be woken", thrown));
  return { service: local, ...views, close: () => local.close() };
}

interface HandParts {
  readonly local: SessionService;
  readonly ask: SshAsk;
  readonly report: Report;
}

/** The kinds of hand that are there from the start; what each needs is loaded when one is provisioned. */
function registerHands(context: vscode.ExtensionContext, { local: service, ask, report }: HandParts): void {
  const clock = systemClock;
  const environment = (): NodeJS.ProcessEnv => programEnvironment(process.env);
  // The editor's own folder: settings, secrets, the sessions of all workspaces.
  const ownFolders = [dirname(dirname(dirname(context.globalStorageUri.fsPath)))];
  service.registerHandProvider("local", createLocalProvider({ clock, confinement: readLocalSettings, ownFolders }));
  service.registerHandProvider("docker", createDockerProvider({ clock, environment, report }));
  service.registerHandProvider("ssh", createSshProvider({ clock, environment, ask, report }));
  service.registerHandProvider("command", createCommandProvider({ clock, environment }));
}

function reportTo(output: vscode.LogOutputChannel, redact: (text: string) => string): Report {
  return (what, thrown) => {
    if (thrown === undefined) return output.info(redact(what));
    const detail = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    output.warn(redact(`${what}: ${detail}`));
  };
}

interface LateParts {
  readonly service: SessionService;
  readonly vault: VaultParts;
  readonly report: Report;
}

const LATE_KINDS = ["mcp", "vscode-tools"];

/** Kinds that few sessions have: loaded when one does. */
function lateProviders(context: vscode.ExtensionContext, parts: () => LateParts): (kind: string) => Promise<void> {
  const loading = new Map<string, Promise<void>>();
  const load = async (kind: string): Promise<void> => {
    const { service, vault, report } = parts();
    if (kind === "vscode-tools") {
      const [{ createVscodeToolsProvider }, { createLanguageModelTools }] = await Promise.all([
        import("./hands/vscodeTools/vscodeToolsProvider.ts"),
        import("./vscode/languageModelTools.ts"),
      ]);
      const tools = createLanguageModelTools();
      service.registerHandProvider(kind, createVscodeToolsProvider({ clock: systemClock, tools }));
    }
    if (kind !== "mcp") return;
    const { createMcpProvider } = await import("./hands/mcp/mcpProvider.ts");
    const toolsMemory = {
      get: (key: string): unknown => context.workspaceState.get(`manyHands.mcp:${key}`),
      set: (key: string, tools: unknown): void => void context.workspaceState.update(`manyHands.mcp:${key}`, tools),
    };
    const ports = { clock: systemClock, fetchFor: vault.fetchFor, toolsMemory, report };
    service.registerHandProvider(kind, createMcpProvider(ports));
  };
  return async (kind) => {
    const loaded = loading.get(kind) ?? load(kind);
    loading.set(kind, loaded);
    await loaded;
  };
}

interface ServiceParts {
  readonly sessions: vscode.Uri;
  readonly models: Models;
  readonly report: Report;
  readonly redactor: Redactor;
  readonly vault: VaultParts;
  readonly mcp: McpConfiguration;
  readonly loadProvider: (kind: string) => Promise<void>;
}

function createService({
  sessions,
  models,
  report,
  redactor,
  vault,
  mcp,
  loadProvider,
}: ServiceParts): LocalSessionService {
  const clock = systemClock;
  const ids = createIds(clock);
  const owner = `VS Code on ${hostname()}, process ${process.pid}`;
  return new LocalSessionService({
    store: createFileStore({ root: sessions.fsPath, clock, ids, owner, onError: report }),
    clock,
    ids,
    loadHarness: async () => {
      // Nothing is said before the stored credentials are known, so that none of them is.
      const [{ defaultHarness }] = await Promise.all([import("./brain/harness/defaultHarness.ts"), vault.load()]);
      return defaultHarness;
    },
    redaction: redactor,
    vault: vault.session,
    lateKinds: LATE_KINDS,
    loadProvider,
    loadModel: () => models.load(),
    settings: async (model) => {
      const { instructions, permissions } = readSettings();
      const policy = (tool: Parameters<Awaited<ReturnType<OrchestratorPorts["settings"]>>["policy"]>[0]) =>
        permissions[tool.name] ?? tool.permission;
      return { model: await models.settings(model), instructions, policy };
    },
    loadMount: async () => (await import("./resources/mountResource.ts")).mountResource,
    defaultHands: () => withServers(readHandSettings(null).defaults, mcp.defaults()),
    configuredHands: () => [...configuredHands(), ...mcp.servers()],
    spare: spareFolders(sessions),
    random: Math.random,
    trusted: () => vscode.workspace.isTrusted,
    report,
  });
}

/** Servers are beside hands to work with: they alone are no place to work in. */
function withServers(hands: readonly HandSpec[], servers: readonly HandSpec[]): readonly HandSpec[] {
  return hands.length === 0
    ? []
    : [...hands, ...servers.filter(({ name }) => !hands.some((hand) => hand.name === name))];
}

function remoteServers(servers: readonly HandSpec[]): readonly { readonly name: string; readonly url: string }[] {
  return servers.flatMap(({ name, options }) => {
    const url = options?.["url"];
    return typeof url === "string" ? [{ name, url }] : [];
  });
}

/** All of the settings, and the local hand where new sessions get it without its being named. */
function configuredHands(): readonly HandSpec[] {
  const { hands, defaults } = readHandSettings(null);
  return [...new Set([...hands, ...defaults])];
}

/** Beside the sessions, not among them. */
function spareFolders(sessions: vscode.Uri): NonNullable<OrchestratorPorts["spare"]> {
  const root = join(dirname(sessions.fsPath), "spareHands");
  return {
    path: (id, hand) => join(root, id, hand),
    remove: (id) => rm(join(root, id), { recursive: true, force: true }),
  };
}

interface ViewParts {
  readonly local: LocalSessionService;
  readonly models: Models;
  readonly keys: ModelKeys;
  readonly sessions: vscode.Uri;
  readonly vault: VaultParts;
  readonly report: Report;
  readonly output: vscode.LogOutputChannel;
}

function registerViews(context: vscode.ExtensionContext, parts: ViewParts): Pick<Running, "commands" | "pages"> {
  const { local, models, keys, sessions, report, output, vault } = parts;
  const isRehearsal = (): boolean => readSettings().provider === "rehearsal";
  const documents = new SessionDocuments(local);
  const panels = new SessionPanels({
    service: local,
    extensionUri: context.extensionUri,
    memory: context.workspaceState,
    isRehearsal,
    modelOf: (model) => models.idOf(model),
    openDiff: (session, call) => documents.openDiff(session, call),
    openOutput: (session, call) => documents.openOutput(session, call),
    report,
  });
  const tree = new SessionsTree(local);
  const terminals = new AgentTerminals(local);
  const showLog = (): void => output.show();
  const hands = createHandViews({ service: local, terminals, memory: context.workspaceState, showLog, report });
  const orphans = orphanPorts(local, sessions, report);
  const offerOrphans = async (): Promise<void> => (await import("./vscode/orphans.ts")).offerToRemoveOrphans(orphans);
  if (usesDocker()) void offerOrphans();
  const removeOrphans = async (): Promise<void> => (await import("./vscode/orphans.ts")).chooseOrphans(orphans);
  const vaultViews = createVaultViews({
    vault: vault.service,
    service: local,
    modelKey: () => modelKeyInfo(keys),
    authorise: vault.authorise,
    loadCheck: async () => (await import("./vault/credentialInput.ts")).checkCredential,
    report,
  });
  const showKeyState = keyState(keys, () => vaultViews.refresh());
  const apiKey = apiKeyPorts(keys, showKeyState);
  context.subscriptions.push(
    documents,
    panels,
    tree,
    terminals,
    hands,
    vaultViews,
    createStatusBar(local, isRehearsal),
    local.onDidAppendEvent(({ session_id, event }) => {
      if (!NOTIFIED.test(event.type) || !readSettings().notifications || panels.isVisible(session_id)) return;
      const open = (session: string): void => panels.open(session);
      import("./vscode/notifications.ts")
        .then(({ notify }) => notify(session_id, event, { service: local, open, report }))
        .catch((thrown: unknown) => report("a notification failed", thrown));
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void local.refresh()),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("manyHands.model")) showKeyState();
      if (change.affectsConfiguration("manyHands")) local.refreshHands();
    }),
  );
  showKeyState();
  const commands = createCommands({
    service: local,
    panels,
    tree,
    terminals,
    sessionFolder: (id) => vscode.Uri.joinPath(sessions, id),
    setApiKey: async () => (await import("./vscode/apiKeyCommands.ts")).setApiKey(apiKey),
    removeApiKey: async () => (await import("./vscode/apiKeyCommands.ts")).removeApiKey(apiKey),
    tryRehearsal,
    openSample: () => openSampleWorkspace(context.extensionUri, context.globalStorageUri),
    showLog,
  });
  return { commands: { ...commands, ...hands.commands, ...vaultViews.commands, removeOrphans }, pages: panels };
}

function usesDocker(): boolean {
  return vscode.workspace.isTrusted && configuredHands().some(({ kind }) => kind === "docker");
}

/** On the engine that is there without being named. */
function orphanPorts(service: SessionService, sessions: vscode.Uri, report: Report): OrphanPorts {
  const environment = programEnvironment(process.env);
  const signal = AbortSignal.any([]);
  return {
    list: async () => {
      const { listOrphans } = await import("./hands/docker/orphans.ts");
      const sessionIds = new Set<string>((await service.listSessions()).map(({ id }) => id));
      return listOrphans({ environment, sessionIds, storageRoot: sessions.fsPath, signal });
    },
    remove: async (chosen) => {
      const { removeOrphans } = await import("./hands/docker/orphans.ts");
      await removeOrphans(chosen, { environment, signal });
    },
    report,
  };
}

/** Tells the welcome view whether a key has to be asked for. */
function keyState(keys: ModelKeys, onChange: () => void): () => void {
  const show = async (): Promise<void> => {
    const { provider, baseUrl } = readSettings();
    const isMissing = provider === "anthropic" && (await keys.isMissing(baseUrl).catch(() => false));
    await vscode.commands.executeCommand("setContext", "manyHands.keyMissing", isMissing);
    onChange();
  };
  return () => void show();
}

async function modelKeyInfo(keys: ModelKeys): Promise<{ readonly address: string; readonly isSet: boolean }> {
  const { baseUrl } = readSettings();
  return { address: addressOf(baseUrl), isSet: await keys.isSet(baseUrl) };
}

function addressOf(baseUrl: string): string {
  const parsed = parseModelEndpoint(baseUrl);
  return parsed.ok ? parsed.endpoint.origin : DEFAULT_BASE_URL;
}

function apiKeyPorts(keys: ModelKeys, onChanged: () => void): ApiKeyPorts {
  const baseUrl = (): string => readSettings().baseUrl;
  return {
    store: (key) => keys.set(baseUrl(), key),
    remove: () => keys.clear(baseUrl()),
    problemOf: (key) => {
      const parsed = parseModelKey(key);
      return parsed.ok ? null : parsed.message;
    },
    inEnvironment: () => keyInEnvironment(process.env),
    address: () => addressOf(baseUrl()),
    onChanged,
  };
}

async function tryRehearsal(): Promise<void> {
  const settings = vscode.workspace.getConfiguration("manyHands");
  await settings.update("model.provider", "rehearsal", vscode.ConfigurationTarget.Global);
  await vscode.commands.executeCommand("manyHands.newSession");
}
