/** Shells at a host through the system's ssh, which can do what ssh2 cannot: certificates, hardware keys, Kerberos. */
import { ManyHandsError } from "../../core/errors.ts";
import { openProcess } from "../shell/processStream.ts";
import type { FarEnd, ShellStream } from "../shell/shellStream.ts";
import type { SshTiming } from "./sshConnection.ts";
import { ConnectionLost } from "./sshErrors.ts";
import { SystemEntrance } from "./systemEntrance.ts";
import { sshArguments } from "./sshTarget.ts";
import type { SshTarget } from "./sshTarget.ts";

/** Says that the far end is reached; what comes before it is a greeting. */
const REACHED = "many-hands-reached";
const SAID_CHARS_MAX = 2_000;

export interface SystemFarEndPorts {
  readonly target: SshTarget;
  readonly environment: () => NodeJS.ProcessEnv;
  readonly timing: SshTiming;
}

export function systemFarEnd({ target, environment, timing }: SystemFarEndPorts): FarEnd {
  const options = {
    BatchMode: "yes",
    ClearAllForwardings: "yes",
    RemoteCommand: "none",
    PermitLocalCommand: "no",
    ConnectTimeout: String(Math.max(1, Math.round(timing.stepMs / 1_000))),
    ServerAliveInterval: String(Math.max(1, Math.round(timing.keepAliveMs / 1_000))),
    ServerAliveCountMax: String(timing.keepAlivesMax),
  };
  const connect = async (control: readonly string[], signal: AbortSignal): Promise<ShellStream> => {
    signal.throwIfAborted();
    const words = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    const argv = ["ssh", "-T", ...control, ...words, ...sshArguments(target), `echo ${REACHED}; exec sh`];
    const stream = await openProcess({ argv, environment: environment() });
    try {
      await reached(stream, target, timing, signal);
      return stream;
    } catch (thrown) {
      stream.close();
      throw thrown;
    }
  };
  let entrance: SystemEntrance | null = null;
  return {
    open: (signal) => entrance?.open(signal) ?? connect(["-o", "ControlMaster=no"], signal),
    openEntrance: async (accept, wish) => {
      const opened = new SystemEntrance({ accept, wish, connect, environment, timing });
      const way = await opened.openFirst();
      entrance = opened;
      return way;
    },
    close: () => entrance?.close(),
    remove: async () => {},
  };
}

/** Waits for the first word of the far end, and leaves what comes after it. */
function reached(stream: ShellStream, { host }: SshTarget, { stepMs }: SshTiming, signal: AbortSignal): Promise<void> {
  let heard = Buffer.alloc(0);
  let said = "";
  const over = new AbortController();
  const hear = (text: Buffer): void => {
    said = `${said}${text.toString("utf8")}`.slice(-SAID_CHARS_MAX);
  };
  return new Promise<void>((resolve, reject) => {
    // ssh has steps of its own: the way there, the handshake, and who one is.
    const ms = stepMs * 3;
    const late = (): void => reject(new ConnectionLost(`ssh did not reach ${host} within ${ms} ms.`));
    const timer = setTimeout(late, ms);
    over.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true, signal: over.signal });
    const take = (chunk: Buffer): void => {
      heard = Buffer.concat([heard, chunk]);
      const at = heard.indexOf(`${REACHED}\n`);
      if (at === -1) return;
      stream.stdout.off("data", take);
      stream.stdout.pause();
      const rest = heard.subarray(at + REACHED.length + 1);
      if (rest.length > 0) stream.stdout.unshift(rest);
      resolve();
      // By then somebody listens: whoever opened the stream does so as soon as it has it.
      setImmediate(() => stream.stdout.resume());
    };
    stream.stdout.on("data", take);
    stream.stderr.on("data", hear);
    stream.stdin.on("error", () => {});
    void stream.ended.then((reason) => reject(notReached(host, reason, said)));
  }).finally(() => {
    over.abort();
    stream.stderr.off("data", hear);
  });
}

function notReached(host: string, reason: string, said: string): ManyHandsError {
  const last = said.trim().split(/\r?\n/).at(-1) ?? "";
  const isRefusal = /denied|verification failed|no matching|passphrase|REVOKED|authentication/i.test(said);
  const message = `The system's ssh did not reach ${host}: ${last || reason}. Try \`ssh ${host}\` in a terminal, where it can ask.`;
  return new ManyHandsError("hand_unavailable", isRefusal ? "hand" : "network", message);
}
