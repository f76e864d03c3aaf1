#!/usr/bin/env node
// Stands in for the program of a desktop VS Code: takes the arguments of @vscode/test-electron and runs the tests in code-server.
import { format } from "node:util";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { startCodeServer } from "../../../scripts/codeServer.ts";
import { openBrowser, openWorkbench } from "./browser.ts";

const limitMs = 15 * 60_000;

function values(name) {
  const prefix = `--${name}=`;
  return process.argv.filter((arg) => arg.startsWith(prefix)).map((arg) => arg.slice(prefix.length));
}

/** What an argument of a forwarded console call says: strings as they are, the rest as JSON. */
function printed(args) {
  return format(
    ...(Array.isArray(args) ? args : [args]).map((arg) => (typeof arg === "string" ? arg : JSON.stringify(arg))),
  );
}

/** The server takes one extension in development; others are put where installed ones are. */
function install(folder, userDataDir) {
  const { publisher, name, version } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const target = path.join(userDataDir, "extensions", `${publisher}.${name}-${version}`);
  for (const part of ["package.json", "dist"]) {
    cpSync(path.join(folder, part), path.join(target, part), { recursive: true });
  }
}

const [extensionDevelopmentPath, ...others] = values("extensionDevelopmentPath");
const userDataDir = mkdtempSync(path.join(tmpdir(), "many-hands-inside-"));
for (const folder of others) install(folder, userDataDir);
const workspace = process.argv.slice(2).find((arg) => !arg.startsWith("-"));
const server = await startCodeServer({
  userDataDir,
  development: true,
  settings: JSON.parse(process.env.MANY_HANDS_TEST_SETTINGS ?? "{}"),
});
const browser = await openBrowser();
let exitCode = 1;
try {
  const page = await browser.newPage();
  const finished = new Promise((resolve) => {
    setTimeout(resolve, limitMs, 1).unref();
    void page.exposeFunction("codeAutomationExit", resolve);
  });
  await page.exposeFunction("codeAutomationLog", (type, args) => {
    if (type !== "trace" && type !== "debug") process.stdout.write(`${printed(args)}\n`);
  });
  const [extensionTestsPath] = values("extensionTestsPath");
  await openWorkbench(page, server.address(workspace, { extensionDevelopmentPath, extensionTestsPath }));
  exitCode = await finished;
} finally {
  await browser.close();
  await server.stop();
  rmSync(userDataDir, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(exitCode);
