/** The local kind of hand: a shell on this computer, in the workspace folder, with its journal in the session's storage. */
import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { arch, platform, release } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../core/clock.ts";
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";
import type { HandProvider } from "../../core/hand.ts";
import { messageOf } from "../../core/json.ts";
import { programEnvironment } from "../shell/programEnvironment.ts";
import { shellTools } from "../shell/tools.ts";

export interface LocalProviderPorts {
  readonly clock: Clock;
  /** Default: /bin/sh. */
  readonly shell?: string;
}

/** `options.cwd`: the start directory, absolute. */
export function createLocalProvider({ clock, shell = "/bin/sh" }: LocalProviderPorts): HandProvider {
  return {
    tools: () => shellTools,
    describe: (spec) => describe(spec),
    provision: async (spec, context) => {
      const startDirectory = directoryOf(spec);
      const journal = join(context.storagePath, "journal");
      try {
        await mkdir(journal, { recursive: true, mode: 0o700 });
        const [{ ShellHand }, { Link }, { filesOverShell }, { localFarEnd }, { localJournal }] = await Promise.all([
          import("../shell/shellHand.ts"),
          import("../shell/link.ts"),
          import("../shell/shellFiles.ts"),
          import("./localFarEnd.ts"),
          import("./localJournal.ts"),
        ]);
        const farEnd = localFarEnd(shell, programEnvironment(process.env));
        const instance = `local-${randomUUID()}`;
        const settings = { journal, journalName: "", startDirectory, instance, inlineBytes: 0 };
        const link = await Link.open({ clock, farEnd, settings, signal: context.signal });
        const files = localJournal(link.facts.journal, link.facts.startDirectory);
        return new ShellHand({ link, files, browse: filesOverShell(link), farEnd, clock, description: describe(spec) });
      } catch (thrown) {
        if (thrown instanceof ManyHandsError) throw thrown;
        const message = `The local hand cannot be provisioned: ${messageOf(thrown)}`;
        throw new ManyHandsError("hand_unavailable", "hand", message, thrown);
      }
    },
  };
}

function directoryOf(spec: HandSpec): string {
  const cwd = spec.options?.["cwd"];
  if (typeof cwd === "string" && cwd !== "") return cwd;
  throw new ManyHandsError(
    "hand_unavailable",
    "hand",
    `The hand "${spec.name}" needs options.cwd, its start directory.`,
  );
}

function describe(spec: HandSpec): string {
  return `this computer (${platform()} ${release()}, ${arch()}), start directory ${String(spec.options?.["cwd"] ?? "")}`;
}
