/** The tools of an MCP server as the model is offered them: names that say whose they are, schemas that the Messages API takes. */
import { createHash } from "node:crypto";
import { isObject } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import type { ToolSpec } from "../../core/tools.ts";

/** What a tool of the hand does at the server. */
type McpAction = "call" | "list_resources" | "read_resource" | "get_prompt";

/** Kept between sessions, so that a hand's tools are known before it is reached. JSON. */
export interface RememberedTool {
  readonly name: string;
  readonly action: McpAction;
  /** As the server has it; empty for what is no tool there. */
  readonly original: string;
  readonly description: string;
  readonly input_schema: JsonObject;
  readonly read_only: boolean;
}

/** What a server says that it has. */
export interface McpOffer {
  readonly tools: readonly {
    readonly name: string;
    readonly title?: string | undefined;
    readonly description?: string | undefined;
    readonly inputSchema: unknown;
    readonly annotations?: { readonly readOnlyHint?: boolean | undefined } | undefined;
  }[];
  readonly resources: boolean;
  /** null: it has none. */
  readonly prompts: readonly { readonly name: string; readonly description?: string | undefined }[] | null;
}

export interface ToolList {
  readonly tools: readonly RememberedTool[];
  /** Tools that cannot be offered, each with the reason, in words. */
  readonly left_out: readonly string[];
}

const NAME_CHARS_MAX = 64;

export function toolList(hand: string, offer: McpOffer): ToolList {
  const tools: RememberedTool[] = [];
  const left_out: string[] = [];
  for (const [at, tool] of offer.tools.entries()) {
    const problem = at >= limits.mcpToolsMax ? `only ${limits.mcpToolsMax} are taken` : schemaProblem(tool.inputSchema);
    const name = toolName(hand, tool.name);
    if (problem !== null) left_out.push(`${printable(tool.name)} (${problem})`);
    else if (tools.some((other) => other.name === name)) left_out.push(`${printable(tool.name)} (named twice)`);
    else {
      const description = tool.description ?? tool.title ?? tool.name;
      const read_only = tool.annotations?.readOnlyHint === true;
      const input_schema = tool.inputSchema as JsonObject;
      tools.push({ name, action: "call", original: tool.name, description: cut(description), input_schema, read_only });
    }
  }
  const own = besides(hand, offer).filter(({ name }) => !tools.some((tool) => tool.name === name));
  return { tools: [...tools, ...own], left_out };
}

/** For what servers have besides tools. */
function besides(hand: string, { resources, prompts }: McpOffer): readonly RememberedTool[] {
  const made = (action: McpAction, description: string, input_schema: JsonObject): RememberedTool => ({
    name: toolName(hand, action),
    action,
    original: "",
    description,
    input_schema,
    read_only: true,
  });
  const text = (description: string): JsonObject => ({ type: "string", description });
  const object = (properties: JsonObject, required: readonly string[]): JsonObject => ({
    type: "object",
    properties,
    required,
    additionalProperties: false,
  });
  const found: RememberedTool[] = [];
  if (resources) {
    found.push(
      made("list_resources", "Lists the resources of this MCP server, and its templates.", object({}, [])),
      made("read_resource", "Reads a resource of this MCP server.", object({ uri: text("Its address.") }, ["uri"])),
    );
  }
  if (prompts !== null && prompts.length > 0) {
    const names = prompts.map(
      ({ name, description = "" }) => `- ${name}${description === "" ? "" : `: ${description}`}`,
    );
    const values = { type: "object", additionalProperties: { type: "string" }, description: "Its arguments." };
    const schema = object({ name: text("Which one."), arguments: values }, ["name"]);
    found.push(made("get_prompt", cut(`Gives a prompt of this MCP server:\n${names.join("\n")}`), schema));
  }
  return found;
}

export function toolSpecs(tools: readonly RememberedTool[]): readonly ToolSpec[] {
  return tools.map(({ name, description, input_schema, read_only }) => ({
    name,
    description,
    input_schema,
    parallel: read_only,
    permission: "always_ask",
  }));
}

