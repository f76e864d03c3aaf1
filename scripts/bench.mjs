// Runs test/bench/*.bench.ts one after the other, each in a process of its own, and prints one table of figures and targets.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "./build.mjs";
import { continueOnPinnedNode, pinnedNode, root, run } from "./pinnedNode.mjs";
import { setup } from "./setup.mjs";

const folder = path.join(root, "test", "bench");
const perform = `
  const { bench } = await import(process.argv[1]);
  const { writeFileSync } = await import("node:fs");
  writeFileSync(process.argv[2], JSON.stringify(await bench()));
  process.exit(0);
`;

function figure(value) {
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const numeric = 1;
  const cell = (text, column) => (column === numeric ? text.padStart(widths[column]) : text.padEnd(widths[column]));
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}

await setup({ codeServer: true, chromium: true, docker: true, sshd: true, bubblewrap: true, git: true });
await continueOnPinnedNode(import.meta.url);
await build();
const wanted = process.argv.slice(2);
const benches = existsSync(folder)
  ? readdirSync(folder)
      .filter((name) => name.endsWith(".bench.ts"))
      .toSorted()
  : [];
const chosen = benches.filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
const scratch = mkdtempSync(path.join(tmpdir(), "many-hands-bench-"));
const rows = [["name", "figure", "unit", "target", "", "detail"]];
let broken = 0;
for (const name of chosen) {
  process.stdout.write(`measuring ${name} …\n`);
  const result = path.join(scratch, `${name}.json`);
  const flags = ["--expose-gc", "--input-type=module", "--eval", perform];
  const code = await run(pinnedNode(), [...flags, pathToFileURL(path.join(folder, name)).href, result]);
  if (code !== 0) {
    broken += 1;
    rows.push([name, "-", "", "", "BROKEN", `ended with ${code}`]);
    continue;
  }
  for (const { name: what, value, unit, target, ok, detail = "" } of JSON.parse(readFileSync(result, "utf8"))) {
    rows.push([what, figure(value), unit, target, ok ? "ok" : "falls short", detail]);
  }
}
rmSync(scratch, { recursive: true, force: true });
const short = rows.filter((row) => row[4] === "falls short").length;
process.stdout.write(
  `\n${table(rows)}\n\n${rows.length - 1 - broken - short} ok, ${short} fall short, ${broken} broken\n`,
);
process.exitCode = broken + short > 0 || chosen.length === 0 ? 1 : 0;
