/** Whether a host can be reached by ssh2, or needs the system's ssh for what ssh2 does not have. */
import { execFile } from "node:child_process";
import type { Known } from "./hostTrust.ts";
import { isHardwareType, readKeyFile } from "./keyFile.ts";
import type { SshSettings } from "./sshConfig.ts";

export interface TransportChoice {
  readonly transport: "ssh2" | "system";
  /** For `system`: what needs it, in words. */
  readonly why: string;
  /** There are keys that only the system's ssh can use: to be tried where the host takes none of the others. */
  readonly hasMore: boolean;
}

export interface ChoosePorts {
  readonly settings: SshSettings;
  readonly known: Known;
  readonly environment: NodeJS.ProcessEnv;
  readonly stepMs: number;
}

export async function chooseTransport({ settings, known, environment, stepMs }: ChoosePorts): Promise<TransportChoice> {
  const system = (why: string): TransportChoice => ({ transport: "system", why, hasMore: false });
  if (settings.beyond !== null) return system(settings.beyond);
  const isCertified = known.lines.some(({ marker }) => marker === "cert-authority");
  if (isCertified) return system("a certificate authority for its host key");
  const run = (program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string | null> =>
    new Promise((resolve) => {
      execFile(program, args, { env, timeout: stepMs, windowsHide: true }, (thrown, stdout) =>
        resolve(thrown === null ? stdout : null),
      );
    });
  if (!settings.publicKeys) return { transport: "ssh2", why: "", hasMore: false };
  const hasTicket = settings.gssapi && (await run("klist", ["-s"], environment)) !== null;
  if (hasTicket) return system("a Kerberos ticket (GSSAPI)");
  const files = (await Promise.all(settings.identityFiles.map(readKeyFile))).filter((file) => file !== null);
  const listed = await agentTypes(settings, environment, run);
  const special = [
    ...files.flatMap(({ type, isCertified, path }) =>
      isCertified ? [`the certificate of ${path}`] : isHardwareType(type) ? [`the hardware key ${path}`] : [],
    ),
    ...listed.filter(isSpecial).map((type) => `a key of the agent (${type})`),
  ];
  const hasPlain =
    files.some(({ type, isCertified, content }) => content !== null && !isCertified && !isHardwareType(type)) ||
    listed.some((type) => !isSpecial(type));
  if (special.length > 0 && !hasPlain) return system(special[0] ?? "");
  return { transport: "ssh2", why: special[0] ?? "", hasMore: special.length > 0 };
}

function isSpecial(type: string): boolean {
  return isHardwareType(type) || type.includes("-cert-");
}

/** Types of the keys that the agent holds. ssh2 passes over those that it does not know. */
async function agentTypes(
  { agent, identitiesOnly }: SshSettings,
  environment: NodeJS.ProcessEnv,
  run: (program: string, args: readonly string[], env: NodeJS.ProcessEnv) => Promise<string | null>,
): Promise<readonly string[]> {
  if (agent === null || identitiesOnly) return [];
  const text = (await run("ssh-add", ["-L"], { ...environment, SSH_AUTH_SOCK: agent })) ?? "";
  return text.split("\n").flatMap((line) => {
    const [type = "", blob = ""] = line.split(" ");
    return blob === "" ? [] : [type];
  });
}
