/** Shells on this computer, for the local hand. */
import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import { listenForHand } from "../shell/entranceListener.ts";
import type { AcceptConnection, EntranceWay, EntranceWish, FarEnd, ShellStream } from "../shell/shellStream.ts";
import { PeerCheck, peersHere } from "../shell/socketOwners.ts";

/**
 * The shell is started by one that leaves at once, so that it is no descendant of a program whose tree may be killed.
 * Its streams are extra ones: the first three are closed by Node when the process that it started is gone.
 */
const REPARENTED = '"$@" <&3 >&4 2>&5 3<&- 4>&- 5>&- &';

export function localFarEnd(shell: string, environment: NodeJS.ProcessEnv): FarEnd {
  return { open: async () => openShell([shell], environment), openEntrance, close: () => {}, remove: async () => {} };
}

/** On loopback, where every user of this computer is: only this one's connections are taken. */
async function openEntrance(accept: AcceptConnection, { port: wanted }: EntranceWish): Promise<EntranceWay> {
  const check = new PeerCheck(peersHere);
  const { port, close } = await listenForHand({
    address: "127.0.0.1",
    port: wanted,
    accept,
    admits: ({ remotePort = 0, localPort = 0 }) => check.isOwn(remotePort, localPort),
  });
  return { url: `http://127.0.0.1:${port}`, close };
}

/** `argv`: what becomes the shell. */
export function openShell(argv: readonly string[], env: NodeJS.ProcessEnv): ShellStream {
  const child = spawn("/bin/sh", ["-c", REPARENTED, "sh", ...argv], {
    env,
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe", "pipe"],
    detached: true,
  });
  const [stdin, stdout, stderr] = child.stdio.slice(3) as unknown as [Socket, Socket, Socket];
  const ended = new Promise<string>((resolve) => {
    for (const stream of [stdin, stdout, stderr]) stream.on("error", () => resolve("its stream broke"));
    child.on("error", (thrown) => resolve(thrown.message));
    stdout.on("close", () => resolve("the shell ended"));
  });
  const close = (): void => {
    stdin.end();
    stdout.destroy();
    stderr.destroy();
  };
  return { stdin, stdout, stderr, ended, close };
}
