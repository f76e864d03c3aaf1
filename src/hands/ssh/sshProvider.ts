/** The SSH kind of hand: a host as `ssh` itself finds it, through bastions if need be; it needs sshd and sh. */
import type { Clock } from "../../core/clock.ts";
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";
import type { HandProvider, ProvisionContext } from "../../core/hand.ts";
import { messageOf } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import { shellTools } from "../shell/tools.ts";
import type { SshAsk } from "./ask.ts";
import type { SshTiming } from "./sshConnection.ts";
import type { SshHosts } from "./sshHosts.ts";

export interface SshProviderPorts {
  readonly clock: Clock;
  /** What ssh and the programs that it needs are started with; SSH_AUTH_SOCK in it names the agent. */
  readonly environment: () => NodeJS.ProcessEnv;
  readonly ask: SshAsk;
  readonly report?: (what: string, thrown?: unknown) => void;
  /** Default: the program's limits. */
  readonly timing?: Partial<SshTiming>;
}

/**
 * `options.host`: as one types it after `ssh`; `options.port`; `options.configFile`: instead of the person's ssh_config;
 * `options.cwd`: the start directory there; `options.transport`: "auto" (default), "ssh2" or "system".
 * Hands on the same host share a connection.
 */
export function createSshProvider(ports: SshProviderPorts): HandProvider {
  const { clock, environment, ask, report = () => {} } = ports;
  const timing: SshTiming = {
    stepMs: limits.handStepMs,
    keepAliveMs: limits.sshKeepAliveMs,
    keepAlivesMax: limits.sshKeepAlivesMax,
    ...ports.timing,
  };
  let hosts: Promise<SshHosts> | null = null;
  const load = async (): Promise<SshHosts> => {
    const [{ SshHosts: Hosts }, { default: ssh2 }] = await Promise.all([import("./sshHosts.ts"), import("ssh2")]);
    return new Hosts({ ssh2, clock, environment, ask, report, timing });
  };
  return {
    tools: () => shellTools,
    describe: (spec) => `the host ${String(spec.options?.["host"] ?? "")} over SSH`,
    provision: async (spec, context) => {
      try {
        hosts ??= load();
        return await (await hosts).provision(spec, context);
      } catch (thrown) {
        throw explained(spec, thrown, context);
      }
    },
  };
}

function explained(spec: HandSpec, thrown: unknown, { signal }: ProvisionContext): unknown {
  if (thrown instanceof ManyHandsError || signal.aborted) return thrown;
  const message = `The hand "${spec.name}" cannot be provisioned: ${messageOf(thrown)}`;
  return new ManyHandsError("hand_unavailable", "hand", message, thrown);
}
