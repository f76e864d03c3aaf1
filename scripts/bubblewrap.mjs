// Finds what confines the local hand on Linux, bubblewrap and socat, or installs Debian's.
import { existsSync } from "node:fs";
import { installPackages } from "./debian.mjs";

const places = ["/usr/bin/bwrap", "/usr/bin/socat"];

export function hasBubblewrap() {
  return process.platform !== "linux" || places.every((place) => existsSync(place));
}

/** Otherwise throws with what to do. */
export function installBubblewrap(quietly) {
  return installPackages(quietly, ["bubblewrap", "socat"], "install bubblewrap and socat");
}
