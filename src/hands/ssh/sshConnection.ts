/** One SSH connection to a host: reached step by step, each with a deadline; channels on it; watched for life. */
import type { Client, ClientChannel, ServerHostKeyAlgorithm, SFTPWrapper } from "ssh2";
import type { Clock } from "../../core/clock.ts";
import { ManyHandsError } from "../../core/errors.ts";
import { messageOf } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import type { SshAsk } from "./ask.ts";
import { Authentication } from "./authentication.ts";
import type { SecretMemory, Ssh2 } from "./authentication.ts";
import type { HostTrust, Known } from "./hostTrust.ts";
import type { SshSettings } from "./sshConfig.ts";
import { ConnectionLost, lateAt, NotAuthenticated } from "./sshErrors.ts";
import { openSocket, wayTo } from "./sshSocket.ts";
import type { SshSocket } from "./sshSocket.ts";
import type { SshTarget } from "./sshTarget.ts";
import { StepWatch } from "./stepWatch.ts";

export interface SshTiming {
  /** One step of reaching a far end. */
  readonly stepMs: number;
  readonly keepAliveMs: number;
  readonly keepAlivesMax: number;
}

export interface ConnectPorts {
  readonly ssh2: Ssh2;
  readonly clock: Clock;
  readonly target: SshTarget;
  readonly settings: SshSettings;
  readonly known: Known;
  readonly trust: HostTrust;
  readonly ask: SshAsk;
  readonly memory: SecretMemory;
  readonly environment: NodeJS.ProcessEnv;
  readonly timing: SshTiming;
  readonly signal: AbortSignal;
  /** Told when a step begins, in words. */
  readonly onStep: (step: string) => void;
}

type OpenChannel = (done: (thrown: Error | undefined, channel: ClientChannel) => void) => void;

/** `reason` of a refused channel: the far end forbids it; anything else may be for want of a session. */
const FORBIDDEN = 1;

export class SshConnection {
  readonly client: Client;
  /** Resolves with the reason, in words, when the connection is over. */
  readonly lost: Promise<string>;
  readonly #ports: ConnectPorts;
  #isLost = false;
  #sftp: Promise<SFTPWrapper> | null = null;

