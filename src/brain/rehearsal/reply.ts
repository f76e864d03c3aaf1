/** A turn of the rehearsal, put together from words and calls. */
import { isObject } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";
import { HAND_MEMBER } from "../../core/tools.ts";
import type { Transcript } from "./transcript.ts";

export interface Call {
  readonly name: string;
  readonly input: JsonObject;
}

export interface Reply {
  readonly thinking?: string;
  readonly text: string;
  readonly calls: readonly Call[];
}

export function say(text: string): Reply {
  return { text, calls: [] };
}

/** A call of an offered tool, or undefined when it is not offered. Where hands have to be named, the first one is. */
export function call(transcript: Transcript, name: string, input: JsonObject): Call | undefined {
  const schema = transcript.tools.get(name);
  if (schema === undefined) return undefined;
  const { properties, required } = schema;
  const hand = isObject(properties) && isObject(properties[HAND_MEMBER]) ? properties[HAND_MEMBER] : undefined;
  const names = hand !== undefined && Array.isArray(hand["enum"]) ? (hand["enum"] as unknown[]) : [];
  const named = Array.isArray(required) && required.includes(HAND_MEMBER) && typeof names[0] === "string";
  return { name, input: named ? { ...input, [HAND_MEMBER]: names[0] as string } : input };
}

/** Says `text` and makes these calls, or says which tool is missing. */
export function act(text: string, calls: readonly (Call | undefined)[], thinking?: string): Reply {
  const offered = calls.filter((each) => each !== undefined);
  if (offered.length === 0) {
    return say(
      "This is a rehearsal, and it needs a hand that can run commands and read files: this session has none. " +
        "Open a folder (the sample project is best), and start a session there.",
    );
  }
  return { text, calls: offered, ...(thinking === undefined ? {} : { thinking }) };
}
