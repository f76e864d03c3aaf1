/** Connections to an engine on another computer: `docker system dial-stdio` there, behind the system's own ssh. */
import { spawn } from "node:child_process";
import { Agent } from "node:http";
import { Duplex } from "node:stream";

export interface SshDestination {
  /** `host` or `user@host`; the host may be an alias of ~/.ssh/config. */
  readonly destination: string;
  readonly port: number | null;
}

/** Host keys are checked by ssh as it checks them anywhere; nothing is asked, so what it does not know is refused. */
export function dialStdioAgent(to: SshDestination): Agent {
  const agent = new Agent({ keepAlive: true });
  agent.createConnection = () => dialStdio(to);
  return agent;
}

function dialStdio({ destination, port }: SshDestination): Duplex {
  const ports = port === null ? [] : ["-p", String(port)];
  const options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-T", ...ports];
  const argv = [...options, "--", destination, "docker", "system", "dial-stdio"];
  const child = spawn("ssh", argv, { stdio: "pipe", windowsHide: true });
  const stream = Duplex.from({ writable: child.stdin, readable: child.stdout });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said = (said + chunk.toString("utf8")).slice(-500)));
  child.on("error", (thrown) => stream.destroy(thrown));
  child.on("exit", (status) => {
    if (status !== 0 && !stream.destroyed) stream.destroy(new Error(`ssh ${destination}: ${said.trim() || status}`));
  });
  stream.on("close", () => child.kill());
  // An agent asks its connections for what a socket has.
  const nothing = (): Duplex => stream;
  return Object.assign(stream, {
    setKeepAlive: nothing,
    setNoDelay: nothing,
    setTimeout: nothing,
    ref: nothing,
    unref: nothing,
  });
}
