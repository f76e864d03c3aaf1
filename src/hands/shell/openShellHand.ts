/** A hand over a far end that only gives a shell: its journal is there, and is read and written over that shell. */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";
import type { Hand, HandFiles, ProvisionContext } from "../../core/hand.ts";
import { limits } from "../../core/limits.ts";
import type { Egress } from "../../core/vault.ts";
import { OpenedEntrance } from "./handEntrance.ts";
import { journalOverShell } from "./journalFiles.ts";
import { Link } from "./link.ts";
import { filesOverShell } from "./shellFiles.ts";
import { ShellHand } from "./shellHand.ts";
import type { FarEnd } from "./shellStream.ts";

export interface OpenShellHandPorts {
  readonly clock: Clock;
  readonly farEnd: FarEnd;
  readonly spec: HandSpec;
  readonly context: ProvisionContext;
  /** Where this is, in words; system and directory are added. */
  readonly place: string;
  /** Absolute at the far end; null: the shell finds one. */
  readonly journal?: string | null;
  /** Default: over the shell. */
  readonly browse?: (link: Link) => HandFiles;
  /** What its network reaches through the credential proxy; null, the default: it is not limited. */
  readonly egress?: Egress | null;
}

/** `options.cwd`: absolute, or below `~`; default: the home folder there. Rejects with `hand_unavailable`. */
export async function openShellHand(ports: OpenShellHandPorts): Promise<Hand> {
  const { farEnd, context, egress = null } = ports;
  const entrance = await OpenedEntrance.open({ farEnd, context, egress });
  try {
    return await openWith(entrance, ports);
  } catch (thrown) {
    entrance.close();
    throw thrown;
  }
}

async function openWith(entrance: OpenedEntrance, ports: OpenShellHandPorts): Promise<Hand> {
  const { clock, farEnd, spec, context, place, journal = null } = ports;
  const link = await Link.open({
    clock,
    farEnd,
    signal: context.signal,
    settings: {
      journal,
      journalName: `${nameOf(context.sessionId)}-${nameOf(spec.name)}`,
      startDirectory: startDirectoryOf(spec),
      instance: `${spec.kind}-${randomUUID()}`,
      inlineBytes: limits.handInlineBytes,
      // What will be mounted there may be the folder itself.
      makesDirectory: (spec.resources ?? []).length > 0,
      callEnvironment: entrance.callEnvironment,
    },
  });
  entrance.linked(link);
  const { system, startDirectory } = link.facts;
  const whole = [`${place}${system === "" ? "" : ` (${system})`}`, `start directory ${startDirectory}`, entrance.lacks];
  const description = whole.filter((part) => part !== "").join(", ");
  const browse = ports.browse?.(link) ?? filesOverShell(link);
  return new ShellHand({ link, files: journalOverShell(link), browse, farEnd, clock, description, entrance });
}

function startDirectoryOf(spec: HandSpec): string | null {
  const cwd = spec.options?.["cwd"];
  if (cwd === undefined || cwd === "") return null;
  if (typeof cwd === "string" && /^(\/|~$|~\/)/.test(cwd)) return cwd;
  const message = `The hand "${spec.name}" has options.cwd ${JSON.stringify(cwd)}: give an absolute path, or one below ~.`;
  throw new ManyHandsError("hand_unavailable", "hand", message);
}

/** For a folder name: what is not plain is spelt out. */
function nameOf(name: string): string {
  return Array.from(name, (char) => (/[A-Za-z0-9_]/.test(char) ? char : `-${char.codePointAt(0)?.toString(16)}-`)).join(
    "",
  );
}
