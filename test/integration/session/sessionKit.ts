/** Whole sessions of real parts: file store, local hand, default harness, model adapter and vault against the strict server. */
import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createAnthropicModel } from "../../../src/brain/model/anthropicModel.ts";
import { defaultHarness } from "../../../src/brain/harness/defaultHarness.ts";
import type { Clock } from "../../../src/core/clock.ts";
import type { StoredEvent } from "../../../src/core/events.ts";
import type { EventType } from "../../../src/core/events.ts";
import type { AnyEvent, SessionState } from "../../../src/core/sessionState.ts";
import type { HandProvider } from "../../../src/core/hand.ts";
import type { SessionId } from "../../../src/core/ids.ts";
import type { LocalSettings } from "../../../src/hands/local/confinement.ts";
import { createLocalProvider } from "../../../src/hands/local/localProvider.ts";
import { createMcpProvider } from "../../../src/hands/mcp/mcpProvider.ts";
import type { SessionVault } from "../../../src/orchestrator/ports.ts";
import { LocalSessionService } from "../../../src/orchestrator/localSessionService.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { createFileStore } from "../../../src/session/fileStore.ts";
import { createIds } from "../../../src/session/ids.ts";
import { mountResource } from "../../../src/resources/mountResource.ts";
import { openVault } from "../../../src/vault/openVault.ts";
import type { OpenVaultPorts } from "../../../src/vault/openVault.ts";
import { createVaultFetch } from "../../../src/vault/proxy/vaultFetch.ts";
import type { Redactor } from "../../../src/vault/redactor.ts";
import type { Vault } from "../../../src/vault/vault.ts";
import { createModelKeys } from "../../../src/vault/modelKey.ts";
import { memorySecrets } from "../../fixtures/memorySecrets.ts";
import { createRedactor } from "../../../src/vault/redactor.ts";
import type { Scenario, TurnFunction } from "../../fixtures/messages/scenario.ts";
import { startMessagesServer, TEST_KEY } from "../../fixtures/messages/strictServer.ts";
import type { MessagesServer } from "../../fixtures/messages/strictServer.ts";

export interface KitOptions {
  readonly scenario?: Scenario | TurnFunction;
  /** Default: the strict server's. */
  readonly baseUrl?: string;
  readonly key?: string;
  readonly model?: string;
  readonly contextWindow?: number;
  /** Default: one whose waits are over in a moment. */
  readonly clock?: Clock;
  /** A vault with this secret store, and redaction. Default: none. */
  readonly vault?: Partial<OpenVaultPorts> & Pick<OpenVaultPorts, "secrets">;
  /** How commands on this computer are confined. Default: not. */
  readonly local?: Partial<LocalSettings> & { readonly home?: string };
  /** Stored credentials that are redacted, with tokens of known shapes; default: nothing is. */
  readonly redacted?: readonly string[];
  readonly thinking?: "adaptive" | "off";
  /** Where sessions are kept; default: in the kit's own folder. */
  readonly sessions?: string;
}

/** Time that waits of the program take away: a back-off of a minute is over in a moment. */
const hurried: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 50), signal) };

const UNCONFINED: LocalSettings = { mode: "off", unreadable: [], writable: [], environment: [], allowedHosts: [] };

function sessionVault(vault: Vault): SessionVault {
  return {
    entrance: (...args) => vault.entrance(...args),
    gitAccess: (...args) => vault.gitAccess(...args),
    answer: (...args) => vault.answer(...args),
    endHand: (...args) => vault.endHand(...args),
    endSession: (...args) => vault.endSession(...args),
  };
}

function mcpProvider({ authority }: Vault): HandProvider {
  const remembered = new Map<string, unknown>();
  return createMcpProvider({
    clock: systemClock,
    fetchFor: (sessionId, url) =>
      createVaultFetch({ authority, session_id: sessionId as SessionId, kind: "mcp", url: url.href, isOptional: true }),
    toolsMemory: { get: (key) => remembered.get(key), set: (key, tools) => void remembered.set(key, tools) },
    report: () => {},
  });
}

export class Kit {
  readonly server: MessagesServer;
  readonly folder: string;
  readonly workspace: string;
  readonly #options: KitOptions;
  readonly #services: LocalSessionService[] = [];
  readonly #vaults: Vault[] = [];

  private constructor(server: MessagesServer, folder: string, options: KitOptions) {
    this.server = server;
    this.folder = folder;
    this.workspace = path.join(folder, `Müller's "work" space`);
    this.#options = options;
  }

