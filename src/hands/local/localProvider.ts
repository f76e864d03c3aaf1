/** The local kind of hand: a shell on this computer, in the workspace folder, with its journal in the session's storage. */
import { arch, platform, release } from "node:os";
import type { Clock } from "../../core/clock.ts";
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";
import type { HandProvider } from "../../core/hand.ts";
import { messageOf } from "../../core/json.ts";
import { shellTools } from "../shell/tools.ts";
import type { LocalSettings } from "./confinement.ts";
import { confinedWords, unconfinedWords } from "./confinementWords.ts";

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
        const { provisionLocalHand } = await import("./provisionLocalHand.ts");
        return await provisionLocalHand(ports, settingsNow(), { spec, where: describe(spec), context });
      } catch (thrown) {
        if (thrown instanceof ManyHandsError) throw thrown;
        const message = `The local hand cannot be provisioned: ${messageOf(thrown)}`;
        throw new ManyHandsError("hand_unavailable", "hand", message, thrown);
      }
    },
  };
}

function describe(spec: HandSpec): string {
  return `this computer (${platform()} ${release()}, ${arch()}), start directory ${String(spec.options?.["cwd"] ?? "")}`;
}
