// Runs test/vscode/inside within the extension host of a real VS Code: a desktop one if there is one, else code-server.
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { desktopProgram } from "./desktop.mjs";
import { projectEnv, root } from "./pinnedNode.mjs";
import { cacheFolder } from "./setup.mjs";

const bundle = path.join(cacheFolder, "inside");
const shim = path.join(root, "test", "vscode", "host", "codeServerExecutable.mjs");
const sample = path.join(root, "media", "sample-workspace");

/** The suites as plain modules: the Node inside a desktop VS Code does not strip types. Packages stay where they are. */
async function bundleSuites(files) {
  const { build } = await import("esbuild");
  rmSync(bundle, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: ["test/vscode/host/inside.ts", ...files],
    outbase: "test/vscode",
    outdir: bundle,
    entryNames: "[name]",
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    packages: "external",
    sourcemap: "inline",
    logLevel: "warning",
  });
}

/** Runs the given test files in a copy of the sample workspace. Resolves to true where all passed. */
export async function runInside(files, env) {
  await bundleSuites(files);
  const { runTests } = await import("@vscode/test-electron");
  const scratch = mkdtempSync(path.join(tmpdir(), "many-hands-workspace-"));
  const workspace = path.join(scratch, "sample");
  mkdirSync(workspace);
  if (existsSync(sample)) cpSync(sample, workspace, { recursive: true });
  Object.assign(process.env, projectEnv());
  try {
    await runTests({
      vscodeExecutablePath: desktopProgram() ?? shim,
      extensionDevelopmentPath: [root, path.join(root, "samples", "emulator")],
      extensionTestsPath: path.join(bundle, "inside.mjs"),
      launchArgs: [workspace],
      extensionTestsEnv: env,
    });
    return true;
  } catch (error) {
    process.stdout.write(`${error.message}\n`);
    return false;
  } finally {
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  }
}
