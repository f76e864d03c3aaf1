/** What the SSH hands share: connections, what is known of hosts, secrets that proved right. Loaded when the first is provisioned. */
import { createHash } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";
import type { Hand, HandFiles, ProvisionContext } from "../../core/hand.ts";
import { openShellHand } from "../shell/openShellHand.ts";
import { FarEndGone } from "../shell/shellStream.ts";
import type { FarEnd } from "../shell/shellStream.ts";
import type { Link } from "../shell/link.ts";
import type { SshAsk } from "./ask.ts";
import type { SecretMemory, Ssh2 } from "./authentication.ts";
import { ConnectionPool } from "./connectionPool.ts";
import type { Lease } from "./connectionPool.ts";
import { HostTrust } from "./hostTrust.ts";
import { filesOverSftp } from "./sftpFiles.ts";
import { readSettings } from "./sshConfig.ts";
import type { SshSettings } from "./sshConfig.ts";
import { connect } from "./sshConnection.ts";
import type { SshTiming } from "./sshConnection.ts";
import { ConnectionLost, NotAuthenticated } from "./sshErrors.ts";
import { SshFarEnd } from "./sshFarEnd.ts";
import { wayTo } from "./sshSocket.ts";
import { targetOf } from "./sshTarget.ts";
import type { SshTarget } from "./sshTarget.ts";
import { systemFarEnd } from "./systemFarEnd.ts";
import { chooseTransport } from "./transportChoice.ts";

export interface SshHostsPorts {
  readonly ssh2: Ssh2;
  readonly clock: Clock;
  readonly environment: () => NodeJS.ProcessEnv;
  readonly ask: SshAsk;
  readonly report: (what: string, thrown?: unknown) => void;
  readonly timing: SshTiming;
}

export class SshHosts {
  readonly #ports: SshHostsPorts;
  readonly #trust: HostTrust;
  readonly #pool = new ConnectionPool();
  readonly #memory: SecretMemory = new Map();

  constructor(ports: SshHostsPorts) {
    this.#ports = ports;
    this.#trust = new HostTrust(ports.ask, ports.report);
  }

  async provision(spec: HandSpec, context: ProvisionContext): Promise<Hand> {
    const target = targetOf(spec);
    const settings = await this.#settings(target, context.signal);
    const { transport, why, hasMore } = await this.#choose(target, settings);
    if (transport === "system") return this.#overSystem({ spec, context, target, settings }, why);
    try {
      return await this.#overSsh2({ spec, context, target, settings });
    } catch (thrown) {
      if (!(thrown instanceof NotAuthenticated) || !hasMore || target.transport === "ssh2") throw thrown;
      return this.#overSystem({ spec, context, target, settings }, why);
    }
  }

  #settings(target: SshTarget, signal: AbortSignal): Promise<SshSettings> {
    const { environment, timing } = this.#ports;
    return readSettings({ target, environment: environment(), stepMs: timing.stepMs, signal });
  }

  async #choose(target: SshTarget, settings: SshSettings): ReturnType<typeof chooseTransport> {
    if (target.transport !== "auto") return { transport: target.transport, why: "options.transport", hasMore: false };
    const { environment, timing } = this.#ports;
    const known = await this.#trust.known(settings);
    return chooseTransport({ settings, known, environment: environment(), stepMs: timing.stepMs });
  }

  async #overSsh2({ spec, context, target, settings }: Provisioned): Promise<Hand> {
    const { clock } = this.#ports;
    const farEnd = new SshFarEnd(
      (signal) => this.#lease(target, signal, context.onProgress),
      createHash("sha256").update(`${context.sessionId}\0${spec.name}`).digest("hex").slice(0, 16),
    );
    const browse = (link: Link): HandFiles => filesOverSftp({ link, open: () => farEnd.sftp() });
    try {
      return await openOrClose(farEnd, () =>
        openShellHand({ clock, farEnd, spec, context, place: placeOf(settings), browse }),
      );
    } catch (thrown) {
      // The shell did not answer; that its connection was lost is known here only.
      if (farEnd.isLost && thrown instanceof ManyHandsError && !(thrown instanceof FarEndGone)) {
        throw new ConnectionLost(`${wayTo(settings)}: ${thrown.message}`, thrown);
      }
      throw thrown;
    }
  }

  async #overSystem({ spec, context, target, settings }: Provisioned, why: string): Promise<Hand> {
    const { clock, environment, timing } = this.#ports;
    context.onProgress(`SSH: by the system's ssh, for ${why}`);
    const farEnd = systemFarEnd({ target, environment, timing });
    const place = `${placeOf(settings)}, by the system's ssh`;
    return openOrClose(farEnd, () => openShellHand({ clock, farEnd, spec, context, place }));
  }

  /** The configuration is read again each time: a host may be reached another way from another network. */
  async #lease(target: SshTarget, signal: AbortSignal, onProgress: (message: string) => void): Promise<Lease> {
    const settings = await this.#settings(target, signal);
    const known = await this.#trust.known(settings);
    return this.#pool.lease(keyOf(target, settings), (ending) =>
      connect({
        ...this.#ports,
        environment: this.#ports.environment(),
        target,
        settings,
        known,
        trust: this.#trust,
        memory: this.#memory,
        signal: ending,
        onStep: (step) => onProgress(`SSH: ${step} (${wayTo(settings)})`),
      }),
    );
  }
}

interface Provisioned {
  readonly spec: HandSpec;
  readonly context: ProvisionContext;
  readonly target: SshTarget;
  readonly settings: SshSettings;
}

function placeOf({ user, hostname, port }: SshSettings): string {
  return `the host ${user}@${hostname}${port === 22 ? "" : `:${port}`} over SSH`;
}

/** All that makes a difference to the connection. */
function keyOf({ configFile }: SshTarget, settings: SshSettings): string {
  return JSON.stringify([configFile, settings]);
}

async function openOrClose(farEnd: FarEnd, open: () => Promise<Hand>): Promise<Hand> {
  try {
    return await open();
  } catch (thrown) {
    farEnd.close();
    throw thrown;
  }
}
