/** What a session is made with: its hands and its permissions. */
import type { JsonObject } from "./json.ts";

/** Which hand, by name, and how to get it; members beyond these belong to the kind's provider. */
export interface HandSpec {
  /** How the session and the model call it; unique in the session. */
  readonly name: string;
  /** The provider: "local" here; others are registered. */
  readonly kind: string;
  /** Provision when the session starts instead of at the first call. */
  readonly prewarm?: boolean;
  readonly options?: JsonObject;
  readonly resources?: readonly Resource[];
}

export interface Resource {
  readonly source_ref: string;
  readonly mount_path: string;
}

/** Per tool: run at once, or ask the person first. */
export type PermissionPolicy = "always_allow" | "always_ask";

/** Per session: follow each tool's policy, or allow everything. */
export type PermissionMode = "ask" | "allow";

/** The same for two specs of the same hand: whether it is provisioned at once makes no other one. */
export function handKey({ name, kind, options = {}, resources = [] }: HandSpec): string {
  return JSON.stringify([name, kind, sorted(options), resources]);
}

function sorted(options: NonNullable<HandSpec["options"]>): readonly (readonly [string, unknown])[] {
  return Object.entries(options).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
