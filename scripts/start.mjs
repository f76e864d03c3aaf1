// Runs the product: builds it and opens the sample workspace in a VS Code that is on this computer or comes through npm.
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { build } from "./build.mjs";
import { codeCommand, desktopProgramOrDownload } from "./desktop.mjs";
import { packageExtension, vsixFile } from "./package.mjs";
import { continueOnPinnedNode, projectEnv, root, run } from "./pinnedNode.mjs";
import { cacheFolder, setup } from "./setup.mjs";

const home = path.join(cacheFolder, "start");
const workspace = path.join(home, "sample-workspace");
const userDataDir = path.join(home, "user-data");
const addressFile = path.join(home, "address");
const sample = path.join(root, "media", "sample-workspace");
const preferredPort = 7717;
const aliveDeadlineMs = 2_000;

function say(line = "") {
  process.stdout.write(`${line}\n`);
}

/** The settings that the first start is given: without a key the rehearsal plays. What a person changes later stays. */
const firstSettings = {
  "manyHands.model.provider": "rehearsal",
  // The workspace is a copy inside of this clone, whose repository is none of its business.
  "git.openRepositoryInParentFolders": "never",
};

function prepareWorkspace() {
  if (existsSync(workspace)) return;
  mkdirSync(workspace, { recursive: true });
  if (existsSync(sample)) cpSync(sample, workspace, { recursive: true });
}

function sayWhatToDo(where) {
  say();
  say(`  Many Hands runs in ${where}.`);
  say("  1. Click the hands in the activity bar, then “New Session”.");
  say("  2. Give it a task; without a key the rehearsal model plays a fixed part and says so.");
  say("  3. Own key: “Many Hands: Set API Key” in the command palette (F1).");
  say();
  say(`  The workspace is a copy, ${path.relative(process.cwd(), workspace)}: change it as you like.`);
}

async function startDesktop(program, args) {
  await build({ development: true });
  const settings = path.join(userDataDir, "User", "settings.json");
  if (!existsSync(settings)) {
    mkdirSync(path.dirname(settings), { recursive: true });
    writeFileSync(settings, JSON.stringify(firstSettings, undefined, 2));
  }
  sayWhatToDo("the VS Code window that opens now. It ends when you close that window");
  const folders = [`--user-data-dir=${userDataDir}`, `--extensions-dir=${path.join(userDataDir, "extensions")}`];
  return run(program, [...args, ...folders, `--extensionDevelopmentPath=${root}`, workspace]);
}

async function answers(address) {
  try {
    return (await fetch(`${address}/healthz`, { signal: AbortSignal.timeout(aliveDeadlineMs) })).ok;
  } catch {
    return false;
  }
}

/** Workspace storage hangs on the address, so a start takes the port of the last one wherever that is free. */
async function choosePort() {
  const free = (port) =>
    new Promise((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
  const last = existsSync(addressFile) ? Number(new URL(readFileSync(addressFile, "utf8")).port) : preferredPort;
  if (await free(last)) return last;
  if (last !== preferredPort) {
    say(`Port ${last} is taken: this start has another, and earlier sessions show again under the old one.`);
  }
  return 0;
}

function openInBrowser(address) {
  const command = process.platform === "darwin" ? "open" : process.env.DISPLAY ? "xdg-open" : undefined;
  if (command === undefined) return;
  const child = spawn(command, [address], { stdio: "ignore", detached: true });
  child.on("error", () => {});
  child.unref();
}

async function startInBrowser() {
  if (existsSync(addressFile) && (await answers(readFileSync(addressFile, "utf8")))) {
    say(`\n  It runs already: open  ${readFileSync(addressFile, "utf8")}/?folder=${encodeURIComponent(workspace)}\n`);
    return 0;
  }
  const { startCodeServer } = await import("./codeServer.ts");
  const firstTime = !existsSync(path.join(userDataDir, "User", "settings.json"));
  const renewed = await packageExtension();
  const installed = existsSync(path.join(userDataDir, "extensions", "extensions.json"));
  const server = await startCodeServer({
    userDataDir,
    port: await choosePort(),
    settings: firstTime ? firstSettings : {},
    ...(renewed || !installed ? { vsix: vsixFile } : {}),
  });
  writeFileSync(addressFile, server.origin);
  const address = `${server.origin}/?folder=${encodeURIComponent(workspace)}`;
  sayWhatToDo("a VS Code for the browser");
  say(`\n  Open  ${address}\n\n  It keeps running until Ctrl+C.`);
  openInBrowser(address);
  // The signal comes more than once: from the terminal, and from each program above that passes it on.
  let stopping;
  const stop = () => (stopping ??= server.stop());
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);
  await server.ended;
  return 0;
}

await setup();
await continueOnPinnedNode(import.meta.url);
prepareWorkspace();
const command = codeCommand();
const program = command === undefined ? await desktopProgramOrDownload() : undefined;
if (command !== undefined) process.exit(await startDesktop(command, ["--new-window", "--wait"]));
if (program !== undefined) process.exit(await startDesktop(program, ["--new-window"]));
await setup({ codeServer: true });
Object.assign(process.env, projectEnv());
process.exit(await startInBrowser());
