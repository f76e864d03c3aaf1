/** What is known of models by their names. */
import assert from "node:assert/strict";
import { modelLimits } from "../../../../src/brain/model/modelLimits.ts";

describe("the limits of a model", () => {
  const known: readonly (readonly [string, number, number, boolean])[] = [
    ["claude-opus-5-5", 1_000_000, 128_000, true],
    ["claude-sonnet-5", 1_000_000, 128_000, true],
    ["claude-haiku-5-5", 1_000_000, 128_000, true],
    ["claude-fable-5-2", 1_000_000, 128_000, true],
    ["claude-mythos-preview", 1_000_000, 128_000, true],
    ["claude-opus-4-8", 1_000_000, 128_000, true],
    ["claude-sonnet-4-6", 1_000_000, 128_000, true],
    ["claude-opus-4-5", 200_000, 64_000, false],
    ["claude-opus-4-5-20251101", 200_000, 64_000, false],
    ["claude-sonnet-4-5-20250929", 200_000, 64_000, false],
    ["claude-haiku-4-5", 200_000, 64_000, false],
    ["claude-opus-4-1-20250805", 200_000, 32_000, false],
    ["claude-opus-4-20250514", 200_000, 32_000, false],
    ["claude-sonnet-4@20250514", 200_000, 64_000, false],
    ["claude-3-7-sonnet-20250219", 200_000, 64_000, false],
    ["claude-3-5-haiku-20241022", 200_000, 8_192, false],
    ["claude-3-opus-20240229", 200_000, 4_096, false],
  ];
  it("are those of its family and version", () => {
    for (const [id, window, output, adaptive] of known) {
      const expected = { context_window: window, max_output_tokens: output, adaptive_thinking: adaptive };
      assert.deepEqual(modelLimits(id), expected, id);
    }
  });

  it("are found in the names that gateways give it", () => {
    for (const id of [
      "anthropic/claude-sonnet-4.6",
      "us.anthropic.claude-sonnet-4-6-v1:0",
      "Claude-Sonnet-4-6@latest",
    ]) {
      assert.deepEqual(modelLimits(id), modelLimits("claude-sonnet-4-6"), id);
    }
  });

  it("let the rehearsal think aloud", () => assert.equal(modelLimits("rehearsal").adaptive_thinking, true));

  it("are careful where the name says nothing", () => {
    for (const id of ["qwen3-coder", "", "claude", "my-model-5"]) {
      assert.deepEqual(modelLimits(id), {
        context_window: 200_000,
        max_output_tokens: 16_384,
        adaptive_thinking: false,
      });
    }
  });
});