  static async open(options: KitOptions = {}): Promise<Kit> {
    const { scenario = { turns: [] }, contextWindow } = options;
    const server = await startMessagesServer({
      scenario,
      ...(contextWindow === undefined ? {} : { contextWindow }),
    });
    const folder = await realpath(await mkdtemp(path.join(tmpdir(), "many-hands-session-")));
    const kit = new Kit(server, folder, options);
    await mkdir(kit.workspace);
    return kit;
  }

  get sessions(): string {
    return this.#options.sessions ?? path.join(this.folder, "sessions");
  }

  /** One window. */
  async window(owner = "the window"): Promise<LocalSessionService> {
    const { baseUrl = this.server.url, key = TEST_KEY, model = "claude-sonnet-5-5", contextWindow } = this.#options;
    const ids = createIds(systemClock);
    const { redacted } = this.#options;
    const redactor = createRedactor({ detectTokens: () => redacted !== undefined });
    for (const value of redacted ?? []) redactor.add(value);
    const keys = createModelKeys({ secrets: memorySecrets(), redactor });
    if (key !== "") await keys.set(baseUrl, key);
    const report = (): void => {};
    const vault = this.#openVault(redactor, () => service);
    const service: LocalSessionService = new LocalSessionService({
      store: createFileStore({ root: this.sessions, clock: systemClock, ids, owner, onError: report }),
      clock: this.#options.clock ?? hurried,
      ids,
      loadHarness: () => Promise.resolve(defaultHarness),
      loadModel: async () =>
        createAnthropicModel({
          fetch: keys.fetchFor(baseUrl),
          baseUrl,
          redact: (text) => redactor.redact(text),
        }),
      settings: () =>
        Promise.resolve({
          model: {
            id: model,
            max_tokens: 4_000,
            context_window: contextWindow ?? 200_000,
            thinking: this.#options.thinking ?? ("off" as const),
          },
          instructions: "",
          policy: (tool) => tool.permission,
        }),
      defaultHands: () => [{ name: "local", kind: "local", options: { cwd: this.workspace } }],
      loadMount: () => Promise.resolve(mountResource),
      ...(redacted === undefined ? {} : { redaction: redactor }),
      random: () => 0,
      trusted: () => true,
      ...(vault === null ? {} : { vault: sessionVault(vault), redaction: redactor }),
      report,
    });
    const confinement = (): LocalSettings => ({ ...UNCONFINED, ...this.#options.local });
    const { home } = this.#options.local ?? {};
    const own = home === undefined ? {} : { environment: { ...process.env, HOME: home }, ownFolders: [this.sessions] };
    service.registerHandProvider("local", createLocalProvider({ clock: systemClock, confinement, ...own }));
    if (vault !== null) service.registerHandProvider("mcp", mcpProvider(vault));
    await vault?.start();
    await service.start();
    this.#services.push(service);
    return service;
  }

  /** That of the window that was opened last. */
  get vault(): Vault {
    const vault = this.#vaults.at(-1);
    if (vault === undefined) throw new Error("this kit has no vault");
    return vault;
  }

  #openVault(redactor: Redactor, service: () => LocalSessionService): Vault | null {
    if (this.#options.vault === undefined) return null;
    const vault = openVault({
      redactor,
      clock: systemClock,
      workspace: this.sessions,
      record: (id, events) => service().record(id, events),
      isLive: (id) => service().isLive(id),
      accountToken: () => Promise.resolve(undefined),
      apis: () => [],
      mcpServers: () => [],
      report: () => {},
      ...this.#options.vault,
    });
    this.#vaults.push(vault);
    return vault;
  }

  async close(): Promise<void> {
    for (const vault of this.#vaults) vault.dispose();
    for (const service of this.#services) await service.close();
    await this.server.close();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Resolves with the state once it is as wanted; the test's own time limit ends the wait. */
export async function stateOf(
  service: LocalSessionService,
  id: string,
  wanted: (state: SessionState) => boolean,
): Promise<SessionState> {
  for (;;) {
    const { state } = await service.getSession(id);
    if (wanted(state)) return state;
    await systemClock.sleep(10);
  }
}

export function isIdle(state: SessionState): boolean {
  return state.status === "idle" && state.stop_reason !== null && state.stop_reason.type !== "requires_action";
}

export function ofType<T extends EventType>(events: readonly AnyEvent[], type: T): readonly StoredEvent<T>[] {
  return events.filter((event) => event.type === type) as unknown as readonly StoredEvent<T>[];
}

export function textOf(result: StoredEvent<"agent.tool_result"> | undefined): string {
  return (result?.content ?? []).map((block) => (block.type === "text" ? block.text : "")).join("\n");
}
