/** Checks what a model sent to a tool against the tool's JSON Schema, and says what is wrong in words. */
import { Validator } from "@cfworker/json-schema";
import type { Json, JsonObject } from "../../core/json.ts";
import { messageOf } from "../../core/json.ts";

const PROBLEMS_MAX = 4;
const validators = new WeakMap<JsonObject, Validator>();

/** Null when `input` fits; else what does not, member by member. */
export function inputProblem(schema: JsonObject, input: Json): string | null {
  try {
    let validator = validators.get(schema);
    if (validator === undefined) {
      validator = new Validator(schema, "2020-12", false);
      validators.set(schema, validator);
    }
    const { valid, errors } = validator.validate(input);
    if (valid) return null;
    // The innermost errors say what is wrong; the outer ones only that something inside is.
    const inner = errors.filter(({ keyword }) => keyword !== "properties" && keyword !== "$ref" && keyword !== "items");
    const told = (inner.length === 0 ? errors : inner).slice(0, PROBLEMS_MAX);
    return told
      .map(({ instanceLocation, error }) => `${instanceLocation.replace(/^#\/?/, "") || "input"}: ${error}`)
      .join(" ");
  } catch (thrown) {
    return `the tool's schema cannot be used (${messageOf(thrown)}).`;
  }
}
