/** The command kind of hand: any program whose standard streams are a POSIX shell, such as `kubectl exec -i pod -- sh`. */
import type { Clock } from "../../core/clock.ts";
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";
import type { HandProvider } from "../../core/hand.ts";
import type { FarEnd } from "../shell/shellStream.ts";
import { shellTools } from "../shell/tools.ts";

export interface CommandProviderPorts {
  readonly clock: Clock;
  /** What the program is started with. */
  readonly environment: () => NodeJS.ProcessEnv;
}

/**
 * `options.argv`: the program and its arguments; `options.cwd`: the start directory at the far end; `options.proxy` and
 * `options.proxy_listen`: the way back to this computer (commandEntrance.ts).
 */
export function createCommandProvider({ clock, environment }: CommandProviderPorts): HandProvider {
  return {
    tools: () => shellTools,
    describe: (spec) => `a shell through ${argvOf(spec).join(" ")}`,
    provision: async (spec, context) => {
      const argv = argvOf(spec);
      const [{ openShellHand }, { openProcess }, { openCommandEntrance, proxyOptionsOf }] = await Promise.all([
        import("../shell/openShellHand.ts"),
        import("../shell/processStream.ts"),
        import("./commandEntrance.ts"),
      ]);
      const proxy = proxyOptionsOf(spec);
      const farEnd: FarEnd = {
        open: () => openProcess({ argv, environment: environment() }),
        openEntrance: async (accept, wish) => {
          if (proxy === null) throw new Error("its spec names none (options.proxy, options.proxy_listen)");
          return openCommandEntrance(proxy, accept, wish);
        },
        close: () => {},
        remove: async () => {},
      };
      return openShellHand({ clock, farEnd, spec, context, place: `a shell through ${argv.join(" ")}` });
    },
  };
}

function argvOf(spec: HandSpec): readonly string[] {
  const argv = spec.options?.["argv"];
  if (Array.isArray(argv) && argv.length > 0 && argv.every((word) => typeof word === "string" && word !== "")) {
    return argv as readonly string[];
  }
  const message = `The hand "${spec.name}" needs options.argv: the program and its arguments, a list of texts.`;
  throw new ManyHandsError("hand_unavailable", "hand", message);
}
