// Finds what tests of hands over SSH need, a real sshd and namespaces of the network, or installs Debian's.
import { existsSync } from "node:fs";
import { installPackages } from "./debian.mjs";

const places = ["/usr/sbin/sshd", "/usr/bin/ssh", "/sbin/ip"];
const debianPackages = ["openssh-server", "openssh-client", "iproute2"];

export function hasSshd() {
  return process.platform !== "linux" ? existsSync("/usr/sbin/sshd") : places.every((place) => existsSync(place));
}

/** Otherwise throws with what to do. The tests start their own sshd; Debian's service is not needed. */
export function installSshd(quietly) {
  return installPackages(quietly, debianPackages, "install OpenSSH's server and client, and iproute2 on Linux");
}
