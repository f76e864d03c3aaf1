/** The kind of hand that is an MCP server: at an address, or a program that runs in another hand of the session. */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";
import type { Hand, HandProvider, ProvisionContext } from "../../core/hand.ts";
import { limits } from "../../core/limits.ts";
import { Emitter } from "../../core/listen.ts";
import type { ToolSpec } from "../../core/tools.ts";
import { describeTarget, mcpTarget, memoryKey } from "./mcpSpec.ts";
import type { McpTarget } from "./mcpSpec.ts";
import { parseRemembered, toolList, toolSpecs } from "./mcpTools.ts";
import type { McpOffer, RememberedTool } from "./mcpTools.ts";
import type { Connection } from "./connection.ts";

export interface McpProviderPorts {
  readonly clock: Clock;
  /** What requests of a session to a server go through: the credential proxy adds what the server wants to know. */
  readonly fetchFor: (sessionId: string, url: URL, server: string) => typeof globalThis.fetch;
  /** Which tools a server had last, for sessions that begin without it. What `get` gives is looked through. */
  readonly toolsMemory: {
    readonly get: (key: string) => unknown;
    readonly set: (key: string, tools: readonly RememberedTool[]) => void;
  };
  readonly report: (what: string, thrown?: unknown) => void;
}

interface Known {
  readonly tools: readonly RememberedTool[];
  readonly specs: readonly ToolSpec[];
}

/** A server that did not answer is not asked again at once. */
interface Failure {
  readonly count: number;
  readonly next_ms: number;
  readonly message: string;
}

export function createMcpProvider(ports: McpProviderPorts): HandProvider {
  const known = new Map<string, Known | null>();
  const changed = new Emitter<null>((thrown) => ports.report("a listener failed", thrown));
  const backOff = createBackOff(ports.clock);

  function knownOf(key: string): Known | null {
    let found = known.get(key);
    if (found === undefined) {
      const tools = parseRemembered(ports.toolsMemory.get(key));
      found = tools === null ? null : { tools, specs: toolSpecs(tools) };
      known.set(key, found);
    }
    return found;
  }

  /** What a server has now; gives the words about what cannot be offered. */
  function learn(spec: HandSpec, key: string, offer: McpOffer): readonly string[] {
    const { tools, left_out } = toolList(spec.name, offer);
    if (left_out.length > 0) ports.report(`tools of the MCP server ${spec.name} are left out: ${left_out.join(", ")}`);
    if (JSON.stringify(knownOf(key)?.tools) === JSON.stringify(tools)) return left_out;
    known.set(key, { tools, specs: toolSpecs(tools) });
    ports.toolsMemory.set(key, tools);
    changed.fire(null);
    return left_out;
  }

  function refresh(spec: HandSpec, key: string, connection: Connection): void {
    const signal = AbortSignal.timeout(limits.mcpConnectMs);
    connection
      .offer(signal)
      .then((offer) => learn(spec, key, offer))
      .catch((thrown: unknown) => ports.report(`the tools of the MCP server ${spec.name} are not known`, thrown));
  }

  async function open(spec: HandSpec, target: McpTarget, context: ProvisionContext): Promise<Connection> {
    const { Connection } = await import("./connection.ts");
    const fetch =
      target.kind === "remote" ? ports.fetchFor(context.sessionId, target.url, spec.name) : globalThis.fetch;
    return Connection.open({
      target,
      fetch,
      openProcess: () => openProgram(spec, target, context),
      signal: context.signal,
      report: ports.report,
    });
  }

  async function provision(spec: HandSpec, context: ProvisionContext): Promise<Hand> {
    const target = mcpTarget(spec);
    const key = memoryKey(spec.name, target);
    const server = describeTarget(target);
    const of = `${context.sessionId} ${key}`;
    const connect = (): Promise<Connection> => backOff.guard(of, () => open(spec, target, context));
    context.onProgress(`connecting to ${server}`);
    const [{ McpHand }, connection] = await Promise.all([import("./mcpHand.ts"), connect()]);
    try {
      const left = learn(spec, key, await connection.offer(context.signal));
      const words = left.length === 0 ? "" : `; left out: ${left.join(", ")}`.slice(0, limits.handErrorCharsMax);
      const hand = new McpHand({
        clock: ports.clock,
        // A server at an address is the same one after a reload; a program is started anew.
        instance: (target.kind === "remote" ? context.previousInstance : null) ?? `mcp-${randomUUID()}`,
        description: `${server}, ${countText(knownOf(key)?.tools.length ?? 0)}${words}`,
        server,
        connection,
        ...(target.kind === "remote" ? { reconnect: connect } : {}),
        refresh: (opened) => refresh(spec, key, opened),
        toolOf: (name) => knownOf(key)?.tools.find((tool) => tool.name === name),
      });
      return hand;
    } catch (thrown) {
      await connection.close(true);
      const { connectionFailed } = await import("./mcpFailure.ts");
      throw connectionFailed(server, thrown);
    }
  }

  return {
    tools: (spec) => (isRight(spec) ? (knownOf(keyOf(spec))?.specs ?? []) : []),
    // With a wrong spec there is nothing to wait for.
    knowsTools: (spec) => !isRight(spec) || knownOf(keyOf(spec)) !== null,
    onDidChangeTools: changed.listen,
    describe: (spec) => describeTarget(mcpTarget(spec)),
    leavesNothing: true,
    provision,
  };
}

function keyOf(spec: HandSpec): string {
  return memoryKey(spec.name, mcpTarget(spec));
}

function isRight(spec: HandSpec): boolean {
  try {
    mcpTarget(spec);
    return true;
  } catch {
    return false;
  }
}

async function openProgram(
  spec: HandSpec,
  target: McpTarget,
  { openProcess }: ProvisionContext,
): ReturnType<NonNullable<ProvisionContext["openProcess"]>> {
  if (target.kind !== "program" || openProcess === undefined) {
    throw new ManyHandsError("hand_unavailable", "hand", `The MCP server "${spec.name}" has no hand to run in here.`);
  }
  const { argv, env, cwd, hand } = target;
  return openProcess(hand, { argv, env, ...(cwd === undefined ? {} : { cwd }) });
}

/** The first try after a failure is made at once; after more of them there are growing pauses, in which the failure is told again. */
function createBackOff(clock: Clock): { guard<T>(of: string, act: () => Promise<T>): Promise<T> } {
  const failures = new Map<string, Failure>();
  return {
    async guard(of, act) {
      const before = failures.get(of);
      const wait = (before?.next_ms ?? 0) - clock.now();
      if (before !== undefined && wait > 0) {
        const message = `${before.message} It is tried again after ${Math.ceil(wait / 1_000)} s.`;
        throw new ManyHandsError("hand_unavailable", "hand", message);
      }
      try {
        const made = await act();
        failures.delete(of);
        return made;
      } catch (thrown) {
        const count = (before?.count ?? 0) + 1;
        const pause = count < 2 ? 0 : Math.min(limits.mcpRetryMs * 2 ** (count - 2), limits.mcpRetryMsMax);
        const message = thrown instanceof Error ? thrown.message : String(thrown);
        failures.set(of, { count, next_ms: clock.now() + pause, message });
        throw thrown;
      }
    },
  };
}

function countText(count: number): string {
  return count === 1 ? "1 tool" : `${count} tools`;
}
