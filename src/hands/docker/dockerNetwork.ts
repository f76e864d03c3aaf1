/** The network of a session's containers: of its own, so that they meet nobody else's, and within reach of nothing where it is limited. */
import { createHash, randomBytes } from "node:crypto";
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

/** How often addresses are chosen anew that somebody else took in between. */
const POOL_TRIES = 5;

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
  try {
    const found = await findNetwork(engine, name, signal);
    if (found !== null) return found;
    const isMade = mode === "limited" && (await createWithoutRoute(engine, wanted, signal));
    if (!isMade) await create(engine, wanted, signal);
    const made = await findNetwork(engine, name, signal);
    if (made !== null) return made;
    throw new Error(`the network ${name} was removed in the same moment; try again`);
  } catch (thrown) {
    signal.throwIfAborted();
    const full = /address pool|no available network/i.test(wordsOf(thrown));
    const advice = full ? ' (networks that nobody uses are removed by "docker network prune")' : "";
    throw engineError(engine, `The session's network cannot be made${advice}`, thrown);
  }
}

async function create(engine: Engine, wanted: Docker.NetworkCreateOptions, signal: AbortSignal): Promise<void> {
  await step("making the session's network", signal, (abortSignal) =>
    engine.docker.createNetwork({ ...wanted, abortSignal }),
  ).catch((thrown: unknown) => {
    // Another hand of the session was quicker.
    if (statusOf(thrown) !== 409) throw thrown;
  });
}

/**
 * Some engines route all that is outside of an internal network to its gateway, and turn away there only what would go on: each
 * address of the engine's own computer is reached. So this network's default route leads to an address that nobody has.
 * False where the engine does not make such a network; what it makes by itself is all there can be then.
 */
async function createWithoutRoute(
  engine: Engine,
  wanted: Docker.NetworkCreateOptions,
  signal: AbortSignal,
): Promise<boolean> {
  for (let tries = 0; tries < POOL_TRIES; tries += 1) {
    const pool = await freePool(engine, wanted, signal);
    if (pool === null) return false;
    const { subnet, gateway, nobody } = pool;
    const config = { Subnet: subnet, Gateway: gateway, AuxiliaryAddresses: { DefaultGatewayIPv4: nobody } };
    try {
      await create(engine, { ...wanted, IPAM: { Driver: "default", Config: [config] } }, signal);
      return true;
    } catch (thrown) {
      signal.throwIfAborted();
      // Another network took these addresses meanwhile.
      if (!/overlap/i.test(wordsOf(thrown))) return false;
    }
  }
  return false;
}

/** Addresses that the engine would choose: only a network that it made tells. */
async function freePool(
  engine: Engine,
  wanted: Docker.NetworkCreateOptions,
  signal: AbortSignal,
): Promise<{ readonly subnet: string; readonly gateway: string; readonly nobody: string } | null> {
  const name = `${wanted.Name}-${randomBytes(4).toString("hex")}`;
  await create(engine, { ...wanted, Name: name }, signal);
  try {
    const { IPAM } = await step("a look at a network", signal, () => engine.docker.getNetwork(name).inspect());
    const { Subnet: subnet, Gateway: gateway } = IPAM?.Config?.[0] ?? {};
    const nobody = subnet === undefined ? null : lastHost(subnet);
    return subnet === undefined || gateway === undefined || nobody === null ? null : { subnet, gateway, nobody };
  } finally {
    await removeNetwork(engine, name);
  }
}

/** The last address that a host could have; null where it is no IPv4 network with room. */
function lastHost(subnet: string): string | null {
  const [address = "", bits = ""] = subnet.split("/");
  const free = 32 - Number(bits);
  if (!isIPv4(address) || !(free >= 3 && free <= 24)) return null;
  const base = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const last = base + 2 ** free - 2;
  return [24, 16, 8, 0].map((shift) => Math.floor(last / 2 ** shift) % 256).join(".");
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
