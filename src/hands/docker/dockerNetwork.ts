/** The network of a session's containers: of its own, so that they meet nobody else's, and within reach of nothing where it is limited. */
import { createHash } from "node:crypto";
import { isIPv4 } from "node:net";
import type Docker from "dockerode";
import type { NetworkMode } from "./dockerSpec.ts";
import { engineError, statusOf, step, wordsOf } from "./engine.ts";
import type { Engine } from "./engine.ts";
import { LABELS, LABELS_VERSION } from "./labels.ts";

export interface SessionNetwork {
  readonly id: string;
  readonly name: string;
  /** The engine's own address on it, by which its computer is reached; null where it has none. */
  readonly gateway: string | null;
}

function networkName(sessionId: string, mode: Exclude<NetworkMode, "none">): string {
  return `many-hands-${mode}-${createHash("sha256").update(sessionId).digest("hex").slice(0, 16)}`;
}

/** Finds the session's network, or makes it. Rejects with `hand_unavailable`. */
export async function ensureNetwork(
  engine: Engine,
  sessionId: string,
  mode: Exclude<NetworkMode, "none">,
  signal: AbortSignal,
): Promise<SessionNetwork> {
  const name = networkName(sessionId, mode);
  const wanted = {
    Name: name,
    Driver: "bridge",
    Internal: mode === "limited",
    CheckDuplicate: true,
    Labels: { [LABELS.session]: sessionId, [LABELS.version]: LABELS_VERSION },
  };
  const look = (): Promise<SessionNetwork | null> => findNetwork(engine, name, signal);
  try {
    const found = await look();
    if (found !== null) return found;
    await step("making the session's network", signal, (abortSignal) =>
      engine.docker.createNetwork({ ...wanted, abortSignal }),
    ).catch((thrown: unknown) => {
      // Another hand of the session was quicker.
      if (statusOf(thrown) !== 409) throw thrown;
    });
    const made = await look();
    if (made !== null) return made;
    throw new Error(`the network ${name} was removed in the same moment; try again`);
  } catch (thrown) {
    signal.throwIfAborted();
    const full = /address pool|no available network/i.test(wordsOf(thrown));
    const advice = full ? ' (networks that nobody uses are removed by "docker network prune")' : "";
    throw engineError(engine, `The session's network cannot be made${advice}`, thrown);
  }
}

/** null where there is none of that name. Rejects as the engine does. */
export async function findNetwork(engine: Engine, name: string, signal: AbortSignal): Promise<SessionNetwork | null> {
  try {
    const info = await step("a look at the session's network", signal, () => engine.docker.getNetwork(name).inspect());
    return { id: info.Id, name, gateway: gatewayOf(info) };
  } catch (thrown) {
    if (statusOf(thrown) === 404) return null;
    throw thrown;
  }
}

function gatewayOf({ IPAM }: Docker.NetworkInspectInfo): string | null {
  for (const { Gateway } of IPAM?.Config ?? []) {
    const address = Gateway?.split("/")[0] ?? "";
    if (isIPv4(address)) return address;
  }
  return null;
}

/** The last container that leaves takes the network along; as long as there are others, it stays. */
export async function removeNetwork(engine: Engine, nameOrId: string): Promise<void> {
  const never = new AbortController().signal;
  try {
    await step("removing the session's network", never, (abortSignal) =>
      engine.docker.getNetwork(nameOrId).remove({ abortSignal }),
    );
  } catch (thrown) {
    const status = statusOf(thrown);
    if (status === 404 || status === 403 || status === 409 || /active endpoints|in use/i.test(wordsOf(thrown))) return;
    throw engineError(engine, "The session's network could not be removed", thrown);
  }
}
