/** The hand that matches a remote window: the host, container or distribution that VS Code itself is connected to. Pure. */
import { isObject } from "../core/json.ts";
import type { HandCandidate } from "./handDiscovery.ts";

export interface RemoteWindow {
  /** `<kind>+<where>`, of the workspace folder's address. */
  readonly authority: string;
  /** At the far end. */
  readonly folder: string;
}

/** `findContainer`: the name of the container that was made for a folder of this computer, or null. */
export async function remoteCandidate(
  { authority, folder }: RemoteWindow,
  findContainer: (localFolder: string) => Promise<string | null>,
): Promise<HandCandidate | null> {
  const [kind = "", ...rest] = authority.split("+");
  // A dev container on a remote host is not reached from here.
  const where = rest.join("+");
  if (where === "" || where.includes("@")) return null;
  switch (kind) {
    case "ssh-remote":
      return sshCandidate(where, folder);
    case "wsl":
      return wslCandidate(where, folder);
    case "attached-container":
      return containerCandidate(memberOf(where, "containerName"), folder);
    case "dev-container": {
      const localFolder = memberOf(where, "hostPath") ?? unhexed(where);
      return localFolder === null ? null : containerCandidate(await findContainer(localFolder), folder);
    }
    default:
      return null;
  }
}

/** Where a host has more than a name, the authority holds JSON. */
function sshCandidate(where: string, folder: string): HandCandidate {
  const host = memberOf(where, "hostName") ?? where;
  const user = memberOf(where, "user");
  const port = Number(memberOf(where, "port") ?? Number.NaN);
  const options = {
    host: user === null ? host : `${user}@${host}`,
    ...(Number.isInteger(port) ? { port } : {}),
    cwd: folder,
  };
  return candidate(host, "the host that this window is on", "remote", { kind: "ssh", options });
}

function wslCandidate(distribution: string, folder: string): HandCandidate {
  const options = { argv: ["wsl.exe", "-d", distribution, "--exec", "sh"], cwd: folder };
  const about = "the distribution that this window is on";
  return candidate(distribution, about, "terminal-linux", { kind: "command", options });
}

function containerCandidate(container: string | null, folder: string): HandCandidate | null {
  const name = container?.replace(/^\//, "") ?? "";
  if (name === "") return null;
  const options = { container: name, cwd: folder };
  return candidate(name, "the container that this window is in", "vm-running", { kind: "docker", options });
}

function candidate(label: string, description: string, icon: string, spec: HandCandidate["spec"]): HandCandidate {
  return { label, description, icon, name: label, spec };
}

function memberOf(where: string, member: string): string | null {
  try {
    const value: unknown = JSON.parse(unhexed(where) ?? where);
    const found = isObject(value) ? value[member] : undefined;
    return typeof found === "string" || typeof found === "number" ? String(found) : null;
  } catch {
    return null;
  }
}

/** Null where it is no text in hexadecimal. */
function unhexed(text: string): string | null {
  return /^([0-9a-f]{2})+$/i.test(text) ? Buffer.from(text, "hex").toString("utf8") : null;
}
