// A mocha reporter: prints like `spec`, and leaves the counts in the file that MANY_HANDS_SUMMARY names.
import { appendFileSync } from "node:fs";
import Mocha from "mocha";

export default class SummaryReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const pending = [];
    runner.on("pending", (test) => pending.push(test.fullTitle()));
    runner.once("end", () => {
      const file = process.env.MANY_HANDS_SUMMARY;
      if (!file) return;
      const { passes, failures } = this.stats;
      appendFileSync(file, `${JSON.stringify({ passed: passes, failed: failures, pending })}\n`);
    });
  }
}
