/** Makes a hand in a container: finds or makes the container, prepares it, and opens the shell in it. */
import type Docker from "dockerode";
import type { Clock } from "../../core/clock.ts";
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";
import type { Hand, ProvisionContext } from "../../core/hand.ts";
import type { OpenServer } from "../shell/entranceListener.ts";
import { openShellHand } from "../shell/openShellHand.ts";
import { findOrMakeContainer, inspect, removeContainer, useContainer } from "./dockerContainer.ts";
import type { RunningContainer } from "./dockerContainer.ts";
import { copyInto, makeFolder } from "./dockerCopy.ts";
import type { Owner } from "./dockerCopy.ts";
import { openDockerEntrance } from "./dockerEntrance.ts";
import { dockerFarEnd, wordsOfEnd } from "./dockerFarEnd.ts";
import { dockerFiles } from "./dockerFiles.ts";
import { removeNetwork } from "./dockerNetwork.ts";
import type { DockerSpec } from "./dockerSpec.ts";
import { connectEngine, engineError, statusOf, step } from "./engine.ts";
import type { Engine } from "./engine.ts";
import { askContainer } from "./execStream.ts";

/** What is known of a hand in a container beyond what every hand tells. */
export interface DockerHand extends Hand {
  readonly containerId: string;
  readonly containerName: string;
  /** Where the engine's computer is reached from the container; null without a network of the session's own. */
  readonly gateway: string | null;
}

export interface ProvisionDockerPorts {
  readonly clock: Clock;
  readonly environment: NodeJS.ProcessEnv;
  readonly report: (what: string, thrown?: unknown) => void;
  /** Containers that ended under a hand in this life of the program. */
  readonly ended: Set<string>;
  readonly wanted: DockerSpec;
  readonly spec: HandSpec;
  readonly context: ProvisionContext;
  /** Where containers reach this computer. */
  readonly openServer: OpenServer;
}

/** Rejects with `hand_unavailable`. A container that was made for it is removed then. */
export async function provisionDocker(ports: ProvisionDockerPorts): Promise<DockerHand> {
  const { clock, environment, ended, wanted, context } = ports;
  const { signal, sessionId, storagePath, onProgress } = context;
  const engine = await connectEngine(wanted.engine, environment, signal);
  const { source } = wanted;
  const found =
    source.kind === "container"
      ? await useContainer(engine, source.container, signal)
      : await findOrMakeContainer(wanted, { engine, clock, sessionId, storagePath, signal, onProgress, ended });
  try {
    const container = engine.docker.getContainer(found.id);
    if (found.isNew) await prepare(container, engine, ports);
    const hand = await openHand(engine, found, ports);
    const { id, name, network } = found;
    return Object.assign(hand, { containerId: id, containerName: name, gateway: network?.gateway ?? null });
  } catch (thrown) {
    // Found again, it holds what the session did there: it stays for the next try.
    if (!found.isNew) throw thrown;
    const state = await inspect(engine, found.id, signal).then(
      ({ State }) => State,
      () => null,
    );
    await remove(engine, found).catch((failed: unknown) => ports.report("a container stays", failed));
    if (state === null || state.Running) throw thrown;
    const message = `The container ended as soon as it was started (${wordsOfEnd(state)}).`;
    throw new ManyHandsError("hand_unavailable", "hand", message, thrown);
  }
}

async function openHand(engine: Engine, found: RunningContainer, ports: ProvisionDockerPorts): Promise<Hand> {
  const { clock, report, ended, wanted, spec, context, openServer } = ports;
  const { id, name } = found;
  const isOurs = wanted.source.kind !== "container";
  const farEnd = dockerFarEnd({
    engine,
    id,
    name,
    user: isOurs ? null : wanted.user,
    env: isOurs ? [] : wanted.env,
    onGone: () => ended.add(id),
    openEntrance: (accept, wish) => openDockerEntrance({ engine, id, accept, wish, openServer }),
    remove: async () => {
      if (isOurs) await remove(engine, found, report);
    },
  });
  const cwd = wanted.cwd ?? found.workingDirectory;
  return openShellHand({
    clock,
    farEnd,
    context,
    spec: { ...spec, options: cwd === null ? {} : { cwd } },
    place: wordsFor(wanted, name),
    egress: isOurs && wanted.network === "limited" ? { allowed_hosts: wanted.allow } : null,
    browse: (link) => dockerFiles({ link, engine, id, user: wanted.user }),
  });
}

function wordsFor({ source, network }: DockerSpec, name: string): string {
  if (source.kind === "container") return `the Docker container ${name}`;
  const image = source.kind === "image" ? `the image ${source.image}` : "an image of its own";
  const reach = { none: "without network", limited: "without a way to the internet", full: "with network" }[network];
  return `a Docker container from ${image}, ${reach}`;
}

/** What a new container lacks: copies, and the start directory. */
async function prepare(
  container: Docker.Container,
  engine: Engine,
  { wanted, context }: ProvisionDockerPorts,
): Promise<void> {
  const { signal, onProgress } = context;
  const copies = wanted.mounts.filter(({ mode }) => mode === "copy");
  const cwd = wanted.cwd !== null && wanted.cwd.startsWith("/") ? wanted.cwd : null;
  try {
    const isMissing = cwd !== null && !(await exists(container, cwd, signal));
    if (copies.length === 0 && !isMissing) return;
    const owner = await ownerIn(container, signal);
    for (const mount of copies) {
      onProgress(`copying ${mount.source} to ${mount.target} …`);
      await copyInto(container, mount, owner, signal);
    }
    if (cwd !== null && !(await exists(container, cwd, signal))) await makeFolder(container, cwd, owner, signal);
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof ManyHandsError) throw thrown;
    throw engineError(engine, "The new container could not be prepared", thrown);
  }
}

async function exists(container: Docker.Container, path: string, signal: AbortSignal): Promise<boolean> {
  try {
    await step(`a look at ${path}`, signal, (abortSignal) => container.infoArchive({ path, abortSignal }));
    return true;
  } catch (thrown) {
    if (statusOf(thrown) === 404) return false;
    throw thrown;
  }
}

/** Of its user, by the numbers that the container itself goes by. */
async function ownerIn(container: Docker.Container, signal: AbortSignal): Promise<Owner> {
  const ids = await askContainer(container, ["/bin/sh", "-c", "id -u; id -g"], null, signal);
  const [uid = 0, gid = 0] = ids.trim().split(/\s+/).map(Number);
  return { uid, gid };
}

async function remove(
  engine: Engine,
  { id, network }: RunningContainer,
  report: (what: string, thrown?: unknown) => void = () => {},
): Promise<void> {
  await removeContainer(engine, id);
  // The container is gone: a network that stays is no reason to say that the hand does.
  if (network !== null) {
    await removeNetwork(engine, network.id).catch((failed: unknown) => report("a network stays", failed));
  }
}
