// Runs every test: those on plain Node, those inside a real VS Code, and those that click in one; ends with one line of counts.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { build } from "./build.mjs";
import { desktopProgram } from "./desktop.mjs";
import { runInside } from "./insideTests.mjs";
import { packageExtension } from "./package.mjs";
import { continueOnPinnedNode, pinnedNode, projectEnv, root, run } from "./pinnedNode.mjs";
import { codeServerEntry, setup } from "./setup.mjs";

const usage = `npm test -- [--only suite,suite] [--grep text] [part of a file's path …]
suites: unit, contract, fences, integration, page, inside, user`;
const parallelSuites = ["unit", "contract", "fences"];
/** Each with a browser, engines and hosts of its own: as many as there are processors would be too many on a large machine. */
const HEAVY_JOBS_MAX = 2;
const inCi = Boolean(process.env.CI) && process.env.CI !== "false";

const folders = {
  unit: "test/unit",
  contract: "test/contract",
  fences: "test/fences",
  integration: "test/integration",
  page: "test/page",
  inside: "test/vscode/inside",
  user: "test/vscode/user",
};

function parseArguments(args) {
  const chosen = { suites: Object.keys(folders), grep: undefined, paths: [] };
  for (let index = 0; index < args.length; index += 1) {
    if (args[index] === "--only") chosen.suites = (args[(index += 1)] ?? "").split(",");
    else if (args[index] === "--grep") chosen.grep = args[(index += 1)];
    else chosen.paths.push(args[index]);
  }
  const unknown = chosen.suites.filter((name) => folders[name] === undefined);
  if (unknown.length > 0 || chosen.paths.some((part) => part.startsWith("-"))) {
    process.stderr.write(`${usage}\n`);
    process.exit(2);
  }
  return chosen;
}

function testFiles(suite, paths) {
  const folder = path.join(root, folders[suite]);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".test.ts"));
  const files = names.toSorted().map((name) => `${folders[suite]}/${name}`);
  return files.filter((file) => paths.length === 0 || paths.some((part) => file.includes(part)));
}

