/** Whether a sandbox can be had on this computer, and if not, why and what a person can do about it. */
import { execFile } from "node:child_process";
import { access, constants, readFile, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { limits } from "../../core/limits.ts";

export interface Bubblewrap {
  readonly program: string;
  /** `--perms` (0.5 and later). */
  readonly hasRights: boolean;
  /** `--disable-userns` (0.8 and later, not where it is installed setuid). */
  readonly canEndUserNamespaces: boolean;
}

/** Which one there is, or why there is none, in sentences. */
export async function findBubblewrap(path: string): Promise<Bubblewrap | string> {
  const [program, socat] = await Promise.all([find("bwrap", path), find("socat", path)]);
  const lacking = [program === null ? "bubblewrap (bwrap)" : null, socat === null ? "socat" : null].filter(
    (name) => name !== null,
  );
  if (program === null || socat === null) {
    const verb = lacking.length > 1 ? "are" : "is";
    return `${lacking.join(" and ")} ${verb} not installed. Install what is missing, on Debian and Ubuntu with: sudo apt-get install bubblewrap socat`;
  }
  const help = await run(program, ["--help"]);
  const { mode } = await stat(program);
  const found: Bubblewrap = {
    program,
    hasRights: help.text.includes("--perms"),
    canEndUserNamespaces: help.text.includes("--disable-userns") && (mode & 0o4000) === 0,
  };
  const tried = await run(program, [
    ...namespaceArguments(found),
    "--ro-bind",
    "/",
    "/",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
    "--",
    "/bin/sh",
    "-c",
    ":",
  ]);
  return tried.isGood ? found : why(tried.text);
}

/** What a sandbox has of its own. */
export function namespaceArguments({ canEndUserNamespaces }: Bubblewrap): string[] {
  const own = ["--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"];
  const more = canEndUserNamespaces ? ["--disable-userns"] : [];
  return [...own, "--unshare-cgroup-try", ...more, "--cap-drop", "ALL", "--new-session"];
}

const yesOrNo = [() => true, () => false] as const;

async function find(name: string, path: string): Promise<string | null> {
  for (const folder of path.split(delimiter)) {
    const program = join(folder, name);
    const canRun = folder.startsWith("/") && (await access(program, constants.X_OK).then(...yesOrNo));
    if (canRun) return program;
  }
  return null;
}

function run(program: string, args: readonly string[]): Promise<{ readonly isGood: boolean; readonly text: string }> {
  const options = { timeout: limits.handStepMs, env: { PATH: "/usr/bin:/bin" } };
  return new Promise((resolve) => {
    execFile(program, args, options, (thrown, stdout, stderr) =>
      resolve({ isGood: thrown === null, text: `${stdout}${stderr}`.trim() || String(thrown) }),
    );
  });
}

async function why(said: string): Promise<string> {
  const setting = async (path: string): Promise<string> =>
    (await readFile(`/proc/sys/${path}`, "utf8").catch(() => "")).trim();
  const words = `bubblewrap cannot make a sandbox here (it says: ${said.split("\n")[0]}).`;
  if ((await setting("kernel/apparmor_restrict_unprivileged_userns")) === "1") {
    return `${words} AppArmor does not let programs make user namespaces: give bwrap a profile that allows "userns", or run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`;
  }
  if ((await setting("kernel/unprivileged_userns_clone")) === "0") {
    return `${words} User namespaces are turned off; run: sudo sysctl -w kernel.unprivileged_userns_clone=1`;
  }
  if ((await setting("user/max_user_namespaces")) === "0") {
    return `${words} User namespaces are turned off; run: sudo sysctl -w user.max_user_namespaces=15000`;
  }
  return `${words} In a container, start that with rights to make namespaces (for Docker: --security-opt seccomp=unconfined --security-opt systempaths=unconfined), or let it be the confinement itself.`;
}
