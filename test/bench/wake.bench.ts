/** Waking a session with 150,000 events, up to its next request, against parsing its log; each in fresh processes, in turns. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { benchFolder, median } from "./benchLog.ts";
import type { Figure } from "./benchLog.ts";

const ROUNDS = 5;
const MIB = 1024 * 1024;
const HEAP_MIB_MAX = 32;
const life = path.join(import.meta.dirname, "wakeLife.ts");

async function live<T>(mode: "make" | "parse" | "wake", root: string): Promise<T> {
  const flags = ["--expose-gc", "--disable-warning=ExperimentalWarning"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, life, mode, root]);
  return JSON.parse(stdout) as T;
}

/** What can be made again from the log. */
function forgetDerived(root: string): void {
  for (const session of readdirSync(root)) {
    for (const name of ["events.idx", "checkpoint.json"]) {
      const file = path.join(root, session, name);
      if (!existsSync(file)) throw new Error(`there is no ${name} to be forgotten`);
      rmSync(file);
    }
  }
}

export async function bench(): Promise<readonly Figure[]> {
  const { folder, remove } = benchFolder();
  const root = path.join(folder, "sessions");
  try {
    const { events, bytes } = await live<{ events: number; bytes: number }>("make", root);
    const parses: number[] = [];
    const wakes: { ms: number; messages: number; heapBytes: number }[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      parses.push((await live<{ ms: number }>("parse", root)).ms);
      wakes.push(await live<(typeof wakes)[number]>("wake", root));
    }
    const parse = median(parses);
    const wake = median(wakes.map(({ ms }) => ms));
    const heap = Math.max(...wakes.map(({ heapBytes }) => heapBytes)) / MIB;
    forgetDerived(root);
    const anew = await live<(typeof wakes)[number]>("wake", root);
    return [
      {
        name: "wake up to the request, against parsing the log",
        value: wake / parse,
        unit: "× parse",
        target: "≤ 0.10",
        ok: wake / parse <= 0.1,
        detail: `${wake.toFixed(0)} ms (${wakes[0]?.messages} messages in the request) against ${parse.toFixed(0)} ms; ${events} events, ${(bytes / 1e6).toFixed(0)} MB`,
      },
      {
        name: "heap and buffers that a wake takes at most",
        value: heap,
        unit: "MiB",
        target: `≤ ${HEAP_MIB_MAX}`,
        ok: heap <= HEAP_MIB_MAX,
        detail: `with index and checkpoint gone ${anew.ms.toFixed(0)} ms and ${(anew.heapBytes / MIB).toFixed(0)} MiB`,
      },
    ];
  } finally {
    remove();
  }
}
