/** Which model the settings name: Claude or what speaks its API, or the rehearsal; loaded when first asked. */
import type { ModelSettings } from "../core/effects.ts";
import type { ModelPort } from "../core/model.ts";
import { REHEARSAL_MODEL } from "./rehearsal/prompts.ts";
import type { RehearsalServer } from "./rehearsal/rehearsalServer.ts";

/** What settings say of the model; counts are tokens, and 0 is what is known of the model. */
interface ModelChoice {
  readonly provider: "anthropic" | "rehearsal";
  readonly modelId: string;
  readonly baseUrl: string;
  readonly maxTokens: number;
  readonly contextWindow: number;
  readonly thinking: "adaptive" | "off";
}

export interface ModelsPorts {
  readonly choice: () => ModelChoice;
  /** A fetch that adds the key for that address. */
  readonly fetchFor: (baseUrl: string) => typeof globalThis.fetch;
  readonly redact: (text: string) => string;
}

export interface Models {
  load(): Promise<ModelPort>;
  /** `model`: the session's own choice, or null. */
  settings(model: string | null): Promise<ModelSettings>;
  idOf(model: string | null): string;
  dispose(): void;
}

/** A reply may be this long where neither the setting nor the model says otherwise, in tokens. */
const REPLY_TOKENS = 32_000;

export function createModels({ choice, fetchFor, redact }: ModelsPorts): Models {
  let rehearsal: Promise<RehearsalServer> | null = null;
  let claude: { readonly baseUrl: string; readonly port: Promise<ModelPort> } | null = null;

  const idOf = (model: string | null): string =>
    choice().provider === "rehearsal" ? REHEARSAL_MODEL : (model ?? choice().modelId);

  const adapter = async (baseUrl: string, send: typeof globalThis.fetch): Promise<ModelPort> => {
    const { createAnthropicModel } = await import("./model/anthropicModel.ts");
    return createAnthropicModel({ fetch: send, baseUrl, redact });
  };

  const startRehearsal = async (): Promise<RehearsalServer> =>
    (await import("./rehearsal/rehearsalServer.ts")).createRehearsalServer();

  return {
    async load() {
      const { provider, baseUrl } = choice();
      if (provider === "rehearsal") {
        rehearsal ??= startRehearsal();
        const { url } = await rehearsal;
        return adapter(url, (input, init) => globalThis.fetch(input, init));
      }
      if (claude?.baseUrl !== baseUrl) claude = { baseUrl, port: adapter(baseUrl, fetchFor(baseUrl)) };
      return claude.port;
    },
    async settings(model) {
      const { modelLimits } = await import("./model/modelLimits.ts");
      const { maxTokens, contextWindow, thinking } = choice();
      const id = idOf(model);
      const known = modelLimits(id);
      return {
        id,
        max_tokens: maxTokens > 0 ? maxTokens : Math.min(known.max_output_tokens, REPLY_TOKENS),
        context_window: contextWindow > 0 ? contextWindow : known.context_window,
        thinking: thinking === "adaptive" && known.adaptive_thinking ? "adaptive" : "off",
      };
    },
    idOf,
    dispose: () => {
      void rehearsal?.then((server) => server.close()).catch(() => {});
    },
  };
}
