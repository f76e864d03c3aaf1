// Makes many-hands.vsix, the installable extension, from a fresh build; refuses warnings and a file that is too big.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "./build.mjs";
import { continueOnPinnedNode, pinnedNode, root } from "./pinnedNode.mjs";
import { cacheFolder, quietly, setup } from "./setup.mjs";

export const vsixFile = path.join(root, "many-hands.vsix");
const stampFile = path.join(cacheFolder, "package.sha256");
const vsixBytesMax = 1_500_000;
/** It counts files. These are bundled, and split so that each is loaded when it is first used: what a start loads has its own limit. */
const knownWarning = /consists of .* files, out of which .* are JavaScript files/;
const packaged = ["package.json", "README.md", "CHANGELOG.md", "LICENSE", ".vscodeignore", "dist", "media"];

function fingerprint() {
  const hash = createHash("sha256");
  const add = (file) => {
    if (!existsSync(file)) return;
    if (statSync(file).isDirectory()) for (const name of readdirSync(file).toSorted()) add(path.join(file, name));
    else hash.update(`${path.relative(root, file)}\0`).update(readFileSync(file));
  };
  for (const name of packaged) add(path.join(root, name));
  return hash.digest("hex");
}

/** Builds, and packages where anything that goes into the VSIX has changed. Resolves to true where it made a new one. */
export async function packageExtension({ sizes = false } = {}) {
  await build({ sizes });
  const wanted = fingerprint();
  const made = existsSync(stampFile) ? readFileSync(stampFile, "utf8") : "";
  if (existsSync(vsixFile) && made === wanted) return false;
  const vsce = path.join(root, "node_modules", "@vscode", "vsce", "vsce");
  const flags = ["--no-dependencies", "--allow-missing-repository", "--no-rewrite-relative-links", "--out", vsixFile];
  const printed = await quietly(pinnedNode(), [vsce, "package", ...flags]);
  const warnings = printed.split("\n").filter((line) => /warning/i.test(line) && !knownWarning.test(line));
  if (warnings.length > 0) throw new Error(`packaging gave warnings:\n${printed}`);
  if (sizes) process.stdout.write(printed);
  const { size } = statSync(vsixFile);
  if (size > vsixBytesMax) throw new Error(`${vsixFile} has ${size} bytes, the limit is ${vsixBytesMax}`);
  writeFileSync(stampFile, wanted);
  return true;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await setup();
  await continueOnPinnedNode(import.meta.url);
  try {
    await packageExtension({ sizes: true });
    process.stdout.write(
      `many-hands.vsix: ${(statSync(vsixFile).size / 1000).toFixed(1)} kB, the limit is ${vsixBytesMax / 1000} kB\n`,
    );
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
