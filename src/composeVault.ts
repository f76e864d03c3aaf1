/** The vault's part of the composition: a start does not wait for it, and loads nothing of it but this. */
import type { NewEvent } from "./core/events.ts";
import type { EventId } from "./core/ids.ts";
import { parseSessionId } from "./core/ids.ts";
import { Emitter } from "./core/listen.ts";
import type { Disposable } from "./core/listen.ts";
import type { SecretStore, VaultService } from "./core/vault.ts";
import type { SessionVault } from "./orchestrator/ports.ts";
import { systemClock } from "./orchestrator/systemClock.ts";
import type { Oauth } from "./vault/oauth/oauth.ts";
import type { Redactor } from "./vault/redactor.ts";
import type { Vault } from "./vault/vault.ts";

export interface VaultParts extends Disposable {
  /** For the views. */
  readonly service: VaultService;
  readonly session: SessionVault;
  /** For the harness: adds what the vault has for that address. */
  readonly fetchFor: (sessionId: string, url: URL) => typeof globalThis.fetch;
  /** Leads through the sign-in of an MCP server in the browser. */
  readonly authorise: (credentialId: string) => Promise<void>;
  /** Loads it; once it resolves, the stored values are known to the redactor. */
  readonly load: () => Promise<Vault>;
}

export interface ComposeVaultPorts {
  readonly secrets: SecretStore;
  readonly redactor: Redactor;
  /** The folder of the sessions here. */
  readonly workspace: string;
  readonly record: (id: string, events: readonly NewEvent[]) => Promise<readonly EventId[]>;
  readonly isLive: (id: string) => Promise<boolean>;
  /** Remote MCP servers by name, for hands that speak to them by themselves. */
  readonly mcpServers: () => readonly { readonly name: string; readonly url: string }[];
  readonly report: (what: string, thrown?: unknown) => void;
}

export function composeVault(ports: ComposeVaultPorts): VaultParts {
  const changed = new Emitter<null>();
  let loading: Promise<Opened> | null = null;
  const open = (): Promise<Opened> => (loading ??= openAll(ports, changed));
  const load = async (): Promise<Vault> => (await open()).vault;
  return {
    service: serviceOf(load, changed),
    session: {
      entrance: async (...args) => (await load()).entrance(...args),
      gitAccess: async (...args) => (await load()).gitAccess(...args),
      answer: async (...args) => (await load()).answer(...args),
      endHand: async (...args) => (await load()).endHand(...args),
      endSession: async (...args) => (await load()).endSession(...args),
    },
    fetchFor: (sessionId, url) => async (input, init) => {
      const { createVaultFetch } = await import("./vault/proxy/vaultFetch.ts");
      const { authority } = await load();
      const session_id = parseSessionId(sessionId);
      // A hand that is only tested belongs to no session: nothing is granted to it.
      if (session_id === undefined) return globalThis.fetch(input, { ...init, redirect: "manual" });
      return createVaultFetch({ authority, session_id, kind: "mcp", url: url.href, isOptional: true })(input, init);
    },
    authorise: async (credentialId) => {
      const { vault, oauth } = await open();
      const credential = (await vault.listCredentials()).find(({ id }) => id === credentialId);
      const [place] = credential?.places ?? [];
      if (place === undefined) throw new Error("This credential is no more.");
      await oauth.authorise(new URL(place.path_prefix, place.origin).href, { credentialId });
    },
    load,
    dispose: () => {
      changed.dispose();
      void loading?.then(
        ({ vault, oauth, redirect }) => {
          for (const each of [vault, oauth, redirect]) each.dispose();
        },
        () => {},
      );
    },
  };
}

interface Opened {
  readonly vault: Vault;
  readonly oauth: Oauth;
  readonly redirect: Disposable;
}

async function openAll(ports: ComposeVaultPorts, changed: Emitter<null>): Promise<Opened> {
  const [{ openVault }, { readApiSettings }, { accountToken }, { createOauth }, { loopbackRedirect }, browser] =
    await Promise.all([
      import("./vault/openVault.ts"),
      import("./vscode/vaultConfiguration.ts"),
      import("./vscode/accounts.ts"),
      import("./vault/oauth/oauth.ts"),
      import("./vault/oauth/loopbackRedirect.ts"),
      import("./vscode/oauthUri.ts"),
    ]);
  const { secrets, redactor, report } = ports;
  const redirect = browser.createUriRedirect();
  const oauth = createOauth({
    secrets,
    clock: systemClock,
    fetch: (input, init) => globalThis.fetch(input, init),
    openBrowser: browser.openInBrowser,
    // A browser on another computer does not find this one's loopback.
    redirects: browser.isBrowserHere() ? [loopbackRedirect, redirect] : [redirect, loopbackRedirect],
    onSecret: (value) => redactor.add(value),
    report,
  });
  const vault = openVault({
    ...ports,
    clock: systemClock,
    accountToken,
    apis: () => readApiSettings(ports.report),
    mcpServers: () => ports.mcpServers(),
    oauth: {
      accessToken: async (id) => (await oauth.accessToken(id)).value,
      refresh: async (id) => (await oauth.refresh(id)).value !== "",
      forget: (id) => oauth.forget(id),
    },
  });
  vault.onDidChange(() => changed.fire(null));
  await vault.start();
  return { vault, oauth, redirect };
}

function serviceOf(load: () => Promise<Vault>, changed: Emitter<null>): VaultService {
  return {
    listCredentials: async () => (await load()).listCredentials(),
    addCredential: async (...args) => (await load()).addCredential(...args),
    replaceValue: async (...args) => (await load()).replaceValue(...args),
    removeCredential: async (...args) => (await load()).removeCredential(...args),
    testCredential: async (...args) => (await load()).testCredential(...args),
    listGrants: async () => (await load()).listGrants(),
    giveGrant: async (...args) => (await load()).giveGrant(...args),
    revokeGrant: async (...args) => (await load()).revokeGrant(...args),
    onDidChange: changed.listen,
  };
}
