/** A local bash call with its journal, against a bare `spawn("sh", ["-c", …])`, in one run. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EventId } from "../../src/core/ids.ts";
import { createLocalProvider } from "../../src/hands/local/localProvider.ts";
import { systemClock } from "../../src/orchestrator/systemClock.ts";

const CALLS = 200;

export async function bench(): Promise<object[]> {
  const root = await mkdtemp(join(tmpdir(), "many-hands-bench-"));
  const provider = createLocalProvider({ clock: systemClock });
  const hand = await provider.provision(
    { name: "local", kind: "local", options: { cwd: root } },
    {
      sessionId: "bench",
      storagePath: join(root, "hand"),
      previousInstance: null,
      signal: new AbortController().signal,
      onProgress: () => {},
    },
  );
  const bare: number[] = [];
  const called: number[] = [];
  for (let at = 0; at < CALLS; at += 1) {
    bare.push(await timed(spawned));
    const id = `sevt_bench_${String(at).padStart(6, "0")}` as EventId;
    const context = { onOutput: () => Promise.resolve(), willChange: () => Promise.resolve() };
    called.push(await timed(() => hand.execute({ id, name: "bash", input: { command: "true" } }, context)));
    await hand.acknowledge([id]);
  }
  await hand.destroy();
  await rm(root, { recursive: true, force: true });
  const ratio = median(called) / median(bare);
  return [
    {
      name: "local bash call / spawn sh, p50",
      value: ratio,
      unit: "×",
      target: "≤ 2.5",
      ok: ratio <= 2.5,
      detail: `${median(called).toFixed(2)} ms against ${median(bare).toFixed(2)} ms`,
    },
  ];
}

function spawned(): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("sh", ["-c", "true"]);
    child.on("close", () => resolve());
    child.on("error", reject);
  });
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
