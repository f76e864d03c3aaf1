/** The credentials: kept in the secret store with their values, listed without them. */
import { randomBytes } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { ManyHandsError } from "../core/errors.ts";
import type { SessionId } from "../core/ids.ts";
import { isObject } from "../core/json.ts";
import { Emitter } from "../core/listen.ts";
import type { Disposable, Listen } from "../core/listen.ts";
import { limits } from "../core/limits.ts";
import type { CredentialInfo, CredentialInput, SecretStore, VaultUse } from "../core/vault.ts";
import { checkCredential, checkValue } from "./credentialInput.ts";
import { isAtPlace } from "./credentialPlace.ts";
import type { Redactor } from "./redactor.ts";
import { createSecretRecords } from "./secretRecords.ts";
import type { SecretRecords } from "./secretRecords.ts";

/** A credential as it is stored; it does not leave this room. */
export interface Credential extends CredentialInput {
  readonly id: string;
  readonly created_at: string;
}

type LastUse = NonNullable<CredentialInfo["last_used"]>;

export interface CredentialBookPorts {
  readonly secrets: SecretStore;
  readonly redactor: Redactor;
  readonly clock: Clock;
}

export class CredentialBook implements Disposable {
  readonly #ports: CredentialBookPorts;
  readonly #records: SecretRecords<Credential>;
  /** Apart from the values: it is written often. */
  readonly #uses: SecretRecords<LastUse>;
  readonly #noted = new Map<string, number>();
  readonly #changed = new Emitter<string>();
  readonly #removed = new Emitter<string>();
  readonly #listening: readonly Disposable[];

  /** The id of one that was added, changed, used or removed. */
  readonly onDidChange: Listen<string> = this.#changed.listen;
  readonly onDidRemove: Listen<string> = this.#removed.listen;

  constructor(ports: CredentialBookPorts) {
    this.#ports = ports;
    this.#records = createSecretRecords(ports.secrets, "manyHands.vault.credential:", parseCredential);
    this.#uses = createSecretRecords(ports.secrets, "manyHands.vault.used:", parseUse);
    this.#listening = [
      this.#records.onDidChange((id) => void this.#recordChanged(id)),
      this.#uses.onDidChange((id) => this.#changed.fire(id)),
    ];
  }

  /** Makes the values known to the redactor, before anything is said that could hold one. */
  async start(): Promise<void> {
    await this.#all();
  }

  async list(): Promise<readonly CredentialInfo[]> {
    const [credentials, uses] = await Promise.all([this.#all(), this.#uses.all()]);
    return credentials.map(({ id, name, kind, places, created_at }) => {
      return { id, name, kind, places, created_at, last_used: uses.get(id) ?? null };
    });
  }

  async add(input: CredentialInput): Promise<CredentialInfo> {
    const checked = checkCredential(input);
    const existing = await this.#all();
    if (existing.some(({ name }) => name === checked.name)) {
      const message = `There is a credential named "${checked.name}" already: replace its value, or take another name.`;
      throw new ManyHandsError("credential_invalid", "vault", message);
    }
    const id = `vcrd_${randomBytes(12).toString("hex")}`;
    const created_at = new Date(this.#ports.clock.now()).toISOString();
    this.#learn(checked.value);
    await this.#records.put(id, { ...checked, id, created_at });
    this.#changed.fire(id);
    const { name, kind, places } = checked;
    return { id, name, kind, places, created_at, last_used: null };
  }

  async replaceValue(id: string, value: string): Promise<void> {
    const credential = await this.get(id);
    const checked = checkValue(value);
    this.#learn(checked);
    await this.#records.put(id, { ...credential, value: checked });
    this.#changed.fire(id);
  }

  async remove(id: string): Promise<void> {
    await this.#records.remove(id);
    await this.#uses.remove(id);
    this.#removed.fire(id);
    this.#changed.fire(id);
  }

  /** Rejects with `credential_invalid` when it is gone. */
  async get(id: string): Promise<Credential> {
    const credential = await this.#records.get(id);
    if (credential === undefined) {
      throw new ManyHandsError("credential_invalid", "vault", "This credential is no more.");
    }
    return credential;
  }

  /** The one whose place is the nearest above what is to be used; by its name where the hand called one. */
  async find(
    use: Pick<VaultUse, "origin" | "path" | "credential_name" | "kind" | "git">,
  ): Promise<Credential | undefined> {
    const nearest = (credential: Credential): number =>
      Math.max(
        -1,
        ...credential.places.filter((place) => isAtPlace(use, place)).map(({ path_prefix }) => path_prefix.length),
      );
    const all = await this.#all();
    const usable = all.filter((credential) => isFor(credential, use.kind));
    if (use.credential_name !== undefined) return usable.find(({ name }) => name === use.credential_name);
    const fitting = usable.filter((credential) => nearest(credential) >= 0);
    return fitting.toSorted((a, b) => nearest(b) - nearest(a) || (a.created_at < b.created_at ? 1 : -1))[0];
  }

  /** Hosts to which a git credential may go: their usual addresses are led to the proxy in hands. */
  async gitHosts(): Promise<readonly string[]> {
    const all = (await this.#all()).filter((credential) => isFor(credential, "git"));
    return [...new Set(all.flatMap(({ places }) => places.map(({ origin }) => new URL(origin).host)))];
  }

  /** Never rejects: a use that could not be noted was a use all the same. */
  async noteUse(id: string, session_id: SessionId): Promise<void> {
    const now = this.#ports.clock.now();
    if (now - (this.#noted.get(id) ?? -Infinity) < limits.credentialUsedMs) return;
    this.#noted.set(id, now);
    await this.#uses.put(id, { at: new Date(now).toISOString(), session_id }).catch(() => {});
  }

  dispose(): void {
    for (const listening of this.#listening) listening.dispose();
    for (const each of [this.#records, this.#uses, this.#changed, this.#removed]) each.dispose();
  }

  async #all(): Promise<readonly Credential[]> {
    const all = [...(await this.#records.all()).values()];
    for (const { value } of all) this.#learn(value);
    return all.toSorted((a, b) => a.name.localeCompare(b.name));
  }

  #learn(value: string | undefined): void {
    if (value !== undefined) this.#ports.redactor.add(value);
  }

  async #recordChanged(id: string): Promise<void> {
    try {
      // Another window may have removed it.
      if ((await this.#records.get(id)) === undefined) this.#removed.fire(id);
      await this.#all();
    } catch {
      // Whoever asks for it is told why the store cannot be reached.
    }
    this.#changed.fire(id);
  }
}

/** A token for git is for git alone; every other kind may go wherever its places say. */
function isFor({ kind }: Credential, use: VaultUse["kind"]): boolean {
  if (use === "git") return kind === "git" || kind === "basic" || kind === "vscode_account";
  return kind !== "git";
}

function parseCredential(value: unknown): Credential | undefined {
  if (!isObject(value) || typeof value["id"] !== "string" || typeof value["created_at"] !== "string") return undefined;
  const credential = value as unknown as Credential;
  return { ...checkCredential(credential), id: credential.id, created_at: credential.created_at };
}

function parseUse(value: unknown): LastUse | undefined {
  return isObject(value) && typeof value["at"] === "string" ? (value as unknown as LastUse) : undefined;
}
