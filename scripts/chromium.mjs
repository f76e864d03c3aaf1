// Finds a Chromium for the tests that click, or installs Debian's where that is allowed.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import path from "node:path";

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
const macPaths = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
const debianPackages = ["chromium", "fonts-dejavu-core"];

function executable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of a Chromium or Chrome (CHROMIUM names one of your own), or undefined. */
export function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const candidates = names.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  return [...candidates, ...macPaths].find((file) => executable(file));
}

/** Installs Debian's Chromium as root or through a sudo that asks nothing; otherwise throws with the command to run. */
export async function installChromium(quietly) {
  const command = `apt-get install -y --no-install-recommends ${debianPackages.join(" ")}`;
  if (!existsSync("/etc/debian_version")) throw new Error("install Chromium or Google Chrome, or name one in CHROMIUM");
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && spawnSync("sudo", ["-n", "true"]).status !== 0) throw new Error(`run: sudo ${command}`);
  const [first, ...rest] = isRoot ? ["apt-get"] : ["sudo", "-n", "apt-get"];
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await quietly(first, [...rest, "update", "-q"], { env });
  await quietly(first, [...rest, ...command.split(" ").slice(1)], { env });
}
