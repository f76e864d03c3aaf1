// Skips a suite that needs what this computer does not have, and leaves the reason for the summary of `npm test`.
import { appendFileSync } from "node:fs";

/**
 * To be called in a `before` hook: skips the whole suite unless the need is met. The reason says what is missing and how to
 * get it. In CI a skipped test counts as failed.
 */
export function skipUnless(context: Mocha.Context, met: boolean, reason: string): void {
  if (met) return;
  const file = process.env["MANY_HANDS_SKIPS"];
  if (file !== undefined) {
    appendFileSync(file, `${JSON.stringify({ suite: context.test?.parent?.fullTitle() ?? "", reason })}\n`);
  }
  context.skip();
}
