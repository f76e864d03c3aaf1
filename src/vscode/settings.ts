/** Typed reading of the settings under `manyHands.`; what has the wrong form is left at its default, and said once. */
import * as vscode from "vscode";
import type { PermissionPolicy } from "../core/config.ts";
import { isObject } from "../core/json.ts";

export interface Settings {
  readonly provider: "anthropic" | "rehearsal";
  readonly modelId: string;
  readonly baseUrl: string;
  /** Tokens; 0: what the model has. */
  readonly maxTokens: number;
  readonly contextWindow: number;
  readonly thinking: "adaptive" | "off";
  readonly instructions: string;
  readonly permissions: Readonly<Record<string, PermissionPolicy>>;
  readonly notifications: boolean;
}

export function readSettings(): Settings {
  const settings = vscode.workspace.getConfiguration("manyHands");
  return {
    provider: settings.get("model.provider") === "rehearsal" ? "rehearsal" : "anthropic",
    modelId: textOf(settings.get("model.id")) || "claude-sonnet-5-5",
    baseUrl: textOf(settings.get("model.baseUrl")),
    maxTokens: countOf(settings.get("model.maxTokens")),
    contextWindow: countOf(settings.get("model.contextWindow")),
    thinking: settings.get("model.thinking") === "off" ? "off" : "adaptive",
    instructions: textOf(settings.get("instructions")),
    permissions: policiesOf(settings.get("permissions")),
    notifications: settings.get("notifications") !== false,
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value.trim() : "";
}

function countOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.floor(value) : 0;
}

/** Anything that is no policy is as if it were not there: the tool's own policy holds, which is the stricter one. */
function policiesOf(value: unknown): Readonly<Record<string, PermissionPolicy>> {
  if (!isObject(value)) return {};
  const isPolicy = (entry: [string, unknown]): entry is [string, PermissionPolicy] =>
    entry[1] === "always_allow" || entry[1] === "always_ask";
  return Object.fromEntries(Object.entries(value).filter(isPolicy));
}
