/** Short ways for tests of hands over SSH: an sshd in a folder of its own, a provider that remembers what it asked. */
import { mkdtemp, realpath } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "../../../src/core/json.ts";
import type { Hand, HandProvider, ProvisionContext } from "../../../src/core/hand.ts";
import type { SshAsk } from "../../../src/hands/ssh/ask.ts";
import type { SshTiming } from "../../../src/hands/ssh/sshConnection.ts";
import { createSshProvider } from "../../../src/hands/ssh/sshProvider.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";

export async function newFolder(): Promise<string> {
  return realpath(await mkdtemp(join(tmpdir(), "many-hands-ssh-")));
}

/** Steps that fail within a moment: tests do not wait for the program's own limits. */
export const SHORT: SshTiming = { stepMs: 1_500, keepAliveMs: 150, keepAlivesMax: 3 };

type Question = Parameters<SshAsk["hostKey"]>[0];
type Secret = Parameters<SshAsk["secret"]>[0];

export interface Kit {
  readonly provider: HandProvider;
  readonly hostKeys: Question[];
  readonly secrets: Secret[];
  readonly steps: string[];
  /** Provisions a hand; `onStep` is told of each step of reaching the host. */
  open(options: JsonObject, onStep?: (step: string) => void): Promise<Hand>;
}

export interface KitOptions {
  readonly accept?: boolean;
  readonly secret?: (question: Secret) => string | null;
  readonly timing?: Partial<SshTiming>;
  readonly environment?: NodeJS.ProcessEnv;
  readonly entrance?: ProvisionContext["entrance"];
  /** Default: another one for each hand. */
  readonly session?: string;
}

let made = 0;

export function makeKit({ accept = false, secret, timing, environment, entrance, session }: KitOptions = {}): Kit {
  const hostKeys: Question[] = [];
  const secrets: Secret[] = [];
  const steps: string[] = [];
  const ask: SshAsk = {
    hostKey: async (question) => {
      hostKeys.push(question);
      return accept;
    },
    secret: async (question) => {
      secrets.push(question);
      return secret?.(question) ?? null;
    },
  };
  const provider = createSshProvider({
    clock: systemClock,
    environment: () => ({ ...process.env, SSH_AUTH_SOCK: "", ...environment }),
    ask,
    ...(timing === undefined ? {} : { timing }),
  });
  const open: Kit["open"] = (options, onStep) => {
    made += 1;
    return provider.provision(
      { name: "box", kind: "ssh", options: { host: "box", ...options } },
      {
        sessionId: session ?? `sesn_ssh${process.pid}_${made}`,
        storagePath: tmpdir(),
        previousInstance: null,
        signal: new AbortController().signal,
        ...(entrance === undefined ? {} : { entrance }),
        onProgress: (step) => {
          steps.push(step);
          onStep?.(step);
        },
      },
    );
  };
  return { provider, hostKeys, secrets, steps, open };
}

/** Between client and server: can fall silent, or go away, at any moment. */
export interface Wire {
  readonly port: number;
  /** From now on nothing passes; connections stay. */
  freeze(): void;
  /** Ends all connections, and lets none in any more. */
  drop(): void;
  close(): Promise<void>;
}

export async function makeWire(target: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  let isFrozen = false;
  let isDropped = false;
  const server = createServer((near) => {
    if (isDropped) return void near.destroy();
    sockets.add(near);
    near.on("error", () => {});
    if (isFrozen) return;
    const far = connect(target, "127.0.0.1");
    sockets.add(far);
    far.on("error", () => near.destroy());
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("data", (chunk) => void (isFrozen || to.write(chunk)));
      from.on("close", () => void (isFrozen || to.destroy()));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const drop = (): void => {
    isDropped = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    freeze: () => (isFrozen = true),
    drop,
    close: async () => {
      drop();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
