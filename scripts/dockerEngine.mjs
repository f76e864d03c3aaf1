// Finds what the tests need to start a Docker engine of their own, or installs Debian's where that is allowed.
import { existsSync } from "node:fs";
import path from "node:path";
import { installPackages } from "./debian.mjs";

const packages = { dockerd: "docker.io", iptables: "iptables", ip: "iproute2", busybox: "busybox-static" };

function missingPackages() {
  const folders = [...(process.env.PATH ?? "").split(path.delimiter), "/usr/sbin", "/sbin"];
  const isThere = (name) => folders.some((folder) => existsSync(path.join(folder, name)));
  return Object.entries(packages).flatMap(([name, from]) => (isThere(name) ? [] : [from]));
}

/** True where nothing is to be done: all is there, or this is a system on which the tests start no engine. */
export function hasDockerEngine() {
  return process.platform !== "linux" || missingPackages().length === 0;
}

export function installDockerEngine(quietly) {
  return installPackages(
    quietly,
    missingPackages(),
    "install Docker's engine, iptables, iproute2 and a static busybox",
  );
}
