/**
 * The grants: kept in the secret store beside the credentials and not read from a session's log, because code that could
 * write to the log must not be able to grant itself anything.
 */
import { randomBytes } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { isObject } from "../core/json.ts";
import { Emitter } from "../core/listen.ts";
import type { Disposable, Listen } from "../core/listen.ts";
import { limits } from "../core/limits.ts";
import type { Grant, SecretStore, VaultUse } from "../core/vault.ts";
import { covers, isOfRepository } from "./grantScope.ts";
import { createSecretRecords } from "./secretRecords.ts";
import type { SecretRecords } from "./secretRecords.ts";

export interface GrantBookPorts {
  readonly secrets: SecretStore;
  readonly clock: Clock;
  /** The folder of the sessions here: a grant for always is for them. */
  readonly workspace: string;
}

/** One for once, and until when it covers what follows; `last`: what no further request puts off. */
interface Once {
  readonly grant: Grant;
  until: number;
  last: number;
}

/** What goes out under a grant, of whose session and credential. */
interface Life extends Pick<Grant, "session_id" | "credential_id"> {
  readonly ending: AbortController;
}

export class GrantBook implements Disposable {
  readonly #ports: GrantBookPorts;
  readonly #records: SecretRecords<Grant>;
  readonly #onces = new Map<string, Once>();
  /** By grant, also of one for once that is spent: what went out under it may still run. */
  readonly #lives = new Map<string, Life>();
  readonly #changed = new Emitter<null>();
  readonly #listening: Disposable;

  readonly onDidChange: Listen<null> = this.#changed.listen;

  constructor(ports: GrantBookPorts) {
    this.#ports = ports;
    this.#records = createSecretRecords(ports.secrets, "manyHands.vault.grant:", parseGrant);
    this.#listening = this.#records.onDidChange((id) => void this.#recordChanged(id));
  }

  async list(): Promise<readonly Grant[]> {
    const stored = [...(await this.#records.all()).values()].filter(
      ({ workspace }) => workspace === this.#ports.workspace,
    );
    return [...stored, ...[...this.#onces.values()].map(({ grant }) => grant)];
  }

  async give(given: Omit<Grant, "id" | "given_at" | "workspace">): Promise<Grant> {
    const { workspace, clock } = this.#ports;
    const id = `vgrt_${randomBytes(12).toString("hex")}`;
    const grant: Grant = { ...given, id, workspace, given_at: new Date(clock.now()).toISOString() };
    if (grant.lasts === "once") this.#onces.set(id, { grant, until: Infinity, last: Infinity });
    else await this.#records.put(id, grant);
    this.#changed.fire(null);
    return grant;
  }

  /** What runs under it is cut; no error when it is no more. */
  async revoke(id: string): Promise<void> {
    this.#onces.delete(id);
    this.#end(id);
    await this.#records.remove(id);
    this.#changed.fire(null);
  }

  /** All of one session; those for always stay. */
  async endSession(sessionId: string): Promise<void> {
    this.#cut((life) => life.session_id === sessionId);
    const ended = (await this.list()).filter(({ session_id }) => session_id === sessionId);
    await Promise.all(ended.map(({ id }) => this.revoke(id)));
  }

  async removeCredential(credentialId: string): Promise<void> {
    this.#cut((life) => life.credential_id === credentialId);
    const of = [...(await this.#records.all()).values(), ...[...this.#onces.values()].map(({ grant }) => grant)];
    await Promise.all(
      of.filter(({ credential_id }) => credential_id === credentialId).map(({ id }) => this.revoke(id)),
    );
  }

  /** The grant that covers this use now. One for once is spent by it. */
  async find(use: VaultUse, credentialId: string): Promise<Grant | undefined> {
    for (;;) {
      const found = await this.#find(use, credentialId);
      if (found?.lasts !== "once") return found;
      const once = this.#onces.get(found.id);
      // Where it is gone, another request spent it in this very moment: then it covers nothing more.
      if (once === undefined) continue;
      this.#spend(once, use);
      return found;
    }
  }

  /** The same without spending one for once. */
  async covers(use: VaultUse, credentialId: string): Promise<boolean> {
    return (await this.#find(use, credentialId)) !== undefined;
  }

  async #find(use: VaultUse, credentialId: string): Promise<Grant | undefined> {
    const now = this.#ports.clock.now();
    for (const [id, once] of this.#onces) if (once.until < now) this.#onces.delete(id);
    // Those for once come last: none is spent where another one covers the use.
    return (await this.list()).find(
      (grant) =>
        grant.credential_id === credentialId &&
        (grant.session_id === null || grant.session_id === use.session_id) &&
        covers(grant.scope, use),
    );
  }

  /** True where a person has said already what may be pushed to this repository: the rest is refused without asking. */
  async limitsPushes(use: VaultUse, credentialId: string): Promise<boolean> {
    return (await this.list()).some(
      ({ credential_id, session_id, scope }) =>
        credential_id === credentialId &&
        (session_id === null || session_id === use.session_id) &&
        isOfRepository(scope, use) &&
        (scope.git?.push_refs.length ?? 0) > 0,
    );
  }

  /** Aborted when the grant is revoked, here or in another window. */
  signalOf({ id, session_id, credential_id }: Grant): AbortSignal {
    const life = this.#lives.get(id) ?? { session_id, credential_id, ending: new AbortController() };
    this.#lives.set(id, life);
    return life.ending.signal;
  }

  dispose(): void {
    this.#listening.dispose();
    this.#records.dispose();
    this.#changed.dispose();
  }

  /**
   * One command of git or one connection of MCP is many requests; one of an API is one. A push ends with the refs that it
   * changes, so that the same are not pushed twice.
   */
  #spend(once: Once, use: VaultUse): void {
    const isPush = use.git?.refs !== undefined && use.path.endsWith("/git-receive-pack");
    if (use.kind === "http" || isPush) return void this.#onces.delete(once.grant.id);
    const now = this.#ports.clock.now();
    once.last = Math.min(once.last, now + limits.grantOnceMaxMs);
    once.until = Math.min(once.last, now + limits.grantOnceMs);
  }

  #end(id: string): void {
    this.#lives.get(id)?.ending.abort();
    this.#lives.delete(id);
  }

  #cut(isMeant: (life: Life) => boolean): void {
    for (const [id, life] of this.#lives) if (isMeant(life)) this.#end(id);
  }

  async #recordChanged(id: string): Promise<void> {
    const isThere = await this.#records.get(id).then(
      (grant) => grant !== undefined,
      // Without the store nothing can be shown to be granted.
      () => false,
    );
    if (!isThere && !this.#onces.has(id)) this.#end(id);
    this.#changed.fire(null);
  }
}

function parseGrant(value: unknown): Grant | undefined {
  if (!isObject(value) || !isObject(value["scope"]) || typeof value["id"] !== "string") return undefined;
  return value as unknown as Grant;
}
