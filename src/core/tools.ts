/** What a tool is to the model and to the harness. */
import type { PermissionPolicy } from "./config.ts";
import { isObject } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";

export interface ToolSpec {
  /** `^[a-zA-Z0-9_-]{1,64}$`, as the Messages API wants it. */
  readonly name: string;
  readonly description: string;
  /** JSON Schema of type object; what the model sends is checked against it before anything runs. */
  readonly input_schema: JsonObject;
  /** May run beside other calls of the same turn on the same hand; a call that may not has the hand for itself. */
  readonly parallel: boolean;
  /** What holds where no setting says otherwise. */
  readonly permission: PermissionPolicy;
}

/** The member by which the model names the hand of a call, in sessions with more than one hand. */
export const HAND_MEMBER = "hand";

const NAMES_ITS_HAND = /^(mcp|vscode)__/;

/** Tools of such a name (`mcp__<hand>__…`) are of one hand only: their calls need no member for it, and may have one of their own. */
export function namesItsHand(tool: string): boolean {
  return NAMES_ITS_HAND.test(tool);
}

/**
 * The input that a hand is given: what the model sent, without the member that only says which hand is meant. Where the
 * model is not offered that member (one hand in the session, a tool that names its hand), the input goes through untouched.
 */
export function callInput(tool: string, input: Json, handCount: number): Json {
  if (handCount < 2 || namesItsHand(tool) || !isObject(input)) return input;
  const rest = { ...input };
  delete (rest as Record<string, Json>)[HAND_MEMBER];
  return rest;
}
