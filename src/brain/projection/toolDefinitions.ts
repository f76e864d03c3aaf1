/** The tools of a session as the Messages API takes them; with several hands, each call names the one it is for. */
import type { OfferedTool } from "../../core/effects.ts";
import { isObject } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { HAND_MEMBER, namesItsHand } from "../../core/tools.ts";

/** One definition per tool name, in the order in which tools are offered: stable, so that the prompt's prefix is. */
export function toolDefinitions(tools: readonly OfferedTool[], handCount: number): readonly JsonObject[] {
  const byName = new Map<string, OfferedTool[]>();
  for (const tool of tools) byName.set(tool.name, [...(byName.get(tool.name) ?? []), tool]);
  return [...byName.values()].map((offers) => definition(offers, handCount));
}

function definition(offers: readonly OfferedTool[], handCount: number): JsonObject {
  const [first] = offers as readonly [OfferedTool, ...OfferedTool[]];
  const { name, description, input_schema } = first;
  if (handCount < 2 || namesItsHand(name)) return { name, description, input_schema };
  const hands = offers.map((offer) => offer.hand).filter((hand) => hand !== null);
  return { name, description, input_schema: withHand(input_schema, hands) };
}

function withHand(schema: JsonObject, hands: readonly string[]): JsonObject {
  const properties = isObject(schema["properties"]) ? schema["properties"] : {};
  const required = Array.isArray(schema["required"]) ? (schema["required"] as readonly Json[]) : [];
  const hand = { type: "string", enum: hands, description: "Which hand this call is for." };
  return { ...schema, properties: { [HAND_MEMBER]: hand, ...properties }, required: [HAND_MEMBER, ...required] };
}
