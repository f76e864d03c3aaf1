/** Asking for the model's key: once, stored in SecretStorage; one in the environment is offered, never used silently. */
import * as vscode from "vscode";

export interface ApiKeyPorts {
  /** Checks and stores; rejects with a message for the person. */
  readonly store: (key: string) => Promise<void>;
  readonly remove: () => Promise<void>;
  /** A problem of a key's form, or null. */
  readonly problemOf: (key: string) => string | null;
  readonly inEnvironment: () => { readonly variable: string; readonly key: string } | undefined;
  /** Where the key will be sent, for the prompt. */
  readonly address: () => string;
  readonly onChanged: () => void;
}

export async function setApiKey(ports: ApiKeyPorts): Promise<void> {
  const key = (await importedKey(ports)) ?? (await typedKey(ports));
  if (key === undefined) return;
  await ports.store(key);
  ports.onChanged();
  void vscode.window.showInformationMessage(`The API key for ${ports.address()} is stored.`);
}

export async function removeApiKey(ports: ApiKeyPorts): Promise<void> {
  await ports.remove();
  ports.onChanged();
  void vscode.window.showInformationMessage(`The API key for ${ports.address()} is removed.`);
}

async function importedKey(ports: ApiKeyPorts): Promise<string | undefined> {
  const found = ports.inEnvironment();
  if (found === undefined) return undefined;
  const items = [
    { label: `$(key) Import the key from ${found.variable}`, isImport: true },
    { label: "$(edit) Type or paste another key", isImport: false },
  ];
  const picked = await vscode.window.showQuickPick(items, { title: "Set API Key" });
  if (picked === undefined) throw new vscode.CancellationError();
  return picked.isImport ? found.key : undefined;
}

async function typedKey(ports: ApiKeyPorts): Promise<string | undefined> {
  return vscode.window.showInputBox({
    title: "Set API Key",
    prompt: `The key for ${ports.address()}. It is kept in VS Code's secret storage and sent there only.`,
    password: true,
    ignoreFocusOut: true,
    validateInput: (text) => (text === "" ? undefined : (ports.problemOf(text) ?? undefined)),
  });
}
