/** The Docker kind of hand: a shell in a container from an image, a Dockerfile, or in one that runs already. */
import type { Clock } from "../../core/clock.ts";
import type { HandSpec } from "../../core/config.ts";
import type { HandProvider, ProvisionContext } from "../../core/hand.ts";
import type { OpenServer } from "../shell/entranceListener.ts";
import { shellTools } from "../shell/tools.ts";
import { describeDockerSpec } from "./describeDocker.ts";
import type { DockerHand } from "./provisionDocker.ts";

export interface DockerProviderPorts {
  readonly clock: Clock;
  /** Where DOCKER_HOST and the like are looked up. Default: this program's. */
  readonly environment?: () => NodeJS.ProcessEnv;
  /** What went wrong where nobody waits for it. */
  readonly report?: (what: string, thrown?: unknown) => void;
  /** Listens where containers reach this computer. Default: this program does. */
  readonly openServer?: OpenServer;
}

export interface DockerProvider extends HandProvider {
  provision(spec: HandSpec, context: ProvisionContext): Promise<DockerHand>;
}

/** The options are those of DockerSpec (dockerSpec.ts). */
export function createDockerProvider({
  clock,
  environment = () => process.env,
  report = () => {},
  openServer,
}: DockerProviderPorts): DockerProvider {
  const ended = new Set<string>();
  return {
    tools: () => shellTools,
    describe: describeDockerSpec,
    provision: async (spec, context) => {
      const [{ parseDockerSpec }, { provisionDocker }, { openServerHere }] = await Promise.all([
        import("./dockerSpec.ts"),
        import("./provisionDocker.ts"),
        import("../shell/entranceListener.ts"),
      ]);
      const ports = { clock, environment: environment(), report, ended, openServer: openServer ?? openServerHere };
      return provisionDocker({ ...ports, wanted: parseDockerSpec(spec), spec, context });
    },
  };
}
