/** Everything of the vault that a window shows: the view and its commands. */
import type { SessionService } from "../core/service.ts";
import type { CredentialInput, VaultService } from "../core/vault.ts";
import type { Commands } from "./commands.ts";
import type { ModelKeyInfo } from "./vaultText.ts";
import { VaultTree } from "./vaultTree.ts";

export interface VaultViewPorts {
  readonly vault: VaultService;
  readonly service: SessionService;
  readonly modelKey: () => Promise<ModelKeyInfo>;
  /** The normal form of what a person enters; throws with words for them. Loaded with the first command. */
  readonly loadCheck: () => Promise<(input: CredentialInput) => CredentialInput>;
  /** Leads through a server's sign-in in the browser; absent: no server can be signed in to. */
  readonly authorise?: (credentialId: string) => Promise<void>;
  readonly report: (what: string, thrown?: unknown) => void;
}

/** What stands behind them is loaded when one is first used. */
const COMMANDS = [
  "addCredential",
  "replaceCredential",
  "removeCredential",
  "testCredential",
  "grantCredential",
  "revokeGrant",
  "openLastUse",
  "refreshVault",
];

export interface VaultViews {
  readonly commands: Commands;
  /** The model's key was set or removed: nothing else tells of that. */
  refresh(): void;
  dispose(): void;
}

export function createVaultViews(ports: VaultViewPorts): VaultViews {
  const tree = new VaultTree(ports);
  const run = async (name: string, args: readonly unknown[]): Promise<unknown> => {
    const [{ createVaultCommands }, check] = await Promise.all([import("./vaultCommands.ts"), ports.loadCheck()]);
    return createVaultCommands({ ...ports, check, tree })[name]?.(...args);
  };
  const commands = Object.fromEntries(COMMANDS.map((name) => [name, (...args: unknown[]) => run(name, args)]));
  return { commands, refresh: () => tree.refresh(), dispose: () => tree.dispose() };
}
