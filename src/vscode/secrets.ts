/** VS Code's SecretStorage behind the vault's port. */
import type * as vscode from "vscode";
import type { SecretStore } from "../core/vault.ts";

export function createSecretStore(secrets: vscode.SecretStorage): SecretStore {
  return {
    get: async (name) => secrets.get(name),
    store: async (name, value) => secrets.store(name, value),
    delete: async (name) => secrets.delete(name),
    keys: async () => secrets.keys(),
    onDidChange: (listener) => secrets.onDidChange(({ key }) => listener(key)),
  };
}
