// Installs packages of Debian that tests need, as root or through a sudo that asks nothing; one installation at a time.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

let last = Promise.resolve();

/** Throws with the command that would bring them where they cannot be installed here. */
export function installDebianPackages(names, quietly) {
  const next = last.then(() => install(names, quietly));
  last = next.catch(() => {});
  return next;
}

async function install(names, quietly) {
  const command = `apt-get install -y --no-install-recommends ${names.join(" ")}`;
  if (!existsSync("/etc/debian_version")) throw new Error(`on Debian this would bring it: ${command}`);
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && spawnSync("sudo", ["-n", "true"]).status !== 0) throw new Error(`run: sudo ${command}`);
  const [first, ...rest] = isRoot ? ["apt-get"] : ["sudo", "-n", "apt-get"];
  // Others may be installing something too.
  const patient = [...rest, "-o", "DPkg::Lock::Timeout=300"];
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await quietly(first, [...patient, "update", "-q"], { env });
  await quietly(first, [...patient, ...command.split(" ").slice(1)], { env });
}