  constructor(client: Client, lost: Promise<string>, ports: ConnectPorts) {
    this.client = client;
    this.#ports = ports;
    this.lost = lost;
    client.on("close", () => (this.#isLost = true));
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** A program there; with `pty` at a terminal of that size. */
  exec(
    command: string,
    signal: AbortSignal,
    pty?: { readonly rows: number; readonly cols: number; readonly term: string },
  ): Promise<ClientChannel> {
    return this.#open((done) => this.client.exec(command, pty === undefined ? {} : { pty }, done), signal);
  }

  /** One for all who need it. Rejects where the host has none. */
  sftp(): Promise<SFTPWrapper> {
    if (this.#sftp !== null) return this.#sftp;
    const forget = (): void => void (this.#sftp = null);
    const open: OpenChannel = (done) =>
      this.client.sftp((thrown, sftp) => done(thrown, sftp as unknown as ClientChannel));
    const opened = this.#open(open, new AbortController().signal) as unknown as Promise<SFTPWrapper>;
    this.#sftp = opened;
    opened.then((sftp) => sftp.on("close", forget), forget);
    return opened;
  }

  close(): void {
    this.client.end();
    // What the far end does not answer any more would keep its socket for ever.
    const timer = setTimeout(() => this.client.destroy(), limits.killGraceMs);
    void this.lost.then(() => clearTimeout(timer));
  }

  /** Where the host has no session left, it is asked again until the deadline. */
  async #open(open: OpenChannel, signal: AbortSignal): Promise<ClientChannel> {
    const { clock, timing, settings } = this.#ports;
    const until = clock.now() + timing.stepMs;
    let pause: number = limits.sshChannelRetryMs;
    for (;;) {
      try {
        return await this.#openOnce(open, signal, Math.max(1, until - clock.now()));
      } catch (thrown) {
        const refused = thrown as { reason?: unknown; message: string };
        if (!/Channel open failure/.test(refused.message) || this.#isLost) throw thrown;
        if (refused.reason === FORBIDDEN || clock.now() + pause >= until) throw noSession(settings, thrown, timing);
        await clock.sleep(pause, signal);
        pause = Math.min(pause * 2, limits.sshChannelRetryMsMax);
      }
    }
  }

  async #openOnce(open: OpenChannel, signal: AbortSignal, ms: number): Promise<ClientChannel> {
    signal.throwIfAborted();
    const { settings } = this.#ports;
    let isOver = false;
    const over = new AbortController();
    try {
      return await new Promise<ClientChannel>((resolve, reject) => {
        const timer = setTimeout(() => reject(lateAt("opening a channel", wayTo(settings), ms)), ms);
        over.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true, signal: over.signal });
        const isGone = (reason: string): ConnectionLost =>
          new ConnectionLost(`The connection to ${wayTo(settings)} was lost while a channel was opened: ${reason}.`);
        void this.lost.then((reason) => reject(isGone(reason)));
        if (this.#isLost) return reject(isGone("it had ended before"));
        open((thrown, channel) => {
          if (isOver && thrown === undefined) channel.end();
          else if (thrown === undefined) resolve(channel);
          // With its connection each request of a channel fails, as if the host had refused it: `lost` says why.
          else if (!this.#isLost) {
            reject(/No response from server|Not connected/.test(thrown.message) ? isGone(thrown.message) : thrown);
          }
        });
      });
    } catch (thrown) {
      if (thrown instanceof Error && thrown.message === "Not connected") {
        throw new ConnectionLost(`The connection to ${wayTo(settings)} is lost.`, thrown);
      }
      throw thrown;
    } finally {
      isOver = true;
      over.abort();
    }
  }
}

function noSession(settings: SshSettings, thrown: unknown, { stepMs }: SshTiming): ManyHandsError {
  const isForbidden = (thrown as { reason?: unknown }).reason === FORBIDDEN;
  const message = isForbidden
    ? `The host ${settings.knownAs} forbids to open a session: ${messageOf(thrown)}.`
    : `The host ${settings.knownAs} gave no session on this connection within ${stepMs} ms: its MaxSessions is reached. Close terminals or hands there, or raise MaxSessions in its sshd_config.`;
  return new ManyHandsError("hand_unavailable", "hand", message, thrown);
}

/** Rejects with `hand_unavailable`; the message names the step. With FarEndGone where another try would end the same. */
export async function connect(ports: ConnectPorts): Promise<SshConnection> {
  const { settings, timing, signal, onStep } = ports;
  const over = new AbortController();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch((thrown: unknown) => over.abort(thrown));
  const watch = new StepWatch((step, ms) => failure.reject(lateAt(step, wayTo(settings), ms)));
  const begin = (step: string, ms = timing.stepMs): void => {
    watch.begin(step, ms);
    onStep(step);
  };
  const onAbort = (): void => failure.reject(signal.reason as Error);
  signal.throwIfAborted();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    begin("connection", Math.min(timing.stepMs, settings.connectTimeoutMs ?? Infinity));
    const socket = await Promise.race([openSocket({ ...ports, signal: over.signal }), failure.promise]);
    begin("handshake");
    const shake = handshake({ ...ports, socket, watch, begin, fail: failure.reject });
    return await Promise.race([shake, failure.promise]);
  } catch (thrown) {
    over.abort(thrown);
    throw thrown;
  } finally {
    watch.end();
    signal.removeEventListener("abort", onAbort);
  }
}

interface HandshakePorts extends ConnectPorts {
  readonly socket: SshSocket;
  readonly watch: StepWatch;
  readonly begin: (step: string) => void;
  readonly fail: (reason: Error) => void;
}

function handshake(ports: HandshakePorts): Promise<SshConnection> {
  const { ssh2, settings, socket, watch, begin, fail, trust, known, timing } = ports;
  const client = new ssh2.Client();
  const authentication = new Authentication({ ...ports, ask: resting(ports) });
  let last = "";
  const lost = new Promise<string>((resolve) => {
    client.on("close", () => {
      void socket.said().then((said) => resolve(`${last || "the host closed it"}${said === "" ? "" : ` (${said})`}`));
    });
  });
  void lost.then((reason) => {
    const step = watch.step || "connection";
    // The ssh to a bastion cannot ask: it has no terminal.
    const hint =
      settings.proxyJump === null ? "" : ` Try \`ssh ${ports.target.host}\` in a terminal, where it can ask.`;
    fail(new ConnectionLost(`The connection to ${wayTo(settings)} was lost during the ${step}: ${reason}.${hint}`));
  });
  return new Promise((resolve) => {
    client.on("error", (thrown: Error & { level?: string }) => {
      // One key or one agent that fails is not the end: the next way is tried.
      if (thrown.level === "agent" || thrown.level === "client-authentication") return;
      last = thrown.message;
      if (/no matching/i.test(last)) fail(noCommonWay(settings, thrown));
    });
    client.on("handshake", () => begin("authentication"));
    client.on("ready", () => {
      authentication.succeeded();
      resolve(new SshConnection(client, lost, ports));
    });
    client.connect({
      sock: socket.stream,
      username: settings.user,
      readyTimeout: 0,
      // It only asks; whether there is life is seen by what comes in.
      keepaliveInterval: timing.keepAliveMs,
      keepaliveCountMax: Number.MAX_SAFE_INTEGER,
      algorithms: { serverHostKey: trust.algorithms(settings, known) as ServerHostKeyAlgorithm[] },
      hostVerifier: (key: Buffer, judge: (isTrusted: boolean) => void) => {
        watch.rest(trust.verify(settings, known, key)).then(
          () => judge(true),
          (thrown: unknown) => {
            fail(thrown as Error);
            judge(false);
          },
        );
      },
      authHandler: (accepted, _partial, offer) => {
        authentication.next(accepted).then(
          (attempt) => {
            if (attempt !== null) return offer(attempt);
            fail(notAuthenticated(settings, authentication));
            client.destroy();
          },
          (thrown: unknown) => fail(thrown as Error),
        );
      },
    });
    watchLife(socket, client, timing, (reason) => (last = reason));
  });
}

/** The time that a person takes does not count. */
function resting({ ask, watch }: HandshakePorts): SshAsk {
  return {
    hostKey: (question) => watch.rest(ask.hostKey(question)),
    secret: (question) => watch.rest(ask.secret(question)),
  };
}

function notAuthenticated(settings: SshSettings, authentication: Authentication): NotAuthenticated {
  return new NotAuthenticated(
    `The host ${settings.knownAs} did not let ${settings.user} in (${authentication.summary}). Look at User and IdentityFile in ssh_config, whether the agent holds the key, and at authorized_keys there.`,
  );
}

function noCommonWay(settings: SshSettings, thrown: Error): ManyHandsError {
  const message = `The host ${settings.knownAs} and this side have no common way to speak (${thrown.message}). Set options.transport to "system" to use the system's ssh, or look at the host's sshd_config.`;
  return new ManyHandsError("hand_unavailable", "hand", message, thrown);
}

/** A connection on which nothing comes in any more, though it is asked for a sign, is dead. Counted in looks: a computer may sleep. */
function watchLife({ stream }: SshSocket, client: Client, timing: SshTiming, say: (reason: string) => void): void {
  let silent = 0;
  stream.on("data", () => (silent = 0));
  client.on("ready", () => {
    silent = 0;
    const timer = setInterval(() => {
      silent += 1;
      if (silent <= timing.keepAlivesMax) return;
      clearInterval(timer);
      say(`nothing was heard for ${silent * timing.keepAliveMs} ms`);
      stream.destroy();
    }, timing.keepAliveMs);
    client.on("close", () => clearInterval(timer));
  });
}
