/** What the commands about the vault do. */
import * as vscode from "vscode";
import { messageOf } from "../core/json.ts";
import type { CredentialInfo, CredentialInput } from "../core/vault.ts";
import type { Commands } from "./commands.ts";
import { chooseCredential, chooseGrant, targetOf } from "./vaultChoice.ts";
import type { VaultChoicePorts } from "./vaultChoice.ts";
import { titleOf } from "./vaultItems.ts";
import { placeText, removalText } from "./vaultText.ts";

export interface VaultCommandPorts extends VaultChoicePorts {
  readonly check: (input: CredentialInput) => CredentialInput;
  readonly authorise?: (credentialId: string) => Promise<void>;
}

export function createVaultCommands(ports: VaultCommandPorts): Commands {
  const on = async (target: unknown, title: string, use: (info: CredentialInfo) => Promise<void>): Promise<void> => {
    const info = await chooseCredential(ports, target, title);
    if (info !== undefined) await use(info);
  };
  const test = (info: CredentialInfo): Promise<void> => testCredential(ports, info);
  const grant = async (info: CredentialInfo): Promise<void> =>
    (await import("./grantCredential.ts")).grantCredential(ports, info);
  return {
    addCredential: async () => (await import("./addCredential.ts")).addCredential({ ...ports, test, grant }),
    replaceCredential: (target) => replace(ports, target),
    removeCredential: (target) => remove(ports, target),
    testCredential: (target) => on(target, "Test Credential", test),
    grantCredential: (target) => on(target, "Grant in Advance", grant),
    revokeGrant: (target) => revoke(ports, target),
    openLastUse: (target) => openLastUse(ports, target),
    refreshVault: () => ports.tree.refresh(),
  };
}

async function testCredential({ vault }: VaultCommandPorts, info: CredentialInfo): Promise<void> {
  const location = vscode.ProgressLocation.Notification;
  const title = `Testing the credential “${info.name}” at ${info.places.map(placeText)[0] ?? ""}`;
  const { ok, message } = await vscode.window.withProgress({ location, title }, () => vault.testCredential(info.id));
  const said = `The credential “${info.name}”: ${message}`;
  void (ok ? vscode.window.showInformationMessage(said) : vscode.window.showWarningMessage(said));
}

/** For one that is signed in there is no value to type: one signs in again. */
async function replace(ports: VaultCommandPorts, target: unknown): Promise<void> {
  const title = "Replace Value";
  const info = await chooseCredential(ports, target, title, ({ kind }) => kind !== "vscode_account");
  if (info === undefined) return;
  if (info.kind === "mcp_oauth") {
    const { signedIn } = await import("./addCredential.ts");
    if (!(await signedIn(ports, info))) return;
  } else {
    const value = await newValue(ports, info, title);
    if (value === undefined) return;
    await ports.vault.replaceValue(info.id, value);
  }
  const message = `“${info.name}” has its new value; what was granted stays.`;
  if ((await vscode.window.showInformationMessage(message, "Test")) === "Test") await testCredential(ports, info);
}

function newValue({ check }: VaultCommandPorts, info: CredentialInfo, title: string): Thenable<string | undefined> {
  const { name, places } = info;
  return vscode.window.showInputBox({
    title,
    prompt: `The new value of “${name}”. It goes to ${places.map(placeText).join(", ")} only and is never shown again.`,
    password: true,
    ignoreFocusOut: true,
    validateInput: (value) => {
      try {
        if (value !== "") check({ name, kind: "static_bearer", places, value });
        return undefined;
      } catch (thrown) {
        return messageOf(thrown);
      }
    },
  });
}

/** Of whatever is selected: a key of the keyboard means the row that is lit. */
async function remove(ports: VaultCommandPorts, target: unknown): Promise<void> {
  const item = targetOf(ports, target);
  if (item?.kind === "grant") return revoke(ports, item);
  if (item?.kind === "modelKey") return void (await vscode.commands.executeCommand("manyHands.removeApiKey"));
  const info = await chooseCredential(ports, target, "Remove Credential");
  if (info === undefined) return;
  const grants = (await ports.vault.listGrants()).filter(({ credential_id }) => credential_id === info.id);
  const titles = await Promise.all(grants.map(({ session_id }) => titleOf(ports.service, session_id)));
  const detail = removalText(grants, (grant) => titles[grants.indexOf(grant)] ?? null);
  const question = `Remove the credential “${info.name}”?`;
  const choice = await vscode.window.showWarningMessage(question, { modal: true, detail }, "Remove");
  if (choice === "Remove") await ports.vault.removeCredential(info.id);
}

async function revoke(ports: VaultCommandPorts, target: unknown): Promise<void> {
  const grant = await chooseGrant(ports, target);
  if (grant !== undefined) await ports.vault.revokeGrant(grant.id);
}

async function openLastUse(ports: VaultCommandPorts, target: unknown): Promise<void> {
  const item = targetOf(ports, target);
  const grantee = item?.kind === "grant" ? item.grant.session_id : null;
  const info = grantee === null ? await chooseCredential(ports, target, "Open Session of Last Use") : undefined;
  const id = grantee ?? info?.last_used?.session_id;
  if (id === undefined) {
    if (info !== undefined) throw new Error(`No session has used “${info.name}” yet.`);
    return;
  }
  await vscode.commands.executeCommand("manyHands.openSession", id);
}
