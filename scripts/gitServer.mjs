// Finds what tests of git through the vault need, git's server side and git-lfs, or installs Debian's.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { installPackages } from "./debian.mjs";

export function hasGitServer() {
  const folder = spawnSync("git", ["--exec-path"], { encoding: "utf8" }).stdout?.trim() ?? "";
  const hasLfs = spawnSync("git", ["lfs", "version"]).status === 0;
  return hasLfs && existsSync(path.join(folder, "git-http-backend"));
}

export function installGitServer(quietly) {
  return installPackages(quietly, ["git", "git-lfs"], "install git with git-http-backend, and git-lfs");
}
