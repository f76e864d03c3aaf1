/** The vault: credentials, grants and entrances put together; the proxy itself is loaded when the first hand asks for it. */
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import type { Clock } from "../core/clock.ts";
import type { NewEvent, StoredEvent } from "../core/events.ts";
import { ManyHandsError } from "../core/errors.ts";
import type { EventId, SessionId } from "../core/ids.ts";
import { messageOf } from "../core/json.ts";
import { Emitter } from "../core/listen.ts";
import type { Disposable } from "../core/listen.ts";
import type {
  CredentialInfo,
  Egress,
  EntranceAddress,
  GitAccess,
  GrantDecision,
  HandEntrance,
  SecretStore,
  UseAuthority,
  VaultService,
  VaultUse,
} from "../core/vault.ts";
import { CredentialBook } from "./credentialBook.ts";
import type { Credential } from "./credentialBook.ts";
import { credentialSecret } from "./credentialSecret.ts";
import type { TokenPorts } from "./credentialSecret.ts";
import { EntranceBook, entranceKey, TOKEN_BYTES } from "./entranceBook.ts";
import { GrantAsking } from "./grantAsking.ts";
import { GrantBook } from "./grantBook.ts";
import type { CredentialProxy, ProxyEntrance } from "./proxy/credentialProxy.ts";
import type { Redactor } from "./redactor.ts";
import { createUseAuthority } from "./useAuthority.ts";

export interface VaultPorts extends TokenPorts {
  readonly secrets: SecretStore;
  readonly redactor: Redactor;
  readonly clock: Clock;
  /** The folder of the sessions here. */
  readonly workspace: string;
  /** Into the session's log; gives the ids under which they are stored. */
  readonly record: (sessionId: SessionId, events: readonly NewEvent[]) => Promise<readonly EventId[]>;
  /** Neither deleted nor archived nor ended. */
  readonly isLive: (sessionId: SessionId) => Promise<boolean>;
  readonly renew: (credential: Credential) => Promise<boolean>;
  /** What was made elsewhere for a credential that is removed. */
  readonly forget: (credential: Credential) => Promise<void>;
  /** `credentials`: those that are known at the moment. */
  readonly loadProxy: (
    authority: UseAuthority,
    credentials: () => readonly CredentialInfo[],
  ) => Promise<CredentialProxy>;
  /** What the calls of a hand find in their environment. */
  readonly environment: (entrance: {
    readonly address: EntranceAddress;
    readonly token: string;
    readonly egress: Egress | null;
    readonly gitHosts: readonly string[];
  }) => Promise<Readonly<Record<string, string>>>;
  /** Asks a server for something small with this credential; what it answered, in words. */
  readonly probe: (credential: Credential) => Promise<{ readonly ok: boolean; readonly message: string }>;
  readonly report: (what: string, thrown?: unknown) => void;
}

export class Vault implements VaultService, Disposable {
  readonly #ports: VaultPorts;
  readonly #credentials: CredentialBook;
  readonly #grants: GrantBook;
  readonly #asking: GrantAsking;
  readonly #entrances: EntranceBook;
  readonly #open = new Map<string, ProxyEntrance>();
  /** How often a session or a hand has ended, by id or key. */
  readonly #lives = new Map<string, number>();
  readonly #changed = new Emitter<null>();
  /** What has been written down as used: grant and hand. */
  readonly #used = new Set<string>();
  readonly #listening: readonly Disposable[];
  #proxy: Promise<CredentialProxy> | null = null;
  /** As it was listed last, for those who cannot wait. */
  #known: readonly CredentialInfo[] = [];

  readonly authority: UseAuthority;
  readonly onDidChange: VaultService["onDidChange"] = this.#changed.listen;

