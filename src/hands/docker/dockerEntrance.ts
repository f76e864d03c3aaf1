/** The way back from a container: a listener at the gateway of its network, or on this computer's loopback by Docker Desktop. */
import { isIPv4 } from "node:net";
import type { Socket } from "node:net";
import { listenForHand, NotOurAddress } from "../shell/entranceListener.ts";
import type { EntranceListener, OpenServer } from "../shell/entranceListener.ts";
import type { AcceptConnection, EntranceWay, EntranceWish } from "../shell/shellStream.ts";
import { PeerCheck, peersHere } from "../shell/socketOwners.ts";
import { inspect } from "./dockerContainer.ts";
import { findNetwork } from "./dockerNetwork.ts";
import { DESKTOP_HOST, engineError, engineInfo, isDesktop } from "./engine.ts";
import type { Engine } from "./engine.ts";

export interface DockerEntrancePorts {
  readonly engine: Engine;
  /** The container; it runs. */
  readonly id: string;
  readonly accept: AcceptConnection;
  readonly wish: EntranceWish;
  readonly openServer: OpenServer;
}

/** One network of a container. */
interface Place {
  readonly gateway: string;
  /** The container's own address. */
  readonly address: string;
}

/** Rejects with the reason where there can be none. */
export async function openDockerEntrance(ports: DockerEntrancePorts): Promise<EntranceWay> {
  const { engine, id, wish } = ports;
  if (!engine.isNear) throw new Error("its Docker engine is on another computer, from which no way leads to this one");
  const places = await placesOf(engine, id, wish.signal);
  const [place] = places;
  if (place === undefined) throw new Error("its container has no network by which this computer could be reached");
  try {
    const { port, close } = await listenAtGateway(ports, place);
    return { url: `http://${place.gateway}:${port}`, close };
  } catch (thrown) {
    if (!(thrown instanceof NotOurAddress)) throw thrown;
    if (isDesktop(await engineInfo(engine, wish.signal))) return throughDesktop(ports);
    throw new Error(
      `the gateway of its network, ${place.gateway}, is no address of this computer: the Docker engine is in a network of its own (rootless, or in a virtual machine)`,
      { cause: thrown },
    );
  }
}

/** Everybody on this computer, and other containers, get to that address: only this container's own connections are taken. */
function listenAtGateway(
  { engine, id, accept, wish, openServer }: DockerEntrancePorts,
  place: Place,
): Promise<EntranceListener> {
  const never = new AbortController().signal;
  let known: readonly string[] = [place.address];
  let looking: Promise<readonly Place[]> | null = null;
  const look = (): Promise<readonly Place[]> => placesOf(engine, id, never).finally(() => (looking = null));
  const admits = async ({ remoteAddress = "" }: Socket): Promise<boolean> => {
    const from = remoteAddress.replace(/^::ffff:/, "");
    if (known.includes(from)) return true;
    // It has another one after it was started again.
    const now = await (looking ??= look()).catch(() => []);
    if (now.length > 0) known = now.map(({ address }) => address);
    return known.includes(from);
  };
  return listenForHand({ address: place.gateway, port: wish.port, accept, admits, openServer });
}

/** Its programs, which run as this user, bring what containers send to that name to the loopback of this computer. */
async function throughDesktop({ accept, wish }: DockerEntrancePorts): Promise<EntranceWay> {
  const check = new PeerCheck(peersHere);
  const admits = ({ remotePort = 0, localPort = 0 }: Socket): Promise<boolean> => check.isOwn(remotePort, localPort);
  const { port, close } = await listenForHand({ address: "127.0.0.1", port: wish.port, accept, admits });
  return { url: `http://${DESKTOP_HOST}:${port}`, close };
}

async function placesOf(engine: Engine, id: string, signal: AbortSignal): Promise<readonly Place[]> {
  try {
    const { NetworkSettings } = await inspect(engine, id, signal);
    const places: Place[] = [];
    for (const [name, { IPAddress: address }] of Object.entries(NetworkSettings.Networks)) {
      const gateway = isIPv4(address) ? (await findNetwork(engine, name, signal))?.gateway : null;
      if (typeof gateway === "string") places.push({ gateway, address });
    }
    return places;
  } catch (thrown) {
    signal.throwIfAborted();
    throw engineError(engine, "The way from the container back cannot be found", thrown);
  }
}
