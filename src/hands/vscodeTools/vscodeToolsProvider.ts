/** The kind of hand that is VS Code itself: language-model tools that it and its extensions offer, given to a session. */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";
import type { Attached, Call, CallContext, CallResult, Hand, HandProvider } from "../../core/hand.ts";
import type { EventId } from "../../core/ids.ts";
import { isObject, messageOf } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import type { Listen } from "../../core/listen.ts";
import type { ToolSpec } from "../../core/tools.ts";
import { rendered } from "../mcp/mcpResult.ts";
import { schemaProblem, toolName } from "../mcp/mcpTools.ts";
import { notRun, unknown } from "../shell/callResults.ts";

interface LanguageModelTool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema; undefined: it takes nothing. */
  readonly input_schema: unknown;
}

/** VS Code's side. */
interface LanguageModelTools {
  list(): readonly LanguageModelTool[];
  /** Resolves with content as in MCP: `{type: "text", text}`, `{type: "image", data, mimeType}`. */
  invoke(name: string, input: Json, signal: AbortSignal): Promise<readonly JsonObject[]>;
  readonly onDidChange: Listen<null>;
}

export interface VscodeToolsPorts {
  readonly clock: Clock;
  readonly tools: LanguageModelTools;
}

interface Offered {
  readonly original: string;
  readonly spec: ToolSpec;
}

/** `options.tools`: names, with `*` for anything; what is not named is not given. */
export function createVscodeToolsProvider({ clock, tools }: VscodeToolsPorts): HandProvider {
  const offered = (spec: HandSpec): readonly Offered[] => offeredOf(spec, tools.list());
  return {
    tools: (spec) => (patternsOf(spec) === null ? [] : offered(spec).map((each) => each.spec)),
    onDidChangeTools: tools.onDidChange,
    leavesNothing: true,
    describe: (spec) => `VS Code's own tools: ${mustHavePatterns(spec).join(", ")}`,
    provision: async (spec) => {
      mustHavePatterns(spec);
      const find = (name: string): string | undefined =>
        offered(spec).find((each) => each.spec.name === name)?.original;
      return new VscodeToolsHand(clock, tools, find, `VS Code, ${offered(spec).length} tools`);
    },
  };
}

function offeredOf(spec: HandSpec, list: readonly LanguageModelTool[]): readonly Offered[] {
  const patterns = (patternsOf(spec) ?? []).map(matcherOf);
  const found = new Map<string, Offered>();
  for (const { name: original, description, input_schema } of list) {
    if (!patterns.some((pattern) => pattern.test(original))) continue;
    const schema = input_schema ?? { type: "object", properties: {} };
    if (schemaProblem(schema) !== null || found.size >= limits.mcpToolsMax) continue;
    const name = toolName(spec.name, original, "vscode");
    const words = description === "" ? original : description.slice(0, limits.mcpDescriptionCharsMax).toWellFormed();
    const policy = { parallel: false, permission: "always_ask" } as const;
    found.set(name, { original, spec: { name, description: words, input_schema: schema as JsonObject, ...policy } });
  }
  return [...found.values()];
}

function matcherOf(pattern: string): RegExp {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join(".*")}$`);
}

function patternsOf(spec: HandSpec): readonly string[] | null {
  const names = spec.options?.["tools"];
  const isRight = Array.isArray(names) && names.every((name) => typeof name === "string" && name !== "");
  return isRight && names.length > 0 ? (names as readonly string[]) : null;
}

function mustHavePatterns(spec: HandSpec): readonly string[] {
  const patterns = patternsOf(spec);
  if (patterns !== null) return patterns;
  const message = `The hand "${spec.name}" needs options.tools: a list of names, with * for anything.`;
  throw new ManyHandsError("hand_unavailable", "hand", message);
}

interface Running {
  readonly result: Promise<CallResult>;
  readonly cancel: AbortController;
}

class VscodeToolsHand implements Hand {
  /** It ends with the window: what became of a call then is not known. */
  readonly instance = `vscode-${randomUUID()}`;
  readonly description: string;
  readonly #clock: Clock;
  readonly #tools: LanguageModelTools;
  readonly #find: (name: string) => string | undefined;
  readonly #calls = new Map<EventId, Running>();
  #isClosed = false;

  constructor(
    clock: Clock,
    tools: LanguageModelTools,
    find: (name: string) => string | undefined,
    description: string,
  ) {
    this.#clock = clock;
    this.#tools = tools;
    this.#find = find;
    this.description = description;
  }

  /** It is in this process: there is nothing to lose. */
  readonly onDidLose: Hand["onDidLose"] = () => ({ dispose: () => {} });

  execute(call: Call, context: CallContext): Promise<CallResult> {
    const before = this.#calls.get(call.id);
    if (before !== undefined) return before.result;
    const cancel = new AbortController();
    const result = this.#run(call, cancel.signal, context);
    this.#calls.set(call.id, { result, cancel });
    result.catch(() => this.#calls.delete(call.id));
    return result;
  }

  async attach(call: Call): Promise<Attached> {
    const running = this.#calls.get(call.id);
    if (running === undefined) return { kind: "never_started" };
    return { kind: "result", result: await running.result };
  }

  async signal(id: EventId): Promise<void> {
    this.#calls.get(id)?.cancel.abort();
  }

  async acknowledge(ids: readonly EventId[]): Promise<void> {
    for (const id of ids) this.#calls.delete(id);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { cancel } of this.#calls.values()) cancel.abort();
  }

  async destroy(): Promise<void> {
    await this.close();
  }

  async #run(call: Call, stop: AbortSignal, context: CallContext): Promise<CallResult> {
    const name = this.#find(call.name);
    if (name === undefined) return notRun(`VS Code offers no tool "${call.name}" any more; is its extension on?`);
    const began = this.#clock.now();
    const signal = AbortSignal.any([stop, AbortSignal.timeout(limits.vscodeToolMs)]);
    try {
      const items = await orAborted(this.#tools.invoke(name, isObject(call.input) ? call.input : {}, signal), signal);
      const { whole, ...said } = rendered({ items, is_error: false });
      await context.onOutput(whole);
      const outcome = { kind: "exited", code: 0 } as const;
      return { outcome, ...said, output_bytes: whole.byteLength, duration_ms: Math.max(0, this.#clock.now() - began) };
    } catch (thrown) {
      if (this.#isClosed) throw new ManyHandsError("hand_detached", "hand", "the hand was let go of");
      if (signal.aborted) {
        const why = stop.aborted ? "was stopped" : `took longer than ${limits.vscodeToolMs / 1_000} s and was given up`;
        return unknown(`The call ${why}. It is unknown how far it came: look before you do it again.`);
      }
      const outcome = { kind: "exited", code: 1 } as const;
      return { outcome, text: messageOf(thrown), is_error: true, output_bytes: 0, truncated: false };
    }
  }
}

/** A tool may pass over that it was told to stop. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject);
  });
}
