/** Which tool and hand a call means, and whether what the model sent fits; problems are texts that the model can act on. */
import type { HarnessContext, OfferedTool } from "../../core/effects.ts";
import { isObject } from "../../core/json.ts";
import type { Json } from "../../core/json.ts";
import { invalidJsonOf } from "../../core/model.ts";
import { HAND_MEMBER, callInput, namesItsHand } from "../../core/tools.ts";
import { inputProblem } from "./inputProblem.ts";

export type ToolChoice =
  | { readonly ok: true; readonly tool: OfferedTool }
  /** `hand`: as far as it is known, so that the page can say whose call it was. */
  | { readonly ok: false; readonly problem: string; readonly hand: string | null };

/** There is no fallback from one hand to another (I12). */
export function chooseTool(context: Pick<HarnessContext, "tools" | "hands">, name: string, input: Json): ToolChoice {
  const offers = context.tools.filter((tool) => tool.name === name);
  if (offers.length === 0) {
    const names = [...new Set(context.tools.map((tool) => tool.name))].join(", ");
    return refuse(`There is no tool "${name}". The tools are: ${names === "" ? "none" : names}.`);
  }
  const isNamed = context.hands.length < 2 || (namesItsHand(name) && offers.length === 1);
  const tool = isNamed ? offers[0] : offers.find((offer) => offer.hand === handOf(input));
  if (tool === undefined) {
    const hands = offers.map((offer) => `"${offer.hand ?? ""}"`).join(", ");
    return refuse(`Say which hand the call is for: the member "${HAND_MEMBER}" must be one of ${hands}.`);
  }
  if (invalidJsonOf(input) !== undefined) {
    return refuse(`The input of this ${name} call is no valid JSON object. Send it again, whole.`, tool.hand);
  }
  const problem = inputProblem(tool.input_schema, callInput(name, input, context.hands.length));
  if (problem === null) return { ok: true, tool };
  return refuse(`The input does not fit the tool ${name}: ${problem} The call did not run.`, tool.hand);
}

function handOf(input: Json): unknown {
  return isObject(input) ? input[HAND_MEMBER] : undefined;
}

function refuse(problem: string, hand: string | null = null): ToolChoice {
  return { ok: false, problem, hand };
}
