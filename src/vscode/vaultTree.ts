/** The vault in the side bar: credentials, below each what is granted of it, and the model's key. */
import type * as vscode from "vscode";
import { messageOf } from "../core/json.ts";
import type { SessionService } from "../core/service.ts";
import type { CredentialInfo, Grant, VaultService } from "../core/vault.ts";
import { LateTree } from "./lateTree.ts";
import type { ModelKeyInfo } from "./vaultText.ts";

const NO_CREDENTIALS = "Nothing is granted by default. What you add here agents can use, but never see.";

/** What a command is given by the tree. */
export type VaultItem =
  | { readonly kind: "credential"; readonly info: CredentialInfo; readonly grants: readonly Grant[] }
  | { readonly kind: "grant"; readonly grant: Grant }
  | { readonly kind: "modelKey"; readonly key: ModelKeyInfo };

const KINDS: readonly unknown[] = ["credential", "grant", "modelKey"] satisfies readonly VaultItem["kind"][];

export interface VaultTreePorts {
  readonly vault: VaultService;
  readonly service: SessionService;
  readonly modelKey: () => Promise<ModelKeyInfo>;
  readonly report: (what: string, thrown?: unknown) => void;
}

/** Null: a command was run without the tree. */
export function vaultItemOf(item: unknown): VaultItem | null {
  const candidate = item as VaultItem | undefined;
  return KINDS.includes(candidate?.kind) ? (candidate ?? null) : null;
}

export class VaultTree extends LateTree<VaultItem> {
  readonly #ports: VaultTreePorts;

  constructor(ports: VaultTreePorts) {
    super("manyHands.vault");
    this.#ports = ports;
    this.listen(
      ports.vault.onDidChange(() => this.refresh()),
      ports.service.onDidChangeSessions(() => this.refresh()),
      this.view.onDidChangeVisibility(({ visible }) => visible && this.refresh()),
    );
  }

  get selected(): VaultItem | null {
    return this.view.selection[0] ?? null;
  }

  async getChildren(item?: VaultItem): Promise<VaultItem[]> {
    if (item === undefined) return this.#top().catch((thrown: unknown) => this.#failed(thrown));
    return item.kind === "credential" ? item.grants.map((grant) => ({ kind: "grant", grant })) : [];
  }

  async getTreeItem(item: VaultItem): Promise<vscode.TreeItem> {
    const { vaultItem } = await import("./vaultItems.ts");
    return vaultItem(item, this.#ports.service);
  }

  /** As with a locked keyring: what to do stands where the rows would be. */
  #failed(thrown: unknown): VaultItem[] {
    this.view.message = messageOf(thrown);
    this.#ports.report("the vault cannot be shown", thrown);
    return [];
  }

  /** Nothing where there is nothing at all: the view then says what it is for. */
  async #top(): Promise<VaultItem[]> {
    const { vault, modelKey } = this.#ports;
    const [infos, grants, key] = await Promise.all([vault.listCredentials(), vault.listGrants(), modelKey()]);
    const credentials = infos.map((info): VaultItem => {
      return { kind: "credential", info, grants: grants.filter(({ credential_id }) => credential_id === info.id) };
    });
    this.view.message = credentials.length === 0 && key.isSet ? NO_CREDENTIALS : "";
    return credentials.length === 0 && !key.isSet ? [] : [...credentials, { kind: "modelKey", key }];
  }
}
