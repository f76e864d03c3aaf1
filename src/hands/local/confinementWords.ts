/** What the model and the person read about the confinement of a local hand. */
import type { ConfinementMode } from "./confinement.ts";

const CONFINED =
  "confined: only the start directory and /tmp can be written (there not .vscode, .git/config and .git/hooks), keys and other secrets of the home folder cannot be read, and there is no network but the vault's entrance";

export function confinedWords(mode: Exclude<ConfinementMode, "off">): string {
  return mode === "required" ? CONFINED : `${CONFINED}, where this computer can do that`;
}

/** `missing`: why it is not confined although that is preferred; null: it is not to be. */
export function unconfinedWords(missing: string | null): string {
  return missing === null
    ? "not confined: commands can do what the person can"
    : `not confined, though that is preferred, so commands can do what the person can: ${missing}`;
}

export function whyNot(missing: string): string {
  return `The local hand was not started, because it cannot be confined here: ${missing}${/[.:!?]$/.test(missing) ? "" : " "} To let it run unconfined, with all that you can read and do, set manyHands.local.confinement to "preferred" or "off".`;
}