  constructor(ports: VaultPorts) {
    this.#ports = ports;
    this.#credentials = new CredentialBook(ports);
    this.#grants = new GrantBook(ports);
    this.#asking = new GrantAsking({ ...ports, grants: this.#grants });
    this.#entrances = new EntranceBook(ports.secrets);
    this.authority = createUseAuthority({
      credentials: this.#credentials,
      grants: this.#grants,
      secretOf: async (credential, use) => {
        const secret = await credentialSecret(credential, use, ports);
        // A token that was made a moment ago is as secret as one that is stored.
        ports.redactor.add(secret.value);
        for (const header of Object.values(secret.headers)) ports.redactor.add(header.replace(/^\w+ /, ""));
        return secret;
      },
      renew: ports.renew,
      ask: (use, credential, scope, signal) => this.#asking.ask(use, credential, scope, signal),
      isLive: ports.isLive,
      onUse: (use, credential, grantId) => this.#noteUse(use, credential, grantId),
    });
    this.#listening = [
      this.#credentials.onDidChange(() => {
        void this.#look();
        this.#changed.fire(null);
      }),
      this.#credentials.onDidRemove((id) => void this.#grants.removeCredential(id).catch(() => {})),
      this.#grants.onDidChange(() => this.#changed.fire(null)),
      this.#entrances.onDidChange((key) => void this.#shutIfEnded(key)),
    ];
  }

  /** Makes stored values known to the redactor. Never rejects: a locked keyring is said where it is needed. */
  async start(): Promise<void> {
    await this.#credentials.start().catch((thrown: unknown) => this.#ports.report(messageOf(thrown)));
  }

  async #loadedProxy(): Promise<CredentialProxy> {
    await this.#look();
    return (this.#proxy ??= this.#ports.loadProxy(this.authority, () => this.#known));
  }

  async #look(): Promise<void> {
    // Without the store there is nothing to use either.
    this.#known = await this.#credentials.list().catch(() => []);
  }

  listCredentials: VaultService["listCredentials"] = () => this.#credentials.list();
  addCredential: VaultService["addCredential"] = (input) => this.#credentials.add(input);
  replaceValue: VaultService["replaceValue"] = (id, value) => this.#credentials.replaceValue(id, value);
  removeCredential: VaultService["removeCredential"] = async (id) => {
    const credential = await this.#credentials.get(id);
    await this.#credentials.remove(id);
    // A server that cannot be reached keeps nobody from removing it here.
    await this.#ports.forget(credential).catch((thrown: unknown) => this.#ports.report(messageOf(thrown)));
  };
  testCredential: VaultService["testCredential"] = async (id) => this.#ports.probe(await this.#credentials.get(id));
  listGrants: VaultService["listGrants"] = () => this.#grants.list();

  async giveGrant(given: Parameters<VaultService["giveGrant"]>[0]): ReturnType<VaultService["giveGrant"]> {
    const { name } = await this.#credentials.get(given.credential_id);
    const grant = await this.#grants.give(given);
    if (given.session_id !== null) await this.#asking.recordGiven(given.session_id, grant, name);
    return grant;
  }

  async revokeGrant(id: string): Promise<void> {
    const grant = (await this.#grants.list()).find((each) => each.id === id);
    await this.#grants.revoke(id);
    if (grant === undefined || grant.session_id === null) return;
    const credential = await this.#credentials.get(grant.credential_id).catch(() => null);
    const event = { type: "vault.grant_revoked" as const, grant_id: id, credential_name: credential?.name ?? "" };
    // It is revoked, whether or not the session can still take it down.
    await this.#ports.record(grant.session_id, [event]).catch(() => {});
  }

  /** The person's answer to a request of the session's log. */
  answer(sessionId: SessionId, request: StoredEvent<"vault.grant_requested">, decision: GrantDecision): Promise<void> {
    return this.#asking.answer(sessionId, request, decision);
  }

  /** The way in for a hand; see `ProvisionContext.entrance`. */
  async entrance(sessionId: SessionId, hand: string, egress: Egress | null): Promise<HandEntrance> {
    if (!(await this.#ports.isLive(sessionId))) throw ended();
    const key = entranceKey(sessionId, hand);
    const life = this.#lifeOf(sessionId, key);
    const { token, port } = await this.#entrances.of(sessionId, hand);
    this.#ports.redactor.add(token);
    const proxy = await this.#loadedProxy();
    if (this.#lifeOf(sessionId, key) !== life) throw ended();
    this.#open.get(key)?.close();
    const opened = proxy.openEntrance({ session_id: sessionId, hand, token, egress });
    this.#open.set(key, opened);
    return {
      port,
      accept: (connection) => opened.accept(connection),
      environment: async (address) => {
        await this.#entrances.rememberPort(sessionId, hand, Number(new URL(address.url).port));
        const gitHosts = await this.#credentials.gitHosts();
        return this.#ports.environment({ address, token, egress, gitHosts });
      },
    };
  }

  /** For one run of git on this computer; null where no credential is stored for that address. */
  async gitAccess(sessionId: SessionId, hand: string, url: string): Promise<GitAccess | null> {
    const key = entranceKey(sessionId, hand);
    const life = this.#lifeOf(sessionId, key);
    const gitHosts = await this.#credentials.gitHosts();
    const address = URL.canParse(url.replace(/^git\+/, "")) ? new URL(url.replace(/^git\+/, "")) : null;
    if (address === null || !gitHosts.includes(address.host)) return null;
    const token = randomBytes(TOKEN_BYTES).toString("base64url");
    this.#ports.redactor.add(token);
    const proxy = await this.#loadedProxy();
    if (this.#lifeOf(sessionId, key) !== life) throw ended();
    const entrance = proxy.openEntrance({ session_id: sessionId, hand, token, egress: null });
    const own = `${key} ${randomUUID()}`;
    this.#open.set(own, entrance);
    const server = createServer((connection) => entrance.accept(connection));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const environment = await this.#ports.environment({
      address: { url: `http://127.0.0.1:${port}` },
      token,
      egress: null,
      gitHosts,
    });
    return {
      environment,
      close: () => {
        this.#shut((each) => each === own);
        server.close();
      },
    };
  }

  /** Its entrances are closed, its tokens worth nothing, its grants gone. */
  async endSession(sessionId: SessionId): Promise<void> {
    this.#endLife(sessionId);
    this.#shut((key) => key.startsWith(`${sessionId}/`));
    this.#asking.endSession(sessionId);
    for (const key of this.#used) if (key.includes(` ${sessionId} `)) this.#used.delete(key);
    await Promise.all([this.#entrances.endSession(sessionId), this.#grants.endSession(sessionId)]);
  }

  /** The hand was taken from its session: what it knew of the entrance is worth nothing. */
  async endHand(sessionId: SessionId, hand: string): Promise<void> {
    const key = entranceKey(sessionId, hand);
    this.#endLife(key);
    this.#shut((each) => isOfHand(each, key));
    await this.#entrances.endHand(sessionId, hand);
  }

  /** Another one once the session or the hand has ended: what was begun before that is not given any more. */
  #lifeOf(sessionId: SessionId, key: string): string {
    return `${this.#lives.get(sessionId) ?? 0} ${this.#lives.get(key) ?? 0}`;
  }

  #endLife(of: string): void {
    this.#lives.set(of, (this.#lives.get(of) ?? 0) + 1);
  }

  /** In another window: here it is known by what was told of it. */
  async #shutIfEnded(key: string): Promise<void> {
    if (![...this.#open.keys()].some((each) => isOfHand(each, key))) return;
    // A store that cannot be read has not said that it ended.
    const isGood = await this.#entrances.has(key).catch(() => true);
    if (!isGood) this.#shut((each) => isOfHand(each, key));
  }

  #shut(isMeant: (key: string) => boolean): void {
    for (const [key, entrance] of this.#open) {
      if (!isMeant(key)) continue;
      entrance.close();
      this.#open.delete(key);
    }
  }

  dispose(): void {
    this.#shut(() => true);
    void this.#proxy?.then(
      (proxy) => proxy.close(),
      () => {},
    );
    for (const each of [...this.#listening, this.#credentials, this.#grants, this.#entrances, this.#changed]) {
      each.dispose();
    }
  }

  /** Once for each grant and hand: the log says who used what, not how often. */
  #noteUse(use: VaultUse, { name }: Credential, grantId: string): void {
    const { session_id, hand, method, origin, path } = use;
    const key = `${grantId} ${session_id} ${hand ?? ""}`;
    if (this.#used.has(key)) return;
    this.#used.add(key);
    const used = { grant_id: grantId, credential_name: name, hand, method, origin, path };
    this.#ports
      .record(session_id, [{ type: "vault.credential_used", ...used }])
      .catch((thrown: unknown) => this.#ports.report("the use of a credential could not be recorded", thrown));
  }
}

function isOfHand(each: string, key: string): boolean {
  return each === key || each.startsWith(`${key} `);
}

function ended(): ManyHandsError {
  return new ManyHandsError(
    "hand_unavailable",
    "vault",
    "This session or this hand has ended, and its access with it.",
  );
}
