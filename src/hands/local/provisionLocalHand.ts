/** Makes a local hand: its journal, its confinement where there is to be one, and the shell in it. */
import { mkdir } from "node:fs/promises";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";
import type { Hand, ProvisionContext } from "../../core/hand.ts";
import type { FarEnd } from "../shell/shellStream.ts";
import type { Confinement, LocalSettings } from "./confinement.ts";
import { confinedWords, unconfinedWords, whyNot } from "./confinementWords.ts";
import { localEnvironment } from "./localEnvironment.ts";
import { localFarEnd } from "./localFarEnd.ts";
import type { LocalProviderPorts } from "./localProvider.ts";
import { openLocalHand } from "./openLocalHand.ts";

interface Wanted {
  readonly spec: HandSpec;
  /** This computer and the start directory, in words. */
  readonly where: string;
  readonly context: ProvisionContext;
}

interface Opened {
  readonly farEnd: FarEnd;
  readonly words: string;
  readonly isConfined: boolean;
}

/** Rejects with words for people where it cannot be had. */
export async function provisionLocalHand(
  ports: LocalProviderPorts,
  settings: LocalSettings,
  { spec, where, context }: Wanted,
): Promise<Hand> {
  const { clock } = ports;
  const startDirectory = directoryOf(spec);
  const journal = join(context.storagePath, "journal");
  await mkdir(journal, { recursive: true, mode: 0o700 });
  const { farEnd, words, isConfined } = await openFarEnd(ports, settings, { startDirectory, journal, context });
  const egress = isConfined ? { allowed_hosts: settings.allowedHosts } : null;
  const place = `${where}, ${words}`;
  return openLocalHand({ clock, farEnd, context, journal, startDirectory, place, egress, isConfined });
}

interface Place {
  readonly startDirectory: string;
  readonly journal: string;
  readonly context: ProvisionContext;
}

async function openFarEnd(ports: LocalProviderPorts, settings: LocalSettings, place: Place): Promise<Opened> {
  const { shell = "/bin/sh", ownFolders = [], environment: own = process.env } = ports;
  const { startDirectory, journal, context } = place;
  const environment = localEnvironment(own, settings.environment);
  let missing: string | null = null;
  if (settings.mode !== "off") {
    const confinement = await confinementHere(own["PATH"] ?? "");
    missing = typeof confinement === "string" ? confinement : await confinement.missing();
    if (missing === null && typeof confinement !== "string") {
      const { confinementRules } = await import("./confinementRules.ts");
      const homes = [...new Set([own["HOME"] ?? homedir(), userInfo().homedir])];
      const farEnd = await confinement.farEnd({
        rules: confinementRules({ startDirectory, homes, ownFolders, settings }),
        folder: join(context.storagePath, "confined"),
        journal,
        shell,
        environment,
        onProgress: context.onProgress,
      });
      return { farEnd, words: confinedWords("required"), isConfined: true };
    }
    if (settings.mode === "required") throw new ManyHandsError("hand_unavailable", "hand", whyNot(missing ?? ""));
    context.onProgress(unconfinedWords(missing));
  }
  return { farEnd: localFarEnd(shell, environment), words: unconfinedWords(missing), isConfined: false };
}

/** By system; text: there is none for it. */
async function confinementHere(path: string): Promise<Confinement | string> {
  if (process.platform === "linux") return (await import("./confinementBubblewrap.ts")).bubblewrapConfinement(path);
  if (process.platform === "darwin") return (await import("./confinementSeatbelt.ts")).seatbeltConfinement;
  return `there is no confinement for hands on ${process.platform}.`;
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
