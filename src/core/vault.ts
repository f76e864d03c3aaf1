/** The port to the place where secret values are kept: VS Code's SecretStorage, or memory in a test. */
import type { Listen } from "./listen.ts";

/** Values under names. Rejects when the store cannot be reached (a locked keyring). */
export interface SecretStore {
  get(name: string): Promise<string | undefined>;
  store(name: string, value: string): Promise<void>;
  /** No error when there is none. */
  delete(name: string): Promise<void>;
  /** The name whose value was stored or deleted, here or in another window. */
  readonly onDidChange: Listen<string>;
}
