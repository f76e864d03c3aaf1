/** MCP hands outside of a session: a provider with a memory of its own, and what a call needs. */
import type { HandSpec } from "../../../src/core/config.ts";
import type { Call, CallContext, Hand, HandProvider, ProvisionContext } from "../../../src/core/hand.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { createMcpProvider } from "../../../src/hands/mcp/mcpProvider.ts";
import type { McpProviderPorts } from "../../../src/hands/mcp/mcpProvider.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";

export interface McpKit {
  readonly provider: HandProvider;
  readonly memory: Map<string, unknown>;
  readonly reports: string[];
  open(spec: HandSpec, change?: Partial<ProvisionContext>): Promise<Hand>;
  close(): Promise<void>;
}

export function createMcpKit(change: Partial<McpProviderPorts> = {}): McpKit {
  const memory = new Map<string, unknown>();
  const reports: string[] = [];
  const hands: Hand[] = [];
  const provider = createMcpProvider({
    clock: systemClock,
    fetchFor: () => globalThis.fetch,
    toolsMemory: {
      get: (key) => memory.get(key),
      set: (key, tools) => void memory.set(key, JSON.parse(JSON.stringify(tools))),
    },
    report: (what, thrown) => void reports.push(thrown === undefined ? what : `${what}: ${String(thrown)}`),
    ...change,
  });
  return {
    provider,
    memory,
    reports,
    open: async (spec, context = {}) => {
      const hand = await provider.provision(spec, {
        sessionId: "sesn_mcp0000000",
        storagePath: "/nowhere",
        previousInstance: null,
        signal: new AbortController().signal,
        onProgress: () => {},
        ...context,
      });
      hands.push(hand);
      return hand;
    },
    close: async () => {
      await Promise.all(hands.map((hand) => hand.destroy()));
    },
  };
}

let count = 0;

export function callOf(name: string, input: JsonObject = {}): Call {
  count += 1;
  return { id: `sevt_mcp_${count}` as Call["id"], name, input };
}

/** What a call printed is in `printed`. */
export function callContext(): CallContext & { readonly printed: () => string } {
  const chunks: Uint8Array[] = [];
  return {
    onOutput: async (chunk) => void chunks.push(chunk),
    willChange: async () => {},
    printed: () => Buffer.concat(chunks).toString(),
  };
}
