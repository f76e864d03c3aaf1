// Checks types, lint, format, unused code and the import fences side by side; with --fix it repairs what can be repaired.
import path from "node:path";
import { continueOnPinnedNode, pinnedNode, root, run } from "./pinnedNode.mjs";
import { setup } from "./setup.mjs";

const bin = (name) => path.join(root, "node_modules", ".bin", name);
const linted = ["src", "test", "scripts", "samples"];

const checks = [
  ["types", bin("tsc"), ["--noEmit", "-p", "tsconfig.json"]],
  ["types of the page", bin("tsc"), ["--noEmit", "-p", "src/webview/tsconfig.json"]],
  ["lint", bin("oxlint"), ["--type-aware", "--deny-warnings", "--no-error-on-unmatched-pattern", ...linted]],
  ["format", bin("prettier"), ["--check", "--log-level=warn", "."]],
  ["unused code", bin("knip"), ["--no-progress", "--treat-config-hints-as-errors"]],
  ["import fences", bin("mocha"), ["test/fences/**/*.test.ts"]],
];

const fixes = [
  ["lint", bin("oxlint"), ["--type-aware", "--fix", "--no-error-on-unmatched-pattern", ...linted]],
  ["format", bin("prettier"), ["--write", "--log-level=warn", "."]],
];

async function perform([name, command, args]) {
  const start = Date.now();
  const script =
    command.endsWith("mocha") || command.endsWith("knip") ? [pinnedNode(), [command, ...args]] : [command, args];
  const code = await run(...script, { quiet: true });
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  process.stdout.write(`${code === 0 ? "ok   " : "FAULT"} ${name} (${seconds} s)\n`);
  return code === 0;
}

await setup();
await continueOnPinnedNode(import.meta.url);
if (process.argv.includes("--fix")) for (const fix of fixes) await perform(fix);
else {
  const results = await Promise.all(checks.map(perform));
  process.exitCode = results.every(Boolean) ? 0 : 1;
}
