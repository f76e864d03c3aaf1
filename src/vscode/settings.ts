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
  /** Whether what hands print is searched for well-known kinds of token. */
  readonly detectTokens: boolean;
}

/** What the settings say of hands on this computer. */
export interface LocalHandSettings {
  readonly mode: "required" | "preferred" | "off";
  readonly unreadable: readonly string[];
  readonly writable: readonly string[];
  readonly environment: readonly string[];
  readonly allowedHosts: readonly string[];
}

/** Not set, it is required where it can work, which is what "preferred" does; anything that is no mode is the strictest one. */
export function readLocalSettings(): LocalHandSettings {
  const settings = vscode.workspace.getConfiguration("manyHands.local");
  const mode = settings.get("confinement");
  return {
    mode:
      mode === null || mode === undefined ? "preferred" : mode === "preferred" || mode === "off" ? mode : "required",
    unreadable: textsOf(settings.get("unreadable")),
    writable: textsOf(settings.get("writable")),
    environment: textsOf(settings.get("environment")),
    allowedHosts: textsOf(settings.get("allowedHosts")),
  };
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string" && item !== "") : [];
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
    detectTokens: settings.get("redaction.detectTokens") !== false,
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
