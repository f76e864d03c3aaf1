/** Which credential or grant a command is about: the tree's item, its selection, or what the person picks. */
import * as vscode from "vscode";
import type { SessionService } from "../core/service.ts";
import type { CredentialInfo, Grant, VaultService } from "../core/vault.ts";
import { titleOf } from "./vaultItems.ts";
import { describeCredential, describeGrant } from "./vaultText.ts";
import { vaultItemOf } from "./vaultTree.ts";
import type { VaultItem, VaultTree } from "./vaultTree.ts";

export interface VaultChoicePorts {
  readonly vault: VaultService;
  readonly service: SessionService;
  readonly tree: VaultTree;
}

/** What the command was given, else what is selected. */
export function targetOf({ tree }: VaultChoicePorts, target: unknown): VaultItem | null {
  return vaultItemOf(target) ?? tree.selected;
}

/** Undefined: the person picked none. `fits` limits what is offered and taken. */
export async function chooseCredential(
  ports: VaultChoicePorts,
  target: unknown,
  title: string,
  fits: (info: CredentialInfo) => boolean = () => true,
): Promise<CredentialInfo | undefined> {
  const [infos, grants] = await Promise.all([ports.vault.listCredentials(), ports.vault.listGrants()]);
  const item = targetOf(ports, target);
  // What the tree shows may be a moment old.
  const given = item?.kind === "credential" ? infos.find(({ id }) => id === item.info.id) : undefined;
  if (given !== undefined && fits(given)) return given;
  const offered = infos.filter(fits);
  if (offered.length === 0) throw new Error("There is no such credential in the vault. Add one.");
  if (offered.length === 1) return offered[0];
  const items = offered.map((info) => {
    const own = grants.filter(({ credential_id }) => credential_id === info.id);
    const { label, description, icon } = describeCredential(info, own, null, Date.now());
    return { label: `$(${icon}) ${label}`, description, info };
  });
  return (await vscode.window.showQuickPick(items, { title, placeHolder: "Which credential?" }))?.info;
}

export async function chooseGrant(ports: VaultChoicePorts, target: unknown): Promise<Grant | undefined> {
  const item = targetOf(ports, target);
  if (item?.kind === "grant") return item.grant;
  const grants = await ports.vault.listGrants();
  if (grants.length === 0) throw new Error("Nothing is granted in this workspace.");
  const infos = await ports.vault.listCredentials();
  const items = await Promise.all(
    grants.map(async (grant) => {
      const { label, description, icon } = describeGrant(grant, await titleOf(ports.service, grant.session_id));
      const name = infos.find(({ id }) => id === grant.credential_id)?.name ?? "a credential that is gone";
      return { label: `$(${icon}) ${name}: ${label}`, description, grant };
    }),
  );
  const placeHolder = "What shall not be allowed any more?";
  return (await vscode.window.showQuickPick(items, { title: "Revoke Grant", placeHolder }))?.grant;
}
