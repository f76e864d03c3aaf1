/**
 * A bash call with its journal over SSH against `ssh` over a control socket, and a file each way against `scp`, in one run.
 *
 * sshd starts each command of `ssh` by the account's login shell, and bash reads ~/.bashrc there: what version managers and
 * completions do in it is paid for each command. A hand pays it once, when it connects. So calls are measured twice: with
 * the start-up files of the account that runs this, and with none at all, where what is left is the two programs.
 */
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, realpath, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import type { Hand } from "../../src/core/hand.ts";
import type { EventId } from "../../src/core/ids.ts";
import { createSshProvider } from "../../src/hands/ssh/sshProvider.ts";
import { systemClock } from "../../src/orchestrator/systemClock.ts";
import { hasSshd, noSshd, removeFolder, startSshServer } from "../fixtures/sshd/sshServer.ts";
import type { SshServer } from "../fixtures/sshd/sshServer.ts";

const CALLS = 60;
const FILE_BYTES = 64 * 1024 * 1024;
const COPIES = 5;
const RATIO_MAX = 0.05;
const BARE_RATIO_MAX = 0.25;

interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly target: string;
  readonly ok: boolean;
  readonly detail: string;
}

export async function bench(): Promise<Row[]> {
  if (!hasSshd()) throw new Error(noSshd);
  const own = (home: string): Promise<void> => writeFile(join(home, ".bashrc"), startupFile(homedir(), home));
  return [
    ...(await onServer(own, async (hand, server, folder) => [
      { ...(await calls(hand, server, folder, RATIO_MAX)), name: "SSH bash call / ssh over ControlMaster, p50" },
    ])),
    ...(await onServer(
      () => Promise.resolve(),
      async (hand, server, folder) => [
        { ...(await calls(hand, server, folder, BARE_RATIO_MAX)), name: "… of an account without start-up files" },
        ...(await files(hand, server, folder)),
      ],
    )),
  ];
}

/** What bash reads at a start: the file of the account whose home is `own`, in a home that is not its own. */
function startupFile(own: string, home: string): string {
  return `HOME='${own}'\n[ ! -r "$HOME/.bashrc" ] || . "$HOME/.bashrc"\nHOME='${home}'\n`;
}

async function onServer(
  furnish: (home: string) => Promise<void>,
  measure: (hand: Hand, server: SshServer, folder: string) => Promise<Row[]>,
): Promise<Row[]> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "many-hands-bench-")));
  const server = await startSshServer({ folder });
  try {
    await furnish(server.home);
    const hand = await provisioned(server);
    const rows = await measure(hand, server, folder);
    await hand.destroy();
    return rows;
  } finally {
    await server.stop();
    await removeFolder(folder);
  }
}

function provisioned({ configFile }: SshServer): Promise<Hand> {
  const nobody = { hostKey: () => Promise.resolve(false), secret: () => Promise.resolve(null) };
  const provider = createSshProvider({ clock: systemClock, environment: () => process.env, ask: nobody });
  return provider.provision(
    { name: "box", kind: "ssh", options: { host: "box", configFile } },
    {
      sessionId: "bench",
      storagePath: tmpdir(),
      previousInstance: null,
      signal: new AbortController().signal,
      onProgress: () => {},
    },
  );
}

async function calls(
  hand: Hand,
  { configFile }: SshServer,
  folder: string,
  ratioMax: number,
): Promise<Omit<Row, "name">> {
  const master = ["-F", configFile, "-o", `ControlPath=${join(folder, "control")}`];
  execFileSync("ssh", [...master, "-o", "ControlMaster=yes", "-o", "ControlPersist=60", "box", "true"], {
    stdio: "ignore",
  });
  const context = { onOutput: () => Promise.resolve(), willChange: () => Promise.resolve() };
  const called: number[] = [];
  const shared: number[] = [];
  for (let at = 0; at < CALLS; at += 1) {
    const id = `sevt_bench_${String(at).padStart(6, "0")}` as EventId;
    called.push(await timed(() => hand.execute({ id, name: "bash", input: { command: "true" } }, context)));
    await hand.acknowledge([id]);
    // In turns: calls are seconds apart where a model asks for them, not one straight behind the other.
    shared.push(await timed(() => run("ssh", [...master, "box", "true"])));
  }
  execFileSync("ssh", [...master, "-O", "exit", "box"], { stdio: "ignore" });
  const ratio = median(called) / median(shared);
  return {
    value: ratio,
    unit: "×",
    target: `≤ ${ratioMax}`,
    ok: ratio <= ratioMax,
    detail: `${median(called).toFixed(2)} ms against ${median(shared).toFixed(1)} ms`,
  };
}

/** Speeds: of the hand's files in units of scp's. */
async function files(hand: Hand, { configFile, home }: SshServer, folder: string): Promise<Row[]> {
  const near = join(folder, "near");
  await writeFile(near, randomBytes(FILE_BYTES));
  const far = `${home}/far`;
  const scp = ["-q", "-F", configFile];
  const [put, get, scpPut, scpGet]: number[][] = [[], [], [], []];
  for (let at = 0; at < COPIES; at += 1) {
    put?.push(await timed(async () => hand.files?.write(far, createReadStream(near, { highWaterMark: 1024 * 1024 }))));
    scpPut?.push(await timed(() => run("scp", [...scp, near, `box:${home}/scp`])));
    get?.push(await timed(() => fetched(hand, far, join(folder, "back"))));
    scpGet?.push(await timed(() => run("scp", [...scp, `box:${home}/scp`, join(folder, "scpBack")])));
  }
  execFileSync("cmp", [near, join(folder, "back")]);
  execFileSync("cmp", [near, far]);
  return [row("64 MiB to a host, speed / scp", put, scpPut), row("64 MiB from a host, speed / scp", get, scpGet)];
}

async function fetched(hand: Hand, from: string, to: string): Promise<void> {
  const out = createWriteStream(to);
  await hand.files?.read(from, async (chunk) => {
    if (!out.write(chunk)) await new Promise<void>((resolve) => out.once("drain", resolve));
  });
  await new Promise<void>((resolve) => out.end(resolve));
}

function row(name: string, own: readonly number[] = [], other: readonly number[] = []): Row {
  const value = median(other) / median(own);
  const speed = (ms: number): string => `${(FILE_BYTES / 1024 / 1024 / (ms / 1_000)).toFixed(0)} MiB/s`;
  const detail = `${speed(median(own))} against ${speed(median(other))}, connecting included`;
  return { name, value, unit: "×", target: "≥ 0.7", ok: value >= 0.7, detail };
}

function run(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "ignore" });
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`${program} ended with ${code}`))));
  });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
