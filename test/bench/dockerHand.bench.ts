/** A hand in a container against Docker's own client in one run: a trivial call with its journal, and a large file each way. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { join } from "node:path";
import type { EventId } from "../../src/core/ids.ts";
import { makeKit } from "../fixtures/docker/dockerKit.ts";
import { startEngine } from "../fixtures/docker/testEngine.ts";

const CALLS = 60;
const TRANSFERS = 5;
const FILE_BYTES = 64 * 1024 * 1024;

export async function bench(): Promise<object[]> {
  const engine = await startEngine();
  try {
    const kit = await makeKit(engine);
    const hand = await kit.provision();
    const docker = (...args: readonly string[]): Promise<void> =>
      perform("docker", ["-H", `unix://${engine.socket}`, ...args]);
    const called: number[] = [];
    const bare: number[] = [];
    for (let at = 0; at < CALLS; at += 1) {
      bare.push(await timed(() => docker("exec", hand.containerId, "sh", "-c", "true")));
      const id = `sevt_bench_${String(at).padStart(6, "0")}` as EventId;
      const context = { onOutput: () => Promise.resolve(), willChange: () => Promise.resolve() };
      called.push(await timed(() => hand.execute({ id, name: "bash", input: { command: "true" } }, context)));
      await hand.acknowledge([id]);
    }
    const [source, target] = [join(kit.folder, "source"), join(kit.folder, "target")];
    await writeFile(source, randomBytes(FILE_BYTES));
    const times = { up: [] as number[], copyUp: [] as number[], down: [] as number[], copyDown: [] as number[] };
    for (let at = 0; at < TRANSFERS; at += 1) {
      // To a new name each time: docker cp removes what is there, the hand replaces it in one step, and for that some file
      // systems write the new content out first.
      const [theirs, ours] = [`/tmp/theirs${at}`, `/tmp/ours${at}`];
      times.copyUp.push(await timed(() => docker("cp", source, `${hand.containerId}:${theirs}`)));
      times.up.push(
        await timed(async () => hand.files?.write(ours, createReadStream(source, { highWaterMark: 1024 * 1024 }))),
      );
      times.copyDown.push(await timed(() => docker("cp", `${hand.containerId}:${theirs}`, target)));
      times.down.push(
        await timed(async () => {
          const file = await open(target, "w");
          await hand.files?.read(ours, async (chunk) => void (await file.write(chunk)));
          await file.close();
        }),
      );
      await perform("cmp", [source, target]);
    }
    await kit.end();
    const ratio = median(called) / median(bare);
    return [
      {
        name: "Docker bash call / docker exec, p50",
        value: ratio,
        unit: "×",
        target: "≤ 1/15",
        ok: ratio <= 1 / 15,
        detail: `${median(called).toFixed(2)} ms against ${median(bare).toFixed(2)} ms`,
      },
      transfer("64 MiB into a container, speed / docker cp", times.up, times.copyUp),
      transfer("64 MiB out of a container, speed / docker cp", times.down, times.copyDown),
    ];
  } finally {
    await engine.stop();
  }
}

function transfer(name: string, ours: readonly number[], theirs: readonly number[]): object {
  const value = median(theirs) / median(ours);
  const detail = `${median(ours).toFixed(0)} ms against ${median(theirs).toFixed(0)} ms`;
  return { name, value, unit: "×", target: "≥ 0.7", ok: value >= 0.7, detail };
}

async function perform(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { stdio: "ignore" });
  const [status] = (await once(child, "exit")) as [number | null];
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}`);
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
