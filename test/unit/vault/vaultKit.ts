/** A vault with its stores in memory and a session's log that is a list: for tests of what it decides. */
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import type { Clock } from "../../../src/core/clock.ts";
import type { NewEvent, StoredEvent } from "../../../src/core/events.ts";
import type { EventId, SessionId } from "../../../src/core/ids.ts";
import type { CredentialInfo, CredentialInput, UseDecision, VaultUse } from "../../../src/core/vault.ts";
import { createRedactor } from "../../../src/vault/redactor.ts";
import type { Redactor } from "../../../src/vault/redactor.ts";
import { Vault } from "../../../src/vault/vault.ts";
import type { VaultPorts } from "../../../src/vault/vault.ts";
import { memorySecrets } from "../../fixtures/memorySecrets.ts";
import type { MemorySecrets } from "../../fixtures/memorySecrets.ts";

export const SESSION = "sesn_00000000000000000001" as SessionId;
export const OTHER = "sesn_00000000000000000002" as SessionId;
export const TOKEN = "tok-3f9c1e77a1b24d5c8e90";

export class VaultKit {
  readonly secrets: MemorySecrets;
  readonly redactor: Redactor = createRedactor();
  readonly recorded: (StoredEvent & { readonly session_id: SessionId })[] = [];
  readonly ended = new Set<string>();
  readonly vault: Vault;
  #waiting: (() => void)[] = [];

  constructor(
    options: { readonly secrets?: MemorySecrets; readonly clock?: Clock; readonly ports?: Partial<VaultPorts> } = {},
  ) {
    this.secrets = options.secrets ?? memorySecrets();
    this.vault = new Vault({
      secrets: this.secrets,
      redactor: this.redactor,
      clock: options.clock ?? systemClock,
      workspace: "/storage/sessions",
      record: async (session_id, events) => events.map((event) => this.#store(session_id, event)),
      isLive: async (id) => !this.ended.has(id),
      renew: async () => false,
      forget: async () => {},
      accountToken: async () => undefined,
      oauthToken: () => Promise.reject(new Error("nobody has signed in.")),
      gitHeaders: async (_host, username, token) => ({
        authorization: `Basic ${Buffer.from(`${username ?? "x"}:${token}`).toString("base64")}`,
      }),
      loadProxy: () => Promise.reject(new Error("this test has no proxy")),
      environment: async () => ({}),
      probe: async () => ({ ok: true, message: "" }),
      report: () => {},
      ...options.ports,
    });
  }

  add(over: Partial<CredentialInput> = {}): Promise<CredentialInfo> {
    const places = [{ origin: "https://api.example.com", path_prefix: "/v1" }];
    return this.vault.addCredential({ name: "api", kind: "static_bearer", places, value: TOKEN, ...over });
  }

  decide(over: Partial<VaultUse> = {}, signal: AbortSignal = new AbortController().signal): Promise<UseDecision> {
    return this.vault.authority.decide(use(over), signal);
  }

  /** The next event of this type that nobody has taken yet. */
  async next<T extends StoredEvent["type"]>(type: T): Promise<StoredEvent<T>> {
    for (;;) {
      const at = this.recorded.findIndex((event) => event.type === type);
      if (at !== -1) return this.recorded.splice(at, 1)[0] as unknown as StoredEvent<T>;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #store(session_id: SessionId, event: NewEvent): EventId {
    const seq = this.recorded.length + 1;
    const id = `sevt_${Math.random().toString(36).slice(2)}` as EventId;
    this.recorded.push({ ...event, id, seq, processed_at: "", session_id });
    for (const wake of this.#waiting.splice(0)) wake();
    return id;
  }
}

function use(over: Partial<VaultUse> = {}): VaultUse {
  const origin = "https://api.example.com";
  return { session_id: SESSION, hand: "local", kind: "http", origin, path: "/v1/items", method: "GET", ...over };
}

export function gitUse(over: Partial<NonNullable<VaultUse["git"]>> = {}): Partial<VaultUse> {
  const git = { repository: "acme/app", service: "fetch" as const, ...over };
  return { kind: "git", origin: "https://git.example.com", path: "/acme/app.git", method: "POST", git };
}
