// Finds a Chromium for the tests that click, or installs Debian's where that is allowed.
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { installPackages } from "./debian.mjs";

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

/** Installs Debian's Chromium, or throws with what to do. */
export function installChromium(quietly) {
  return installPackages(quietly, debianPackages, "install Chromium or Google Chrome, or name one in CHROMIUM");
}