/** `<prefix>__<hand>__<tool>`; where that is too long, or has other characters, a hash keeps names apart that look alike. */
export function toolName(hand: string, tool: string, prefix: "mcp" | "vscode" = "mcp"): string {
  const plain = tool.replaceAll(/[^a-zA-Z0-9_-]/g, "_");
  const whole = `${prefix}__${hand}__${plain}`;
  if (plain === tool && whole.length <= NAME_CHARS_MAX) return whole;
  const hash = createHash("sha256").update(tool).digest("hex").slice(0, 8);
  return `${whole.slice(0, NAME_CHARS_MAX - hash.length - 1)}_${hash}`;
}

/** The tools of an earlier session; null for what is of no use now. */
export function parseRemembered(value: unknown): readonly RememberedTool[] | null {
  return Array.isArray(value) && value.every(isRemembered) ? value : null;
}

function isRemembered(value: unknown): value is RememberedTool {
  return (
    isObject(value) &&
    typeof value["name"] === "string" &&
    /^mcp__[a-zA-Z0-9_-]{1,59}$/.test(value["name"]) &&
    ["call", "list_resources", "read_resource", "get_prompt"].includes(String(value["action"])) &&
    typeof value["original"] === "string" &&
    typeof value["description"] === "string" &&
    typeof value["read_only"] === "boolean" &&
    schemaProblem(value["input_schema"]) === null
  );
}

const COMBINATIONS = ["oneOf", "allOf", "anyOf"];

/** One tool that the API refuses makes every request of the session fail: such a one is not offered. */
export function schemaProblem(schema: unknown): string | null {
  if (!isObject(schema) || schema["type"] !== "object") return "its input is no object";
  if (COMBINATIONS.some((name) => name in schema)) return "its schema begins with oneOf, allOf or anyOf";
  const { properties = {}, required = [] } = schema;
  if (!isObject(properties)) return "its schema is invalid";
  if (Object.keys(properties).some((name) => !/^[a-zA-Z0-9_.-]{1,64}$/.test(name))) {
    return "a member of its input has a name that cannot be offered";
  }
  if (!Array.isArray(required) || required.some((name) => typeof name !== "string")) return "its schema is invalid";
  if (!isSchema(schema, 0)) return "its schema is invalid, or refers to others";
  const bytes = Buffer.byteLength(JSON.stringify(schema));
  return bytes > limits.mcpSchemaBytesMax ? `its schema has ${bytes} bytes` : null;
}

const TYPES = new Set(["object", "array", "string", "number", "integer", "boolean", "null"]);

function isSchema(value: unknown, depth: number): boolean {
  if (typeof value === "boolean") return true;
  if (!isObject(value) || depth > limits.mcpSchemaDepthMax) return false;
  const { type, $ref, items, additionalProperties, not } = value;
  const types = type === undefined ? [] : Array.isArray(type) ? (type as readonly unknown[]) : [type];
  const all = (list: readonly unknown[]): boolean => list.every((each) => isSchema(each, depth + 1));
  const mapped = ["properties", "$defs", "definitions", "patternProperties"];
  const listed = ["anyOf", "oneOf", "allOf"];
  return (
    types.every((name) => TYPES.has(name as string)) &&
    ($ref === undefined || (typeof $ref === "string" && $ref.startsWith("#"))) &&
    mapped.every((name) => value[name] === undefined || (isObject(value[name]) && all(Object.values(value[name])))) &&
    listed.every((name) => value[name] === undefined || (Array.isArray(value[name]) && all(value[name]))) &&
    [items, additionalProperties, not].every((each) => each === undefined || all(Array.isArray(each) ? each : [each]))
  );
}

function cut(text: string): string {
  const whole = text.toWellFormed();
  if (whole.length <= limits.mcpDescriptionCharsMax) return whole;
  return `${whole.slice(0, limits.mcpDescriptionCharsMax - 1).toWellFormed()}…`;
}

function printable(name: string): string {
  return JSON.stringify(name.slice(0, 80)).slice(1, -1);
}
