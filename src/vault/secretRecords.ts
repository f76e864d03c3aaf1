/** Records of one kind in the secret store, each under a name of its own, so that two windows never write over each other's. */
import { ManyHandsError } from "../core/errors.ts";
import { messageOf } from "../core/json.ts";
import type { Disposable, Listen } from "../core/listen.ts";
import { Emitter } from "../core/listen.ts";
import type { SecretStore } from "../core/vault.ts";

export interface SecretRecords<T> extends Disposable {
  /** By id. Rejects with `secrets_unavailable`. */
  all(): Promise<ReadonlyMap<string, T>>;
  get(id: string): Promise<T | undefined>;
  put(id: string, record: T): Promise<void>;
  remove(id: string): Promise<void>;
  /** The id of one that was stored or removed, here or in another window. */
  readonly onDidChange: Listen<string>;
}

/** `parse` gives undefined for what no version of this program has written; such a record is passed over, not removed. */
export function createSecretRecords<T>(
  secrets: SecretStore,
  prefix: string,
  parse: (value: unknown) => T | undefined,
): SecretRecords<T> {
  // To ask the store is a message to another process.
  let whole: Promise<ReadonlyMap<string, T>> | null = null;
  const changed = new Emitter<string>();
  const listening = secrets.onDidChange((name) => {
    if (!name.startsWith(prefix)) return;
    const id = name.slice(prefix.length);
    whole = null;
    changed.fire(id);
  });

  // A map of its own for each reading: one that comes late must not put back what was removed meanwhile.
  const readAll = async (): Promise<ReadonlyMap<string, T>> => {
    const names = (await guarded(secrets.keys())).filter((name) => name.startsWith(prefix));
    const texts = await Promise.all(names.map((name) => guarded(secrets.get(name))));
    const held = new Map<string, T>();
    for (const [index, name] of names.entries()) {
      const record = parseText(texts[index], parse);
      if (record !== undefined) held.set(name.slice(prefix.length), record);
    }
    return held;
  };
  const ready = async (): Promise<ReadonlyMap<string, T>> => {
    // A change that comes while it is read makes another reading.
    for (let reading = whole; ; reading = whole) {
      reading ??= whole = readAll();
      try {
        const held = await reading;
        if (whole === reading) return held;
      } catch (thrown) {
        if (whole === reading) whole = null;
        throw thrown;
      }
    }
  };

  return {
    all: ready,
    // One alone is read alone.
    get: async (id) =>
      whole === null ? parseText(await guarded(secrets.get(prefix + id)), parse) : (await ready()).get(id),
    put: async (id, record) => {
      await guarded(secrets.store(prefix + id, JSON.stringify(record)));
      whole = null;
    },
    remove: async (id) => {
      await guarded(secrets.delete(prefix + id));
      whole = null;
    },
    onDidChange: changed.listen,
    dispose: () => {
      listening.dispose();
      changed.dispose();
      whole = null;
    },
  };
}

function parseText<T>(text: string | undefined, parse: (value: unknown) => T | undefined): T | undefined {
  try {
    return text === undefined ? undefined : parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Says what can be done where the store cannot be reached. */
export async function guarded<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    const message = `VS Code's secret storage cannot be reached: ${messageOf(thrown)}. Unlock the keyring, or see its log.`;
    throw new ManyHandsError("secrets_unavailable", "vault", message, thrown);
  }
}
