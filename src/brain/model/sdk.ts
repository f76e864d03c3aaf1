/** The two parts of the SDK that are used, as a module of their own: imported when first needed, and bundled without the rest. */
export { BaseAnthropic } from "@anthropic-ai/sdk/client";
export { Stream } from "@anthropic-ai/sdk/core/streaming";
