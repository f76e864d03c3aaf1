// Installs packages of Debian that tests need, where that is allowed.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** One apt-get at a time: it keeps others out by a lock. */
let last = Promise.resolve();

/**
 * As root, or through a sudo that asks nothing; otherwise throws with the command to run. `otherwise`: what to do on a system
 * that is no Debian.
 */
export function installPackages(quietly, packages, otherwise) {
  const install = async () => {
    const command = `apt-get install -y --no-install-recommends ${packages.join(" ")}`;
    if (!existsSync("/etc/debian_version")) throw new Error(otherwise);
    const isRoot = process.getuid?.() === 0;
    if (!isRoot && spawnSync("sudo", ["-n", "true"]).status !== 0) throw new Error(`run: sudo ${command}`);
    const [first, ...rest] = isRoot ? ["apt-get"] : ["sudo", "-n", "apt-get"];
    // Others may be installing something too.
    const patient = [...rest, "-o", "DPkg::Lock::Timeout=300"];
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    await quietly(first, [...patient, "update", "-q"], { env });
    await quietly(first, [...patient, ...command.split(" ").slice(1)], { env });
  };
  const installed = last.then(install);
  last = installed.catch(() => {});
  return installed;
}
