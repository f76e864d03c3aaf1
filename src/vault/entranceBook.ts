/** The entrances of hands: a token and the last port of each, kept as long as the session lives, so that a hand's addresses stay the same. */
import { randomBytes } from "node:crypto";
import type { SessionId } from "../core/ids.ts";
import { isObject } from "../core/json.ts";
import { Emitter } from "../core/listen.ts";
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
  readonly #ended = new Emitter<string>();
  /** The key of an entrance whose token has ended, here or in another window. */
  readonly onDidEnd: Listen<string> = this.#ended.listen;

  constructor(secrets: SecretStore) {
    this.#records = createSecretRecords(secrets, "manyHands.vault.entrance:", parseRecord);
    this.#records.onDidChange((key) => {
      this.#records.get(key).then(
        (record) => record === undefined && this.#ended.fire(key),
        // A store that cannot be read has not said that it ended.
        () => {},
      );
    });
  }

  /** Made where there is none. */
  async of(sessionId: SessionId, hand: string): Promise<EntranceRecord> {
    const existing = await this.#records.get(entranceKey(sessionId, hand));
    if (existing !== undefined) return existing;
    const record = { token: randomBytes(TOKEN_BYTES).toString("base64url"), port: null };
    await this.#records.put(entranceKey(sessionId, hand), record);
    return record;
  }

  async rememberPort(sessionId: SessionId, hand: string, port: number): Promise<void> {
    const record = await this.of(sessionId, hand);
    if (record.port !== port) await this.#records.put(entranceKey(sessionId, hand), { ...record, port });
  }

  /** This hand's token is worth nothing from now on. */
  endHand(sessionId: SessionId, hand: string): Promise<void> {
    return this.#records.remove(entranceKey(sessionId, hand));
  }

  /** The session's tokens are worth nothing from now on. */
  async endSession(sessionId: SessionId): Promise<void> {
    const keys = [...(await this.#records.all()).keys()].filter((key) => key.startsWith(`${sessionId}/`));
    await Promise.all(keys.map((key) => this.#records.remove(key)));
  }

  dispose(): void {
    this.#records.dispose();
    this.#ended.dispose();
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
