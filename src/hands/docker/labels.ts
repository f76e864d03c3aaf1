/** What is written on the containers and networks that are made here, so that they are found again. */
import { createHash } from "node:crypto";
import type { DockerSpec } from "./dockerSpec.ts";

export const LABELS = {
  session: "many-hands.session",
  hand: "many-hands.hand",
  version: "many-hands.version",
  /** A digest of what the container was made from: another spec needs another container. */
  spec: "many-hands.spec",
  /** The session's folder on the computer that made it: other computers and workspaces use the same engine. */
  storage: "many-hands.storage",
} as const;

export const LABELS_VERSION = "1";

export function specDigest(spec: DockerSpec): string {
  const { engine: _engine, allow: _allow, ...made } = spec;
  return createHash("sha256").update(JSON.stringify(made)).digest("hex").slice(0, 32);
}

/** One name for one hand of one session: the engine takes no second container of that name. */
export function containerName(sessionId: string, hand: string): string {
  const digest = createHash("sha256").update(`${sessionId}\0${hand}`).digest("hex").slice(0, 16);
  const readable = hand
    .replaceAll(/[^A-Za-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 24);
  return `many-hands-${readable === "" ? "hand" : readable}-${digest}`;
}
