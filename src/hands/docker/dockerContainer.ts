/** The container of a hand: found again by its labels, started again, or made from the spec, safe by default. */
import type Docker from "dockerode";
import { ManyHandsError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import type { DockerSpec } from "./dockerSpec.ts";
import { ensureImage } from "./dockerImage.ts";
import type { ImagePorts } from "./dockerImage.ts";
import { ensureNetwork } from "./dockerNetwork.ts";
import type { SessionNetwork } from "./dockerNetwork.ts";
import { DESKTOP_HOST, engineError, engineInfo, isDesktop, statusOf, step, wordsOf } from "./engine.ts";
import type { Engine } from "./engine.ts";
import { containerName, LABELS, LABELS_VERSION, specDigest } from "./labels.ts";

export interface ContainerPorts extends ImagePorts {
  readonly sessionId: string;
  readonly storagePath: string;
  /** Containers that ended under a hand in this life of the program: it is not theirs to be started again. */
  readonly ended: ReadonlySet<string>;
}

/** A container that runs. */
export interface RunningContainer {
  readonly id: string;
  readonly name: string;
  /** Made just now, so that there is nothing in it yet but the image. */
  readonly isNew: boolean;
  readonly network: SessionNetwork | null;
  /** The image's own start directory; null where it has none. */
  readonly workingDirectory: string | null;
}

/** It only sleeps; the init before it reaps what calls leave behind. */
const SLEEP = "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done";

/** A container that is somebody else's: it must run, and it is left as it is. Rejects with `hand_unavailable`. */
export async function useContainer(engine: Engine, container: string, signal: AbortSignal): Promise<RunningContainer> {
  let info: Docker.ContainerInspectInfo;
  try {
    info = await inspect(engine, container, signal);
  } catch (thrown) {
    if (statusOf(thrown) !== 404) throw engineError(engine, `The container ${container} cannot be used`, thrown);
    throw unavailable(`There is no container "${container}" on the Docker engine ${engine.label}.`, thrown);
  }
  if (info.State.Paused) throw unavailable(`The container "${container}" is paused: docker unpause ${container}`);
  if (!info.State.Running) throw unavailable(`The container "${container}" is not running: docker start ${container}`);
  return runningOf(info, false, null);
}

/** Rejects with `hand_unavailable`; what was begun is removed then. */
export async function findOrMakeContainer(spec: DockerSpec, ports: ContainerPorts): Promise<RunningContainer> {
  const { engine, sessionId, onProgress, ended } = ports;
  const name = containerName(sessionId, spec.name);
  const found = await findContainer(ports, spec.name);
  if (found !== null) {
    const isSame = found.Config.Labels?.[LABELS.spec] === specDigest(spec);
    if (isSame && !ended.has(found.Id)) return reviveContainer(found, spec, ports);
    onProgress(isSame ? `removing the container ${name}, which ended` : `removing the container of an older spec`);
    await removeContainer(engine, found.Id);
  }
  return makeContainer(name, spec, ports);
}

/** By its labels, so that it may have been renamed. */
async function findContainer(
  { engine, sessionId, signal }: ContainerPorts,
  hand: string,
): Promise<Docker.ContainerInspectInfo | null> {
  const label = [`${LABELS.session}=${sessionId}`, `${LABELS.hand}=${hand}`];
  try {
    const [found] = await step("looking for the hand's container", signal, (abortSignal) =>
      engine.docker.listContainers({ all: true, filters: { label }, abortSignal }),
    );
    return found === undefined ? null : await inspect(engine, found.Id, signal);
  } catch (thrown) {
    signal.throwIfAborted();
    // It was removed between the two.
    if (statusOf(thrown) === 404) return null;
    throw engineError(engine, "The hand's container cannot be looked for", thrown);
  }
}

async function reviveContainer(
  info: Docker.ContainerInspectInfo,
  spec: DockerSpec,
  { engine, sessionId, signal, onProgress }: ContainerPorts,
): Promise<RunningContainer> {
  const container = engine.docker.getContainer(info.Id);
  const { network: mode } = spec;
  try {
    const network = mode === "none" ? null : await ensureNetwork(engine, sessionId, mode, signal);
    if (network !== null) await reconnect(engine, info, network, signal);
    if (info.State.Paused) await step("unpausing the container", signal, () => container.unpause({}));
    if (!info.State.Running) {
      onProgress("starting the container again …");
      await step("starting the container", signal, (abortSignal) => container.start({ abortSignal }));
    }
    return runningOf(info, false, network);
  } catch (thrown) {
    signal.throwIfAborted();
    const name = info.Name.replace(/^\//, "");
    const what = `The container cannot be started again ("docker rm -f ${name}" gives it up, and the next call gets a new one)`;
    throw engineError(engine, what, thrown);
  }
}

/** A network that was pruned while the container was stopped has another id now. */
async function reconnect(
  { docker }: Engine,
  info: Docker.ContainerInspectInfo,
  network: SessionNetwork,
  signal: AbortSignal,
): Promise<void> {
  const known = info.NetworkSettings.Networks[network.name];
  if (known?.NetworkID === network.id || (known !== undefined && known.NetworkID === "")) return;
  const { name } = network;
  if (known !== undefined) {
    await step("leaving a network that is gone", signal, () =>
      docker.getNetwork(name).disconnect({ Container: info.Id, Force: true }),
    ).catch(() => {});
  }
  await step("joining the session's network", signal, () => docker.getNetwork(name).connect({ Container: info.Id }));
}

async function makeContainer(name: string, spec: DockerSpec, ports: ContainerPorts): Promise<RunningContainer> {
  const { engine, sessionId, signal, onProgress } = ports;
  if (spec.source.kind === "container") throw new TypeError("a running container is not made");
  const image = await ensureImage(spec.source, ports);
  const { network: mode } = spec;
  const network = mode === "none" ? null : await ensureNetwork(engine, sessionId, mode, signal);
  onProgress(`making a container from ${image} …`);
  let id: string | null = null;
  try {
    const wanted = await creation(name, image, network, spec, ports);
    const container = await step("making the container", signal, (abortSignal) =>
      engine.docker.createContainer({ ...wanted, abortSignal }),
    );
    ({ id } = container);
    await step("starting the container", signal, (abortSignal) => container.start({ abortSignal }));
    return runningOf(await inspect(engine, id, signal), true, network);
  } catch (thrown) {
    if (id !== null) await removeContainer(engine, id).catch(() => {});
    signal.throwIfAborted();
    throw engineError(engine, `The container cannot be made from ${image}${adviceFor(wordsOf(thrown))}`, thrown);
  }
}

function adviceFor(why: string): string {
  if (/exec: "?\/bin\/sh"?|\/bin\/sh.*no such file/i.test(why)) return " (a hand needs /bin/sh in its image)";
  if (/bind source path does not exist/i.test(why)) {
    return " (the source of each mount must be there on the engine's computer)";
  }
  return "";
}

async function creation(
  name: string,
  image: string,
  network: SessionNetwork | null,
  spec: DockerSpec,
  { engine, sessionId, storagePath, signal }: ContainerPorts,
): Promise<Docker.ContainerCreateOptions> {
  const { memoryBytes, pids, mounts } = spec;
  const info = await engineInfo(engine, signal);
  const cpus = spec.cpus ?? Math.min(limits.dockerCpus, info.NCPU ?? limits.dockerCpus);
  const binds = mounts.filter(({ mode }) => mode !== "copy");
  return {
    name,
    Image: image,
    Entrypoint: ["/bin/sh", "-c", SLEEP],
    Cmd: [],
    ...(spec.user === null ? {} : { User: spec.user }),
    Env: [...spec.env],
    Labels: {
      [LABELS.session]: sessionId,
      [LABELS.hand]: spec.name,
      [LABELS.version]: LABELS_VERSION,
      [LABELS.spec]: specDigest(spec),
      [LABELS.storage]: storagePath,
    },
    Healthcheck: { Test: ["NONE"] },
    StopSignal: "SIGTERM",
    HostConfig: {
      Init: true,
      Privileged: false,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Memory: memoryBytes,
      MemorySwap: memoryBytes,
      NanoCpus: Math.round(cpus * 1e9),
      PidsLimit: pids,
      NetworkMode: network === null ? "none" : network.name,
      // Older engines look names up for internal networks too, which is a way out. In the container nobody answers.
      ...(spec.network === "limited" ? { Dns: ["127.0.0.1"] } : {}),
      // The engine's own name service, which knows it, is not asked on an internal network.
      ...(isDesktop(info) ? { ExtraHosts: [`${DESKTOP_HOST}:host-gateway`] } : {}),
      Mounts: binds.map(({ source, target, mode }) => ({
        Type: "bind",
        Source: source,
        Target: target,
        ReadOnly: mode === "read-only",
      })),
    },
  };
}

/** What is gone already is no fault. Rejects with `hand_unavailable`. */
export async function removeContainer(engine: Engine, id: string): Promise<void> {
  const never = new AbortController().signal;
  try {
    await step("removing the container", never, (abortSignal) =>
      engine.docker.getContainer(id).remove({ force: true, v: true, abortSignal }),
    );
  } catch (thrown) {
    if (statusOf(thrown) === 404 || /already in progress/i.test(wordsOf(thrown))) return;
    throw engineError(engine, "The container could not be removed", thrown);
  }
}

export async function inspect(engine: Engine, id: string, signal: AbortSignal): Promise<Docker.ContainerInspectInfo> {
  return step("a look at the container", signal, (abortSignal) =>
    engine.docker.getContainer(id).inspect({ abortSignal }),
  );
}

function runningOf(
  { Id, Name, Config }: Docker.ContainerInspectInfo,
  isNew: boolean,
  network: SessionNetwork | null,
): RunningContainer {
  const directory = Config.WorkingDir;
  const workingDirectory = directory === "" || directory === "/" ? null : directory;
  return { id: Id, name: Name.replace(/^\//, ""), isNew, network, workingDirectory };
}

function unavailable(message: string, cause?: unknown): ManyHandsError {
  return new ManyHandsError("hand_unavailable", "hand", message, cause);
}
