/** The image of a hand's container: there already, pulled, or built; with progress in words for the person. */
import { createHash } from "node:crypto";
import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Clock } from "../../core/clock.ts";
import { ManyHandsError } from "../../core/errors.ts";
import { messageOf } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import type { DockerSource } from "./dockerSpec.ts";
import { engineError, statusOf, step, wordsOf } from "./engine.ts";
import type { Engine } from "./engine.ts";

export interface ImagePorts {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress: (message: string) => void;
}

/** What the engine says while it pulls or builds. */
interface Said {
  readonly status?: string;
  readonly id?: string;
  readonly stream?: string;
  readonly error?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** Between two words of progress, in milliseconds. */
const PROGRESS_MS = 1_000;
/** Lines of a failed build that are shown. */
const BUILD_LINES = 12;
const MB = 1_000_000;

/** The image's name for the engine, where it then is. Rejects with `hand_unavailable`. */
export async function ensureImage(
  source: Exclude<DockerSource, { kind: "container" }>,
  ports: ImagePorts,
): Promise<string> {
  if (source.kind === "build") return buildImage(source, ports);
  const { engine, signal } = ports;
  try {
    await step("a look at the image", signal, () => engine.docker.getImage(source.image).inspect());
  } catch (thrown) {
    if (statusOf(thrown) !== 404) throw engineError(engine, `The image ${source.image} cannot be used`, thrown);
    await pullImage(source.image, ports);
  }
  return source.image;
}

async function pullImage(image: string, ports: ImagePorts): Promise<void> {
  const { engine, clock, signal, onProgress } = ports;
  onProgress(`pulling the image ${image} …`);
  const layers = new Map<string, { readonly current: number; readonly total: number; readonly isDone: boolean }>();
  let told = clock.now();
  const hear = ({ id, status, progressDetail }: Said): void => {
    if (id === undefined || status === undefined) return;
    const { current = 0, total = 0 } = progressDetail ?? {};
    const isDone = /^(Pull complete|Already exists)$/.test(status);
    const before = layers.get(id);
    if (status.startsWith("Downloading")) layers.set(id, { current, total, isDone });
    else if (before !== undefined || isDone) layers.set(id, { current: 0, total: 0, ...before, isDone });
    if (clock.now() - told < PROGRESS_MS) return;
    told = clock.now();
    onProgress(pullWords(image, [...layers.values()]));
  };
  try {
    const stream = await step(
      `the beginning of the pull of ${image}`,
      signal,
      (abortSignal) => engine.docker.pull(image, { abortSignal }),
      limits.dockerStallMs,
    );
    await listen(stream, signal, hear);
  } catch (thrown) {
    signal.throwIfAborted();
    const why = wordsOf(thrown);
    const message = `The image "${image}" is not on the Docker engine (${engine.label}) and cannot be pulled: ${why}. Check its name, or get it there yourself: docker pull ${image}`;
    throw new ManyHandsError("hand_unavailable", "hand", message, thrown);
  }
}

function pullWords(
  image: string,
  layers: readonly { readonly current: number; readonly total: number; readonly isDone: boolean }[],
): string {
  const done = layers.filter(({ isDone }) => isDone).length;
  const bytes = layers.reduce((sum, { current }) => sum + current, 0);
  const total = layers.reduce((sum, layer) => sum + layer.total, 0);
  return `pulling the image ${image}: ${done} of ${layers.length} layers, ${Math.round(bytes / MB)} of ${Math.round(total / MB)} MB`;
}

async function buildImage(
  { context, dockerfile }: Extract<DockerSource, { kind: "build" }>,
  ports: ImagePorts,
): Promise<string> {
  const { engine, signal, onProgress } = ports;
  const digest = createHash("sha256").update(`${context}\0${dockerfile}`).digest("hex").slice(0, 16);
  const tag = `many-hands-build:${digest}`;
  const lines: string[] = [];
  const fail = (why: string, cause?: unknown): ManyHandsError => {
    const message = `The image cannot be built from ${join(context, dockerfile)}: ${why}`;
    return new ManyHandsError("hand_unavailable", "hand", message, cause);
  };
  let src: string[];
  try {
    await access(join(context, dockerfile));
    src = await readdir(context);
  } catch (thrown) {
    throw fail(`there is no such file (${messageOf(thrown)}).`, thrown);
  }
  onProgress(`building an image from ${join(context, dockerfile)} …`);
  try {
    const stream = await step(
      "the beginning of the build",
      signal,
      (abortSignal) =>
        engine.docker.buildImage({ context, src }, { t: tag, dockerfile, rm: true, forcerm: true, abortSignal }),
      limits.dockerStallMs,
    );
    await listen(stream, signal, ({ stream: text = "" }) => {
      for (const line of text.split("\n").filter((one) => one.trim() !== "")) {
        lines.push(line);
        if (line.startsWith("Step ")) onProgress(`building: ${line}`);
      }
      lines.splice(0, lines.length - BUILD_LINES);
    });
  } catch (thrown) {
    signal.throwIfAborted();
    throw fail(`${wordsOf(thrown)}. It last said:\n${lines.join("\n")}`, thrown);
  }
  return tag;
}

/** Until the engine has said all; rejects with the error that it named, or when it says nothing for too long. */
async function listen(stream: NodeJS.ReadableStream, signal: AbortSignal, hear: (said: Said) => void): Promise<void> {
  const body = stream as Readable;
  const abort = (): void => void body.destroy(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  const stall = setTimeout(() => {
    body.destroy(new Error(`nothing more came for ${limits.dockerStallMs / 1_000} s`));
  }, limits.dockerStallMs);
  try {
    body.setEncoding("utf8");
    let rest = "";
    for await (const text of body) {
      stall.refresh();
      const lines = (rest + String(text)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.trim() === "") continue;
        const said = JSON.parse(line) as Said;
        if (said.error !== undefined) throw new Error(said.error.trim());
        hear(said);
      }
    }
  } finally {
    clearTimeout(stall);
    signal.removeEventListener("abort", abort);
  }
}
