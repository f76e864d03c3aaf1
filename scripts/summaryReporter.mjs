// A mocha reporter: prints like `spec`, and leaves the counts and what failed in the file that MANY_HANDS_SUMMARY names.
import { appendFileSync } from "node:fs";
import Mocha from "mocha";

const STACK_LINES_MAX = 6;

export default class SummaryReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const pending = [];
    const failures = [];
    runner.on("pending", (test) => pending.push(test.fullTitle()));
    runner.on("fail", (test, error) => failures.push({ title: test.fullTitle(), error: shown(error) }));
    runner.once("end", () => {
      const file = process.env.MANY_HANDS_SUMMARY;
      if (!file) return;
      const counts = { passed: this.stats.passes, failed: this.stats.failures };
      appendFileSync(file, `${JSON.stringify({ ...counts, pending, failures })}\n`);
    });
  }
}

function shown(error) {
  const lines = String(error?.stack ?? error).split("\n");
  const calls = lines.findIndex((line) => line.trimStart().startsWith("at "));
  return lines.slice(0, calls < 0 ? undefined : calls + STACK_LINES_MAX).join("\n");
}
