/** A local bash call with its journal, confined and not, against a bare `spawn("sh", ["-c", …])`, and a hand's start, in one run. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Hand } from "../../src/core/hand.ts";
import type { EventId } from "../../src/core/ids.ts";
import type { ConfinementMode } from "../../src/hands/local/confinement.ts";
import { createLocalProvider } from "../../src/hands/local/localProvider.ts";
import { systemClock } from "../../src/orchestrator/systemClock.ts";

const CALLS = 200;

const STARTS = 8;

export async function bench(): Promise<object[]> {
  const root = await mkdtemp(join(homedir(), ".many-hands-bench-"));
  try {
    return await measured(root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function measured(root: string): Promise<object[]> {
  const free = await provision(root, "off");
  const confined = await provision(root, "required");
  const bare: number[] = [];
  const called: number[] = [];
  const calledConfined: number[] = [];
  for (let at = 0; at < CALLS; at += 1) {
    bare.push(await timed(spawned));
    called.push(await call(free, at));
    calledConfined.push(await call(confined, at));
  }
  await Promise.all([free.destroy(), confined.destroy()]);
  const started: number[] = [];
  const startedConfined: number[] = [];
  for (let at = 0; at < STARTS; at += 1) {
    started.push(await timed(async () => (await provision(root, "off")).destroy()));
    startedConfined.push(await timed(async () => (await provision(root, "required")).destroy()));
  }
  const ratio = median(called) / median(bare);
  const ratioConfined = median(calledConfined) / median(called);
  const more = median(startedConfined) - median(started);
  return [
    {
      name: "local bash call / spawn sh, p50",
      value: ratio,
      unit: "×",
      target: "≤ 2.5",
      ok: ratio <= 2.5,
      detail: `${median(called).toFixed(2)} ms against ${median(bare).toFixed(2)} ms`,
    },
    {
      name: "bash call of a confined hand / of one that is not, p50",
      value: ratioConfined,
      unit: "×",
      target: "≤ 1.5",
      ok: ratioConfined <= 1.5,
      detail: `${median(calledConfined).toFixed(2)} ms against ${median(called).toFixed(2)} ms`,
    },
    {
      name: "start and end of a confined hand, above one that is not, p50",
      value: more,
      unit: "ms",
      target: "≤ 400",
      ok: more <= 400,
      detail: `${median(startedConfined).toFixed(0)} ms against ${median(started).toFixed(0)} ms`,
    },
  ];
}

async function call(hand: Hand, at: number): Promise<number> {
  const id = `sevt_bench_${String(at).padStart(6, "0")}` as EventId;
  const context = { onOutput: () => Promise.resolve(), willChange: () => Promise.resolve() };
  const took = await timed(() => hand.execute({ id, name: "bash", input: { command: "true" } }, context));
  await hand.acknowledge([id]);
  return took;
}

function provision(root: string, mode: ConfinementMode): Promise<Hand> {
  const confinement = () => ({ mode, unreadable: [], writable: [], environment: [], allowedHosts: [] });
  return createLocalProvider({ clock: systemClock, confinement }).provision(
    { name: "local", kind: "local", options: { cwd: root } },
    {
      sessionId: "bench",
      storagePath: join(root, mode),
      previousInstance: null,
      signal: new AbortController().signal,
      onProgress: () => {},
    },
  );
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
