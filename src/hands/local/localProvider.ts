/** The local kind of hand: a shell on this computer, in the workspace folder, with its journal in the session's storage. */
import { mkdir } from "node:fs/promises";
import { arch, homedir, platform, release, userInfo } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../core/clock.ts";
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";
import type { Hand, HandProvider, ProvisionContext } from "../../core/hand.ts";
import { messageOf } from "../../core/json.ts";
import { shellTools } from "../shell/tools.ts";
import type { FarEnd } from "../shell/shellStream.ts";
import type { Confinement, LocalSettings } from "./confinement.ts";
import { confinedWords, unconfinedWords, whyNot } from "./confinementWords.ts";
import { localEnvironment } from "./localEnvironment.ts";

export interface LocalProviderPorts {
  readonly clock: Clock;
  /** Default: /bin/sh. */
  readonly shell?: string;
  /** Asked whenever a hand is provisioned. Absent: not confined. */
  readonly confinement?: () => LocalSettings;
  /** What a confined hand must not read besides: storage, logs and user data of this extension and its editor. */
  readonly ownFolders?: readonly string[];
  /** Default: this program's. */
  readonly environment?: NodeJS.ProcessEnv;
}

interface Opened {
  readonly farEnd: FarEnd;
  readonly words: string;
  readonly isConfined: boolean;
}

const OFF: LocalSettings = { mode: "off", unreadable: [], writable: [], environment: [], allowedHosts: [] };

/** `options.cwd`: the start directory, absolute. */
export function createLocalProvider(ports: LocalProviderPorts): HandProvider {
  const settingsNow = (): LocalSettings => ports.confinement?.() ?? OFF;
  return {
    tools: () => shellTools,
    describe: (spec) => {
      const { mode } = settingsNow();
      return `${describe(spec)}, ${mode === "off" ? unconfinedWords(null) : confinedWords(mode)}`;
    },
    provision: async (spec, context) => {
      try {
        return await provision(ports, settingsNow(), spec, context);
      } catch (thrown) {
        if (thrown instanceof ManyHandsError) throw thrown;
        const message = `The local hand cannot be provisioned: ${messageOf(thrown)}`;
        throw new ManyHandsError("hand_unavailable", "hand", message, thrown);
      }
    },
  };
}

async function provision(
  ports: LocalProviderPorts,
  settings: LocalSettings,
  spec: HandSpec,
  context: ProvisionContext,
): Promise<Hand> {
  const { clock } = ports;
  const startDirectory = directoryOf(spec);
  const journal = join(context.storagePath, "journal");
  await mkdir(journal, { recursive: true, mode: 0o700 });
  const { farEnd, words, isConfined } = await openFarEnd(ports, settings, { startDirectory, journal, context });
  const { openLocalHand } = await import("./openLocalHand.ts");
  const egress = isConfined ? { allowed_hosts: settings.allowedHosts } : null;
  const place = `${describe(spec)}, ${words}`;
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
  const { localFarEnd } = await import("./localFarEnd.ts");
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

function describe(spec: HandSpec): string {
  return `this computer (${platform()} ${release()}, ${arch()}), start directory ${String(spec.options?.["cwd"] ?? "")}`;
}
