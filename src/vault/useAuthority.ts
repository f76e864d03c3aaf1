/** Decides each use of a credential: by a grant, else by asking the person. The only place where a value leaves the vault. */
import { scopeText } from "../core/grantText.ts";
import type { GrantScope, RefusedUse, UseAuthority, UseDecision, VaultUse } from "../core/vault.ts";
import type { SessionId } from "../core/ids.ts";
import type { Credential, CredentialBook } from "./credentialBook.ts";
import { isAtPlace } from "./credentialPlace.ts";
import type { GrantBook } from "./grantBook.ts";
import { scopeFor } from "./grantScope.ts";

/** Headers and value of a credential at this moment. */
export interface CredentialSecret {
  readonly headers: Readonly<Record<string, string>>;
  readonly value: string;
}

export type GrantAnswer = "allowed" | "denied" | "no_answer";

export interface UseAuthorityPorts {
  readonly credentials: CredentialBook;
  readonly grants: GrantBook;
  /** Rejects where an account or an OAuth server gives no token; its message is for people and the model. */
  readonly secretOf: (credential: Credential, use: VaultUse) => Promise<CredentialSecret>;
  /** Makes a token that the server refused be renewed; false: there is nothing to renew. */
  readonly renew: (credential: Credential) => Promise<boolean>;
  /** Puts it before the person and waits; whatever is granted meanwhile ends the waiting. */
  readonly ask: (use: VaultUse, credential: Credential, scope: GrantScope, signal: AbortSignal) => Promise<GrantAnswer>;
  /** Neither deleted nor archived nor ended. */
  readonly isLive: (sessionId: SessionId) => Promise<boolean>;
  /** The grant is used by this hand. */
  readonly onUse: (use: VaultUse, credential: Credential, grantId: string) => void;
}

const VAULT = 'A person can change that in the Vault view of VS Code ("Many Hands: Focus on Vault View").';

export function createUseAuthority(ports: UseAuthorityPorts): UseAuthority {
  const { credentials, grants } = ports;

  const allowed = async (use: VaultUse, credential: Credential): Promise<UseDecision | null> => {
    const grant = await grants.find(use, credential.id);
    if (grant === undefined) return null;
    // Taken before the wait for a token, in which the grant may be revoked.
    const signal = grants.signalOf(grant);
    const secret = await secretOr(ports, credential, use);
    if ("allowed" in secret) return secret;
    if (signal.aborted) return refused("not_granted", `The grant for "${credential.name}" was revoked just now.`);
    ports.onUse(use, credential, grant.id);
    void credentials.noteUse(credential.id, use.session_id);
    return {
      allowed: true,
      credential_id: credential.id,
      ...secret,
      signal,
      renew: async () => ((await ports.renew(credential)) ? allowed(use, credential) : null),
    };
  };

  const decide = async (use: VaultUse, signal: AbortSignal): Promise<UseDecision> => {
    if (!(await ports.isLive(use.session_id))) {
      return refused("session_ended", "This session has ended, and its access with it.");
    }
    const credential = await credentials.find(use);
    if (credential === undefined) return refused("no_credential", missing(use));
    const outside = outsideOf(credential, use);
    if (outside !== null) return refused("not_granted", outside);
    const now = await allowed(use, credential);
    if (now !== null) return now;
    const scope = scopeFor(use, credential.places);
    const what = `"${credential.name}" to ${scopeText(scope)}`;
    if (use.git?.refs !== undefined && (await grants.limitsPushes(use, credential.id))) {
      return refused("not_granted", `Not among what may be pushed: this needs ${what}. ${VAULT}`);
    }
    const answer = await ports.ask(use, credential, scope, signal);
    // Meanwhile a grant for once may have been spent by another request, the session ended, the value been replaced.
    if (answer === "allowed") return decide(use, signal);
    const why =
      answer === "no_answer" ? "nobody has answered yet; ask the person, then try again" : "the person said no";
    return refused("not_granted", `Use of ${what} is not granted: ${why}.`);
  };
  return { decide };
}

function refused(reason: RefusedUse["reason"], message: string): RefusedUse {
  return { allowed: false, reason, message };
}

function missing({ credential_name, origin }: VaultUse): string {
  if (credential_name !== undefined) return `There is no credential named "${credential_name}". ${VAULT}`;
  return `No credential is stored for ${origin}. ${VAULT}`;
}

/** A credential goes nowhere but where the person said when it was stored, whatever is granted. */
function outsideOf(credential: Credential, use: VaultUse): string | null {
  if (credential.places.some((place) => isAtPlace(use, place))) return null;
  const places = credential.places.map(({ origin, path_prefix }) => origin + (path_prefix === "/" ? "" : path_prefix));
  return `The credential "${credential.name}" may only go to ${places.join(", ")}. ${VAULT}`;
}

async function secretOr(
  ports: UseAuthorityPorts,
  credential: Credential,
  use: VaultUse,
): Promise<CredentialSecret | RefusedUse> {
  try {
    return await ports.secretOf(credential, use);
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : "it gave no token";
    return refused("no_credential", `The credential "${credential.name}" cannot be used: ${why} ${VAULT}`);
  }
}
