/** The local kind of hand: a shell on this computer, in the workspace folder, with its journal in the session's storage. */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { arch, platform, release } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../core/clock.ts";
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";
import type { HandProvider } from "../../core/hand.ts";
import { messageOf } from "../../core/json.ts";
import { shellTools } from "./tools.ts";

export interface LocalProviderPorts {
  readonly clock: Clock;
  /** Default: /bin/sh. */
  readonly shell?: string;
}

/** Of VS Code's own making: they would make programs believe that they run inside of it. */
const DROPPED = /^(VSCODE_|ELECTRON_|NODE_OPTIONS$|npm_|ANTHROPIC_)/;

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
        const [{ LocalHand }, { Supervisor }] = await Promise.all([
          import("./localHand.ts"),
          import("./supervisor.ts"),
        ]);
        const instance = await instanceOf(journal);
        const environment = environmentOf(process.env);
        const supervisor = await Supervisor.open({ shell, journal, startDirectory, environment });
        return new LocalHand({ supervisor, clock, instance, description: describe(spec), journal, startDirectory });
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

/** The same for as long as the journal is there: a new journal is another hand, as it knows nothing of old calls. */
async function instanceOf(journal: string): Promise<string> {
  const path = join(journal, "instance");
  await writeFile(path, `local-${randomUUID()}`, { flag: "wx", mode: 0o600 }).catch((thrown: unknown) => {
    if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown;
  });
  return (await readFile(path, "utf8")).trim();
}

function environmentOf(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !DROPPED.test(name)));
}
