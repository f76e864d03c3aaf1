/** What the spec of an MCP hand says: a server at an address, or a program in another hand. */
import { createHash } from "node:crypto";
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";
import { isObject } from "../../core/json.ts";

export type McpTarget =
  /** `transport` `http`: streamable HTTP, and SSE where the server only speaks that. */
  | { readonly kind: "remote"; readonly url: URL; readonly transport: "http" | "sse" }
  | {
      readonly kind: "program";
      readonly argv: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly cwd?: string;
      /** The name of the hand in which it runs. */
      readonly hand: string;
    };

/** `options`: `{url, transport?}`, or `{command, args?, env?, cwd?, hand}`. Throws `hand_unavailable`, with what to change. */
export function mcpTarget(spec: HandSpec): McpTarget {
  const { url, command } = spec.options ?? {};
  if (url !== undefined && command !== undefined) throw wrong(spec, "options.url or options.command, not both");
  if (url !== undefined) return remoteTarget(spec, url);
  if (typeof command !== "string" || command === "") throw wrong(spec, "options.url, or a command and a hand");
  const { args = [], env = {}, cwd, hand } = spec.options ?? {};
  if (!isTexts(args)) throw wrong(spec, "options.args as a list of texts");
  if (!isObject(env) || !isTexts(Object.values(env))) throw wrong(spec, "options.env with a text for each name");
  if (cwd !== undefined && typeof cwd !== "string") throw wrong(spec, "options.cwd as a text");
  if (typeof hand !== "string" || hand === "") throw wrong(spec, "options.hand: the name of the hand in which it runs");
  const variables = env as Readonly<Record<string, string>>;
  return { kind: "program", argv: [command, ...args], env: variables, hand, ...(cwd === undefined ? {} : { cwd }) };
}

function remoteTarget(spec: HandSpec, given: unknown): McpTarget {
  const url = typeof given === "string" ? URL.parse(given) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) throw wrong(spec, "options.url as an http or https address");
  if (url.username !== "" || url.password !== "") {
    throw wrong(spec, "options.url without a user and password: store them as a credential");
  }
  const transport = spec.options?.["transport"] ?? "http";
  if (transport !== "http" && transport !== "sse") throw wrong(spec, 'options.transport as "http" or "sse"');
  return { kind: "remote", url, transport };
}

/** One line for the model and the person; no value of the environment, nothing of an address after its path. */
export function describeTarget(target: McpTarget): string {
  if (target.kind === "remote") return `the MCP server at ${target.url.origin}${target.url.pathname}`;
  return `the MCP server ${target.argv.slice(0, 3).join(" ")} that runs in the hand "${target.hand}"`;
}

/** Under which the tools of a server are remembered: what makes it another server, as a hash. Of the environment the names. */
export function memoryKey(name: string, target: McpTarget): string {
  const program = target.kind === "program" && [target.argv, Object.keys(target.env), target.cwd ?? "", target.hand];
  const parts = [name, target.kind === "remote" ? target.url.href : program];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

function wrong(spec: HandSpec, needs: string): ManyHandsError {
  return new ManyHandsError("hand_unavailable", "hand", `The MCP server "${spec.name}" needs ${needs}.`);
}
