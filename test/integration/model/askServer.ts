/** One model request against a strict server, with the vault's fetch between: what the tests of the adapter share. */
import { createAnthropicModel } from "../../../src/brain/model/anthropicModel.ts";
import type { AnthropicModelOptions } from "../../../src/brain/model/anthropicModel.ts";
import type { ModelDelta, ModelOutcome, ModelRequest } from "../../../src/core/model.ts";
import { memorySecrets } from "../../fixtures/memorySecrets.ts";
import { createModelKeys } from "../../../src/vault/modelKey.ts";
import { createRedactor } from "../../../src/vault/redactor.ts";
import { startMessagesServer, TEST_KEY } from "../../fixtures/messages/strictServer.ts";
import type { MessagesServer, MessagesServerOptions } from "../../fixtures/messages/strictServer.ts";
import type { Turn } from "../../fixtures/messages/scenario.ts";

export const bashTool = {
  name: "bash",
  description: "Runs a command.",
  input_schema: { type: "object", properties: { command: { type: "string" } }, required: ["command"] },
};

/** A request that the strict server takes. */
export function requestOf(overrides: Partial<ModelRequest> = {}): ModelRequest {
  return {
    model: "claude-sonnet-5-5",
    max_tokens: 1024,
    system: [{ type: "text", text: "You are an agent." }],
    tools: [bashTool],
    messages: [{ role: "user", content: [{ type: "text", text: "Hello" }] }],
    ...overrides,
  };
}

export interface Asked {
  readonly outcome: ModelOutcome;
  readonly deltas: readonly ModelDelta[];
}

export type AskOptions = Partial<AnthropicModelOptions> & {
  readonly request?: Partial<ModelRequest>;
  readonly signal?: AbortSignal;
  readonly key?: string | null;
  readonly onDelta?: (delta: ModelDelta) => void;
};

/** Asks at `url` as the extension does: key in the vault, its fetch in the adapter. */
export async function askAt(url: string, options: AskOptions = {}): Promise<Asked> {
  const { request, signal = new AbortController().signal, key = TEST_KEY, onDelta, ...model } = options;
  const redactor = createRedactor();
  const keys = createModelKeys({ secrets: memorySecrets(), redactor });
  if (key !== null) await keys.set(url, key);
  const port = createAnthropicModel({
    fetch: keys.fetchFor(url, model.fetch),
    baseUrl: url,
    redact: (text) => redactor.redact(text),
    ...model,
    ...(model.fetch === undefined ? {} : { fetch: keys.fetchFor(url, model.fetch) }),
  });
  const deltas: ModelDelta[] = [];
  const outcome = await port.ask(requestOf(request), signal, (delta) => {
    deltas.push(delta);
    onDelta?.(delta);
  });
  return { outcome, deltas };
}

/** Starts a server that gives `turns` in order, asks once, and closes it. */
export async function askOnce(
  turn: Turn,
  options: AskOptions & { readonly server?: Partial<MessagesServerOptions> } = {},
): Promise<Asked & { readonly server: MessagesServer }> {
  const server = await startMessagesServer({ scenario: { turns: [turn] }, ...options.server });
  try {
    return { ...(await askAt(server.url, options)), server };
  } finally {
    await server.close();
  }
}
