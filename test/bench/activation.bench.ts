/**
 * Activation in a real VS Code: how long it takes, the loading of code included, in a fresh extension host each time.
 * Another extension, which starts before this one, waits until VS Code's own start is over (what else loads at that time
 * would be measured with it), asks for the activation, and then for the list of sessions, which needs the whole program.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { build, loadedAtStart } from "../../scripts/build.mjs";
import { startCodeServer } from "../../scripts/codeServer.ts";
import { packageExtension, vsixFile } from "../../scripts/package.mjs";
import { openBrowser } from "../vscode/host/browser.ts";
import { median } from "./benchLog.ts";
import type { Figure } from "./benchLog.ts";

const STARTS = 15;
const ENTRY_KB_MAX = 150;
const PATIENCE_MS = 60_000;

interface Activation {
  readonly ms: number;
  /** Until the list of sessions was there. */
  readonly runningMs: number;
  readonly wasActive: boolean;
}

/** The extension that measures. It is loaded from its folder, and appends a line for each start to `file`. */
function writeProbe(folder: string, file: string): void {
  mkdirSync(folder, { recursive: true });
  const manifest = {
    name: "probe",
    publisher: "many-hands-bench",
    version: "1.0.0",
    engines: { vscode: "^1.80.0" },
    activationEvents: ["*"],
    main: "./probe.js",
    extensionKind: ["workspace"],
  };
  writeFileSync(path.join(folder, "package.json"), JSON.stringify(manifest));
  const code = `
    const { appendFileSync } = require("node:fs");
    const vscode = require("vscode");
    async function lag() {
      const start = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 20));
      return performance.now() - start - 20;
    }
    exports.activate = async () => {
      for (let quiet = 0; quiet < 25;) quiet = (await lag()) < 3 ? quiet + 1 : 0;
      const extension = vscode.extensions.getExtension("many-hands.many-hands");
      const wasActive = extension.isActive;
      const start = performance.now();
      const api = await extension.activate();
      const ms = performance.now() - start;
      await api.listSessions();
      const runningMs = performance.now() - start;
      appendFileSync(${JSON.stringify(file)}, JSON.stringify({ ms, runningMs, wasActive }) + "\\n");
    };`;
  writeFileSync(path.join(folder, "probe.js"), code);
}

function readActivations(file: string): readonly Activation[] {
  try {
    return readFileSync(file, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Activation);
  } catch {
    return [];
  }
}

async function measure(scratch: string): Promise<readonly Activation[]> {
  const [file, probe, workspace] = ["starts", "probe", "workspace"].map((name) => path.join(scratch, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(workspace);
  writeProbe(probe, file);
  const userDataDir = path.join(scratch, "user-data");
  const server = await startCodeServer({ userDataDir, vsix: vsixFile, development: true, idleSeconds: 600 });
  const browser = await openBrowser();
  try {
    const page = await browser.newPage();
    for (let start = 1; start <= STARTS; start += 1) {
      await page.goto(server.address(workspace, { extensionDevelopmentPath: probe }));
      for (const deadline = Date.now() + PATIENCE_MS; readActivations(file).length < start;) {
        if (Date.now() > deadline) throw new Error(`the extension was not activated in start ${start}`);
        await page.waitForTimeout(100);
      }
    }
    return readActivations(file);
  } finally {
    await browser.close();
    await server.stop();
  }
}

export async function bench(): Promise<readonly Figure[]> {
  const { extension } = await build();
  const kilobytes =
    loadedAtStart(extension).reduce((sum, name) => sum + (extension.outputs[name]?.bytes ?? 0), 0) / 1000;
  await packageExtension();
  const scratch = mkdtempSync(path.join(tmpdir(), "many-hands-activation-"));
  try {
    const activations = await measure(scratch);
    if (activations.some(({ wasActive }) => wasActive)) {
      throw new Error("the extension was active before it was asked for");
    }
    const times = activations.map(({ ms }) => ms);
    const p50 = median(times);
    const running = median(activations.map(({ runningMs }) => runningMs));
    return [
      {
        name: "activation, p50",
        value: p50,
        unit: "ms",
        target: "≤ 30",
        ok: p50 <= 30,
        detail: `${times.length} starts of a real extension host, ${Math.min(...times).toFixed(0)} to ${Math.max(...times).toFixed(0)} ms; the whole program runs after ${running.toFixed(0)} ms`,
      },
      {
        name: "entry bundle, with all that every start loads after it",
        value: kilobytes,
        unit: "kB",
        target: `≤ ${ENTRY_KB_MAX}`,
        ok: kilobytes <= ENTRY_KB_MAX,
      },
    ];
  } finally {
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  }
}
