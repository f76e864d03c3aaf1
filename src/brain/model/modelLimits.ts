/** What the models that are known by name can hold and do; names that are not known get values that most endpoints take. */

export interface ModelLimits {
  /** Tokens of a request and its answer together. */
  readonly context_window: number;
  /** The largest `max_tokens` that the model takes. */
  readonly max_output_tokens: number;
  /** Takes `thinking: {type: "adaptive"}`; the others refuse it with an error. */
  readonly adaptive_thinking: boolean;
}

const UNKNOWN: ModelLimits = { context_window: 200_000, max_output_tokens: 16_384, adaptive_thinking: false };

/** From `since` on (major × 100 + minor), until the next row of the same families. Newest first. */
const ROWS: readonly { readonly families: RegExp; readonly since: number; readonly limits: ModelLimits }[] = [
  row(/./, 500, 1_000_000, 128_000, true),
  row(/opus|sonnet|mythos|fable/, 406, 1_000_000, 128_000, true),
  row(/opus/, 405, 200_000, 64_000, false),
  row(/opus/, 400, 200_000, 32_000, false),
  row(/./, 400, 200_000, 64_000, false),
  row(/sonnet/, 307, 200_000, 64_000, false),
  row(/./, 305, 200_000, 8_192, false),
  row(/./, 300, 200_000, 4_096, false),
];

function row(
  families: RegExp,
  since: number,
  window: number,
  output: number,
  adaptive: boolean,
): (typeof ROWS)[number] {
  const limits = { context_window: window, max_output_tokens: output, adaptive_thinking: adaptive };
  return { families, since, limits };
}

/**
 * Limits of the model `id`, also where a gateway writes it its own way (`anthropic/claude-sonnet-4.6`,
 * `us.anthropic.claude-opus-4-5-20251101-v1:0`). Figures: the model overview of the API's documentation, November 2026.
 */
export function modelLimits(id: string): ModelLimits {
  const name = id.toLowerCase();
  if (name === "rehearsal") return { ...UNKNOWN, adaptive_thinking: true };
  if (name.includes("mythos-preview")) return ROWS[1]?.limits ?? UNKNOWN;
  const found =
    /claude-(?<family>opus|sonnet|haiku|fable|mythos)-(?<major>\d{1,2})(?:[-.](?<minor>\d{1,2}))?(?!\d)/.exec(name) ??
    /claude-(?<major>\d)(?:[-.](?<minor>\d))?-(?<family>opus|sonnet|haiku)/.exec(name);
  const { family, major, minor } = found?.groups ?? {};
  if (family === undefined || major === undefined) return UNKNOWN;
  const version = Number(major) * 100 + Number(minor ?? 0);
  return ROWS.find(({ families, since }) => version >= since && families.test(family))?.limits ?? UNKNOWN;
}
