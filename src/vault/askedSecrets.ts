/** Passphrases and passwords that a person was asked for, kept where the person wants that. */
import type { SecretStore } from "../core/vault.ts";
import type { Redactor } from "./redactor.ts";

const SECRET_PREFIX = "manyHands.asked.";

export interface AskedSecrets {
  /** undefined: none is kept. */
  get(name: string): Promise<string | undefined>;
  keep(name: string, value: string): Promise<void>;
  forget(name: string): Promise<void>;
  /** One that passes through: it is taken out of texts from now on. */
  seen(value: string): void;
}

export function createAskedSecrets(secrets: SecretStore, redactor: Redactor): AskedSecrets {
  return {
    async get(name) {
      const value = await secrets.get(SECRET_PREFIX + name);
      if (value !== undefined) redactor.add(value);
      return value;
    },
    keep: (name, value) => secrets.store(SECRET_PREFIX + name, value),
    forget: (name) => secrets.delete(SECRET_PREFIX + name),
    seen: (value) => redactor.add(value),
  };
}