function jsonLines(file) {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** Runs one group in a process of its own and returns its counts; a group that ends without counts is one failure. */
async function runGroup({ name, files, start }, scratch) {
  process.stdout.write(`\n── ${name}\n`);
  const began = Date.now();
  const summary = path.join(scratch, `${name}.summary`);
  const skips = path.join(scratch, `${name}.skips`);
  const succeeded = await start({ MANY_HANDS_SUMMARY: summary, MANY_HANDS_SKIPS: skips });
  const counts = jsonLines(summary).at(-1) ?? { passed: 0, failed: 0, pending: [], failures: [] };
  const failed = counts.failed === 0 && !succeeded ? 1 : counts.failed;
  const reasons = jsonLines(skips);
  const skipped = counts.pending.map((title) => ({
    title,
    reason: reasons.find(({ suite }) => title.startsWith(suite))?.reason ?? "no reason given",
  }));
  const seconds = (Date.now() - began) / 1000;
  return { name, files: files.length, passed: counts.passed, failed, failures: counts.failures, skipped, seconds };
}

function mochaGroup(name, files, { jobs, grep }) {
  const mocha = path.join(root, "node_modules", "mocha", "bin", "mocha.js");
  const flags = ["--reporter", path.join(root, "scripts", "summaryReporter.mjs")];
  if (grep !== undefined) flags.push("--grep", grep);
  if (inCi) flags.push("--forbid-only");
  if (jobs > 1 && files.length > 1) flags.push("--parallel", "--jobs", String(jobs));
  const start = async (env) => (await run(pinnedNode(), [mocha, ...flags, ...files], { env: projectEnv(env) })) === 0;
  return { name, files, start };
}

function skippedGroup(name, files, reason) {
  return { name, passed: 0, failed: 0, failures: [], skipped: files.map((title) => ({ title, reason })), seconds: 0 };
}

async function runSuites({ suites, grep, paths }, { chromium, missing }) {
  const scratch = mkdtempSync(path.join(tmpdir(), "many-hands-test-"));
  const files = Object.fromEntries(
    Object.keys(folders).map((name) => [name, suites.includes(name) ? testFiles(name, paths) : []]),
  );
  const results = [];
  const perform = async (group) => {
    if (group.files.length > 0) results.push(await runGroup(group, scratch));
  };
  const jobs = availableParallelism();
  const heavyJobs = Math.min(HEAVY_JOBS_MAX, jobs);
  const quick = parallelSuites.flatMap((name) => files[name]);
  await perform(mochaGroup(parallelSuites.filter((name) => suites.includes(name)).join(", "), quick, { jobs, grep }));
  await perform(mochaGroup("integration", files.integration, { jobs: heavyJobs, grep }));
  if (files.inside.length + files.user.length > 0) await packageExtension();
  const noBrowser = chromium === undefined ? `no Chromium: ${missing.chromium}` : undefined;
  const noServer = existsSync(codeServerEntry) ? undefined : `no code-server: ${missing["code-server"]}`;
  const noHost = desktopProgram() === undefined ? (noServer ?? noBrowser) : undefined;
  const skip = (name, left, reason) => left.length > 0 && results.push(skippedGroup(name, left, reason));
  const inside = { name: "inside VS Code", files: files.inside, start: (env) => runInside(files.inside, env) };
  if (noHost === undefined) await perform(inside);
  else skip(inside.name, files.inside, noHost);
  const noClicks = noServer ?? noBrowser;
  if (noClicks !== undefined) skip("VS Code in the browser", files.user, noClicks);
  const inBrowser = [...files.page, ...(noClicks === undefined ? files.user : [])];
  await perform(mochaGroup("in the browser", inBrowser, { jobs: heavyJobs, grep }));
  rmSync(scratch, { recursive: true, force: true });
  return results;
}

function total(results, count) {
  return results.reduce((sum, result) => sum + count(result), 0);
}

function report(results) {
  const skips = results.flatMap(({ skipped }) => skipped);
  process.stdout.write("\n");
  for (const { name, passed, failed, skipped, seconds } of results) {
    const counts = `${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`;
    process.stdout.write(`${name}: ${counts} in ${seconds.toFixed(1)} s\n`);
  }
  // Last, and all together: whoever sees only the end of a long output sees what failed, and why.
  for (const { title, error } of results.flatMap(({ failures }) => failures)) {
    process.stdout.write(`\nfailed: ${title}\n${error.replaceAll(/^/gm, "  ")}\n`);
  }
  for (const { title, reason } of skips) process.stdout.write(`skipped: ${title}: ${reason}\n`);
  const passed = total(results, (result) => result.passed);
  const failed = total(results, (result) => result.failed) + (inCi ? skips.length : 0);
  if (inCi && skips.length > 0) process.stdout.write("in CI a skipped test is a failed one\n");
  if (passed === 0 && failed === 0) process.stdout.write("no test was run\n");
  const tail = skips.length > 0 && !inCi ? `, ${skips.length} skipped` : "";
  process.stdout.write(`${passed} passed, ${failed} failed${tail}\n`);
  return failed === 0 && passed > 0;
}

const chosen = parseArguments(process.argv.slice(2));
const needsHost = chosen.suites.includes("inside") || chosen.suites.includes("user");
const ready = await setup({
  codeServer: needsHost,
  chromium: needsHost || chosen.suites.includes("page"),
  docker: chosen.suites.includes("contract"),
  sshd: chosen.suites.includes("contract") || chosen.suites.includes("integration"),
  bubblewrap: needsHost || chosen.suites.includes("contract") || chosen.suites.includes("integration"),
  git: chosen.suites.includes("integration"),
});
await continueOnPinnedNode(import.meta.url);
try {
  await build();
  process.exitCode = report(await runSuites(chosen, ready)) ? 0 : 1;
} catch (error) {
  process.stdout.write(`${error.message}\n0 passed, 1 failed\n`);
  process.exitCode = 1;
}
