/** The port of resources: what is put into a hand before its first call. */
import type { Resource } from "./config.ts";
import { HandFailed } from "./hand.ts";
import type { Hand } from "./hand.ts";
import type { GitAccess } from "./vault.ts";

/** A resource that could not be mounted, with the hosted API's name of the failure. */
export class ResourceFailed extends HandFailed {}

/**
 * True where an http address has a user name or a password in it: a spec is stored in the session's log and shown, so a
 * credential must not be in one.
 */
export function holdsCredential(source_ref: string): boolean {
  return /^(git\+)?https?:\/\/[^/?#]*@/i.test(source_ref);
}

/** What to do instead; it never quotes the address. */
export const CREDENTIAL_IN_SOURCE =
  "its source_ref has a user name or password in it, which would be stored and shown. Take it out, and add it as a credential.";

export interface MountContext {
  readonly signal: AbortSignal;
  /** Progress in words, for the person. */
  readonly onProgress: (message: string) => void;
  /** The way to a git remote that has a credential; null: none is stored for it, and git goes its own way. */
  readonly gitAccess?: (url: string) => Promise<GitAccess | null>;
}

/**
 * Puts a resource to its place at the far end, whole or not at all; resolves with the bytes that were sent there. Rejects
 * with ResourceFailed, whose message says what to do.
 */
export type MountResource = (
  resource: Resource,
  hand: Pick<Hand, "files" | "run">,
  context: MountContext,
) => Promise<number>;
