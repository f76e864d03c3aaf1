/** The tools of a session's hands: waited for where only a far end knows them, and told to the model when they change. */
import type { Clock } from "../core/clock.ts";
import { handKey } from "../core/config.ts";
import type { HandSpec } from "../core/config.ts";
import type { HarnessContext, OfferedTool } from "../core/effects.ts";
import { limits } from "../core/limits.ts";
import type { Disposable } from "../core/listen.ts";
import type { ToolSpec } from "../core/tools.ts";
import type { Providers } from "./providers.ts";

export interface HandToolsPorts {
  readonly providers: Providers;
  readonly clock: Clock;
  /** Provisions the hand of that name. */
  readonly provision: (name: string) => Promise<unknown>;
}

type Offer = Pick<HarnessContext, "tools" | "hands">;

export class HandTools {
  readonly #ports: HandToolsPorts;

  constructor(ports: HandToolsPorts) {
    this.#ports = ports;
  }

  /** Resolves when the tools of all these hands are known, their provisioning failed, or it has taken long enough. Never rejects. */
  async untilKnown(hands: readonly HandSpec[], signal: AbortSignal): Promise<void> {
    const unknown = hands.filter((spec) => !this.#isKnown(spec));
    if (unknown.length === 0) return;
    const over = new AbortController();
    const ending = AbortSignal.any([over.signal, signal]);
    const waits = unknown.map(async (spec) => {
      await Promise.race([this.#ports.provision(spec.name), this.#untilTold(spec, ending)]).catch(() => {});
    });
    const deadline = this.#ports.clock.sleep(limits.handToolsWaitMs, ending).catch(() => {});
    await Promise.race([Promise.all(waits), deadline]);
    over.abort();
  }

  /** Calls `listener` whenever what these hands offer may be something else now. */
  onMayChange(hands: readonly HandSpec[], listener: () => void): Disposable {
    const providers = new Set(hands.map(({ kind }) => this.#ports.providers.get(kind)));
    const listening = [...providers].map((provider) => provider?.onDidChangeTools?.(listener));
    return { dispose: () => listening.forEach((each) => each?.dispose()) };
  }

  /** Whether a hand offers other tools than it did in `context`. */
  differFrom(context: Offer): boolean {
    return context.hands.some(({ spec }) => {
      const now = this.#ports.providers.get(spec.kind)?.tools(spec);
      return now !== undefined && fingerprint(now) !== fingerprint(toolsOf(context, spec.name));
    });
  }

  /** What the model is told of tools that hands have gained, lost or changed since `before`; empty where nothing has. */
  changedText(before: Offer | null, after: Offer): string {
    if (before === null) return "";
    const known = new Set(before.hands.map(({ spec }) => handKey(spec)));
    const lines = after.hands
      .filter(({ spec }) => known.has(handKey(spec)))
      .flatMap(({ spec }) => {
        const change = changeOf(toolsOf(before, spec.name), toolsOf(after, spec.name));
        return change === "" ? [] : [`- ${spec.name} (${spec.kind}): ${change}`];
      });
    return lines.length === 0 ? "" : `Tools of this session's hands have changed:\n${lines.join("\n")}`;
  }

  #isKnown(spec: HandSpec): boolean {
    const provider = this.#ports.providers.get(spec.kind);
    return provider?.knowsTools?.(spec) ?? true;
  }

  #untilTold(spec: HandSpec, ending: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const listening = this.onMayChange([spec], () => {
        if (this.#isKnown(spec)) done();
      });
      function done(): void {
        listening.dispose();
        ending.removeEventListener("abort", done);
        resolve();
      }
      ending.addEventListener("abort", done);
      if (ending.aborted) done();
    });
  }
}

function changeOf(before: readonly ToolSpec[], after: readonly ToolSpec[]): string {
  const was = new Map(before.map((tool) => [tool.name, fingerprint([tool])]));
  const is = new Set(after.map(({ name }) => name));
  const changed = after.filter((tool) => was.has(tool.name) && was.get(tool.name) !== fingerprint([tool]));
  return [
    named(
      "new",
      after.filter(({ name }) => !was.has(name)),
    ),
    named("changed", changed),
    named(
      "gone",
      before.filter(({ name }) => !is.has(name)),
    ),
  ]
    .filter((part) => part !== "")
    .join("; ");
}

function named(word: string, tools: readonly ToolSpec[]): string {
  if (tools.length === 0) return "";
  const names = tools.slice(0, limits.handToolsToldMax).map(({ name }) => name);
  const more = tools.length > names.length ? ` and ${tools.length - names.length} more` : "";
  return `${word}: ${names.join(", ")}${more}`;
}

function toolsOf(context: Offer, hand: string): readonly OfferedTool[] {
  return context.tools.filter((tool) => tool.hand === hand);
}

function fingerprint(tools: readonly ToolSpec[]): string {
  return JSON.stringify(
    tools.map(({ name, description, input_schema, parallel }) => [name, description, input_schema, parallel]),
  );
}
