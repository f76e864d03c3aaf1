// Bundles the extension (a small entry; the rest split so that what is not needed at once loads later) and the page of a session into dist/.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { continueOnPinnedNode, root } from "./pinnedNode.mjs";

const dist = path.join(root, "dist");
const entryBytesMax = 150_000;
/** Packages that must not load at every start: each costs more than the whole start may. */
const lazyPackages = ["@anthropic-ai/sdk", "ssh2", "dockerode", "@modelcontextprotocol/client"];

const requireForCommonJs = [
  'import { createRequire as __createRequire } from "node:module";',
  "const require = __createRequire(import.meta.url);",
  "const __filename = import.meta.filename;",
  "const __dirname = import.meta.dirname;",
].join("\n");

function shared(development) {
  return {
    absWorkingDir: root,
    outdir: "dist",
    bundle: true,
    write: false,
    metafile: true,
    minify: !development,
    sourcemap: development ? "linked" : false,
    legalComments: "none",
    logLevel: "warning",
    define: { "process.env.NODE_ENV": JSON.stringify(development ? "development" : "production") },
    loader: { ".svg": "text", ".sh": "text" },
  };
}

/** The entry, which activation waits for, and what it loads in the moment after. */
const startEntries = ["dist/extension.cjs", "dist/composition.js"];

/** Everything that every start loads, used or not: the entries and what they import statically. */
export function loadedAtStart(metafile) {
  const seen = new Set();
  const queue = [...startEntries];
  for (const file of queue) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const { path: imported, kind } of metafile.outputs[file]?.imports ?? []) {
      if (kind !== "dynamic-import") queue.push(imported);
    }
  }
  return [...seen].filter((file) => metafile.outputs[file] !== undefined);
}

function packageOf(input) {
  return /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
}

/** What is wrong with the entry's weight, as sentences; empty where nothing is. */
function entryFaults(metafile) {
  const closure = loadedAtStart(metafile);
  const bytes = closure.reduce((sum, file) => sum + metafile.outputs[file].bytes, 0);
  const inputs = closure.flatMap((file) => Object.keys(metafile.outputs[file].inputs));
  const early = lazyPackages.filter((name) => inputs.some((input) => packageOf(input) === name));
  const faults = early.map((name) => `${name} is loaded at every start; import it where it is first used`);
  if (bytes > entryBytesMax) faults.push(`a start loads ${bytes} bytes, the limit is ${entryBytesMax}`);
  return faults;
}

/** The licences of the bundled packages, which their terms want to travel with the copies. */
function thirdPartyLicences(metafiles) {
  const inputs = metafiles.flatMap((metafile) =>
    Object.keys(metafile.outputs).flatMap((file) => Object.keys(metafile.outputs[file].inputs)),
  );
  const folders = new Set(
    inputs.map((input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(input)?.[0]).filter(Boolean),
  );
  const texts = [...folders].toSorted().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(path.join(root, folder, "package.json"), "utf8"));
    const file = readdirSync(path.join(root, folder)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const text = file === undefined ? "" : readFileSync(path.join(root, folder, file), "utf8").trim();
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

/** Writes only what has changed and removes what is no longer made, so that a running VS Code is disturbed least. */
function writeOutputs(outputs) {
  const wanted = new Set(outputs.map(({ path: file }) => file));
  for (const { path: file, contents } of outputs) {
    if (existsSync(file) && readFileSync(file).equals(contents)) continue;
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, contents);
  }
  for (const file of filesUnder(dist)) if (!wanted.has(file)) rmSync(file);
}

/**
 * The entry is CommonJS, which the extension host loads in one go; a module would be read and linked in steps, each behind
 * what other extensions do at that time. It is kept apart from the rest, which it loads as a module of its own.
 */
const compositionApart = {
  name: "composition apart",
  setup: ({ onResolve }) =>
    onResolve({ filter: /\/composition\.ts$/ }, () => ({ path: "./composition.js", external: true })),
};

/**
 * Builds into dist/ and resolves to `{ extension, page }` as esbuild's metafiles. Throws where the sources do not bundle
 * or the entry is too heavy. With `development` the code is readable and has source maps.
 */
export async function build({ development = false, sizes = false } = {}) {
  const esbuild = await import("esbuild");
  const [entry, composition, page, sample] = await Promise.all([
    esbuild.build({
      ...shared(development),
      entryPoints: ["src/extension.ts"],
      outExtension: { ".js": ".cjs" },
      format: "cjs",
      platform: "node",
      target: "node24",
      external: ["vscode"],
      plugins: [compositionApart],
    }),
    esbuild.build({
      ...shared(development),
      entryPoints: ["src/composition.ts"],
      format: "esm",
      splitting: true,
      platform: "node",
      target: "node24",
      // Native parts that ssh2 can do without.
      external: ["vscode", "cpu-features", "*.node"],
      chunkNames: "chunks/[name]-[hash]",
      banner: { js: requireForCommonJs },
    }),
    esbuild.build({
      ...shared(development),
      entryPoints: { "webview/page": "src/webview/page.ts" },
      format: "iife",
      platform: "browser",
      target: "es2024",
    }),
    esbuild.build({
      ...shared(development),
      outdir: "samples/emulator/dist",
      entryPoints: ["samples/emulator/src/extension.ts"],
      outExtension: { ".js": ".cjs" },
      format: "cjs",
      platform: "node",
      target: "node24",
      external: ["vscode"],
    }),
  ]);
  const extension = { outputs: { ...entry.metafile.outputs, ...composition.metafile.outputs } };
  const licences = Buffer.from(thirdPartyLicences([extension, page.metafile]));
  const notice = { path: path.join(dist, "THIRD-PARTY-LICENSES.txt"), contents: licences };
  writeOutputs([...entry.outputFiles, ...composition.outputFiles, ...page.outputFiles, notice, ...sample.outputFiles]);
  if (sizes) printSizes({ ...extension.outputs, ...page.metafile.outputs }, extension);
  const faults = development ? [] : entryFaults(extension);
  if (faults.length > 0) throw new Error(faults.join("\n"));
  return { extension, page: page.metafile };
}

function printSizes(outputs, extensionMetafile) {
  const early = new Set(loadedAtStart(extensionMetafile));
  for (const [file, { bytes }] of Object.entries(outputs).toSorted((a, b) => b[1].bytes - a[1].bytes)) {
    const when = early.has(file) ? "at start" : file.startsWith("dist/webview/") ? "in the page" : "when needed";
    process.stdout.write(`${(bytes / 1000).toFixed(1).padStart(9)} kB  ${file}  (${when})\n`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { setup } = await import("./setup.mjs");
  await setup();
  await continueOnPinnedNode(import.meta.url);
  try {
    await build({ development: process.argv.includes("--dev"), sizes: true });
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
