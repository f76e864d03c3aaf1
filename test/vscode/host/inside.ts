// Runs the bundled suites of test/vscode/inside within the extension host; VS Code calls `run`.
import { readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import Mocha from "mocha";
import SummaryReporter from "../../../scripts/summaryReporter.mjs";

const timeoutMs = 120_000;

/** Rejects, as VS Code wants it, where a test has failed. */
export async function run(): Promise<void> {
  const folder = path.dirname(fileURLToPath(import.meta.url));
  const mocha = new Mocha({ ui: "bdd", timeout: timeoutMs, color: false, reporter: SummaryReporter });
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  for (const name of files.filter((file) => file.endsWith(".test.mjs")).toSorted()) {
    mocha.addFile(path.join(folder, name));
  }
  await mocha.loadFilesAsync();
  const failures = await new Promise<number>((resolve) => mocha.run(resolve));
  if (failures > 0) throw new Error(`${failures} failed`);
}
