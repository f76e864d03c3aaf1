/** Which host a hand's spec names, and by which way it is to be reached. */
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";

export interface SshTarget {
  /** As one types it after `ssh`: an alias, a host, user@host. */
  readonly host: string;
  readonly port: number | null;
  /** An ssh_config to be read instead of the person's own. */
  readonly configFile: string | null;
  readonly transport: "auto" | "ssh2" | "system";
}

/** Rejects what ssh could take for an option or for two words. Throws `hand_unavailable`. */
export function targetOf({ name, options = {} }: HandSpec): SshTarget {
  const { host, port, configFile, transport = "auto" } = options;
  const refuse = (what: string): ManyHandsError =>
    new ManyHandsError("hand_unavailable", "hand", `The hand "${name}" ${what}.`);
  if (typeof host !== "string" || host === "") {
    throw refuse("needs options.host: a host of ssh_config, or user@host");
  }
  if (host.startsWith("-") || /[\s\p{Cc}]/u.test(host)) {
    throw refuse(`has options.host ${JSON.stringify(host)}, which is no name of a host`);
  }
  if (port !== undefined && !(typeof port === "number" && Number.isInteger(port) && port > 0 && port < 65_536)) {
    throw refuse("has an options.port that is no number from 1 to 65535");
  }
  if (configFile !== undefined && (typeof configFile !== "string" || configFile === "")) {
    throw refuse("has an options.configFile that is no path");
  }
  if (transport !== "auto" && transport !== "ssh2" && transport !== "system") {
    throw refuse('has an options.transport that is none of "auto", "ssh2" and "system"');
  }
  return { host, port: port ?? null, configFile: configFile ?? null, transport };
}

/** What ssh is given to mean this host. */
export function sshArguments({ host, port, configFile }: SshTarget): readonly string[] {
  return [
    ...(configFile === null ? [] : ["-F", configFile]),
    ...(port === null ? [] : ["-p", String(port)]),
    "--",
    host,
  ];
}
