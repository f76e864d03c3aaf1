/** The entrances of hands: a token and the last port of each, kept as long as the session lives, so that a hand's addresses stay the same. */
import { randomBytes } from "node:crypto";
import type { SessionId } from "../core/ids.ts";
import { isObject } from "../core/json.ts";
import type { Disposable, Listen } from "../core/listen.ts";
import type { SecretStore } from "../core/vault.ts";
import { createSecretRecords } from "./secretRecords.ts";
import type { SecretRecords } from "./secretRecords.ts";

export interface EntranceRecord {
  readonly token: string;
  readonly port: number | null;
}

/** Of an entrance's token. */
export const TOKEN_BYTES = 32;

export class EntranceBook implements Disposable {
  readonly #records: SecretRecords<EntranceRecord>;
  /** By key: what is done with a record is done one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** The key of a record that was stored or removed, here or in another window. */
  readonly onDidChange: Listen<string>;

  constructor(secrets: SecretStore) {
    this.#records = createSecretRecords(secrets, "manyHands.vault.entrance:", parseRecord);
    this.onDidChange = this.#records.onDidChange;
  }

  /** Made where there is none. */
  of(sessionId: SessionId, hand: string): Promise<EntranceRecord> {
    const key = entranceKey(sessionId, hand);
    return this.#inTurn(key, async () => {
      const existing = await this.#records.get(key);
      if (existing !== undefined) return existing;
      const record = { token: randomBytes(TOKEN_BYTES).toString("base64url"), port: null };
      await this.#records.put(key, record);
      return record;
    });
  }

  /** Whether its token is still good. */
  has(key: string): Promise<boolean> {
    return this.#inTurn(key, async () => (await this.#records.get(key)) !== undefined);
  }

  /** Nothing where the token has ended meanwhile. */
  rememberPort(sessionId: SessionId, hand: string, port: number): Promise<void> {
    const key = entranceKey(sessionId, hand);
    return this.#inTurn(key, async () => {
      const record = await this.#records.get(key);
      if (record !== undefined && record.port !== port) await this.#records.put(key, { ...record, port });
    });
  }

  /** This hand's token is worth nothing from now on. */
  endHand(sessionId: SessionId, hand: string): Promise<void> {
    const key = entranceKey(sessionId, hand);
    return this.#inTurn(key, () => this.#records.remove(key));
  }

  #inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#turns.get(key) ?? Promise.resolve()).then(work, work);
    this.#turns.set(key, done);
    const forget = (): void => void (this.#turns.get(key) === done && this.#turns.delete(key));
    done.then(forget, forget);
    return done;
  }

  /** The session's tokens are worth nothing from now on. */
  async endSession(sessionId: SessionId): Promise<void> {
    const keys = [...(await this.#records.all()).keys()].filter((key) => key.startsWith(`${sessionId}/`));
    await Promise.all(keys.map((key) => this.#records.remove(key)));
  }

  dispose(): void {
    this.#records.dispose();
  }
}

export function entranceKey(sessionId: SessionId, hand: string): string {
  return `${sessionId}/${hand}`;
}

function parseRecord(value: unknown): EntranceRecord | undefined {
  if (!isObject(value) || typeof value["token"] !== "string") return undefined;
  const port = value["port"];
  return { token: value["token"], port: typeof port === "number" ? port : null };
}
