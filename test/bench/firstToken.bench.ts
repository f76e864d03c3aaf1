/**
 * The first token of a session whose hand is a cold container: the model is asked at once (lazy), or when the hand is there
 * (eager). Real containers of a real engine; now and then provisioning takes longer, as it does where an image has to be
 * pulled or a host is busy. The model's own time to its first token is the same for all.
 */
import path from "node:path";
import type { HandProvider } from "../../src/core/hand.ts";
import type { ModelPort } from "../../src/core/model.ts";
import { defaultHarness } from "../../src/brain/harness/defaultHarness.ts";
import { createDockerProvider } from "../../src/hands/docker/dockerProvider.ts";
import { LocalSessionService } from "../../src/orchestrator/localSessionService.ts";
import { systemClock } from "../../src/orchestrator/systemClock.ts";
import { BUSYBOX_IMAGE, startEngine, whyNoEngine } from "../fixtures/docker/testEngine.ts";
import { benchFolder, ids, median, openStore } from "./benchLog.ts";
import type { Figure } from "./benchLog.ts";

const ROUNDS = 30;
const MODEL_MS = 150;
/** Of thirty containers, what each takes beyond its start: most nothing, a few a pull of a small or of a large image. */
const EXTRA_MS = [...Array<number>(21).fill(0), ...Array<number>(6).fill(1_000), ...Array<number>(3).fill(6_000)];

const usage = { input_tokens: 10, output_tokens: 2, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };

const model: ModelPort = {
  ask: async (_request, _signal, onDelta) => {
    await systemClock.sleep(MODEL_MS);
    onDelta({ kind: "block_start", index: 0, type: "text" });
    onDelta({ kind: "delta", index: 0, delta: { type: "text_delta", text: "Hello." } });
    return { kind: "completed", blocks: [{ type: "text", text: "Hello." }], stop_reason: "end_turn", usage };
  },
};

/** Without tools: a session that has no hand to speak of. */
const nothing: HandProvider = {
  tools: () => [],
  describe: () => "nothing",
  provision: () => Promise.reject(new Error("there is nothing to provision")),
};

type Way = "none" | "lazy" | "eager";

export async function bench(): Promise<readonly Figure[]> {
  const why = whyNoEngine();
  if (why !== null) throw new Error(why);
  const { folder, remove } = benchFolder();
  const engine = await startEngine();
  let extraMs = 0;
  const docker = createDockerProvider({ clock: systemClock });
  const service = new LocalSessionService({
    store: openStore(path.join(folder, "sessions")),
    clock: systemClock,
    ids,
    loadHarness: () => Promise.resolve(defaultHarness),
    loadModel: () => Promise.resolve(model),
    settings: () =>
      Promise.resolve({
        model: { id: "claude-sonnet-5-5", max_tokens: 8_000, context_window: 200_000, thinking: "off" as const },
        instructions: "",
        policy: (tool) => tool.permission,
      }),
    defaultHands: () => [{ name: "nothing", kind: "nothing" }],
    loadMount: () => Promise.reject(new Error("no hand has resources here")),
    random: () => 0,
    trusted: () => true,
    report: (what, thrown) => (thrown === undefined ? undefined : console.error(what, thrown)),
  });
  service.registerHandProvider("nothing", nothing);
  service.registerHandProvider("docker", {
    ...docker,
    provision: async (spec, context) => {
      await systemClock.sleep(extraMs);
      return docker.provision(spec, context);
    },
  });
  const box = { name: "box", kind: "docker", options: { image: BUSYBOX_IMAGE, socket: engine.socket, cwd: "/" } };

  async function firstToken(way: Way): Promise<number> {
    const { id } = await service.createSession(way === "none" ? {} : { hands: [box] });
    const start = performance.now();
    if (way === "eager") await service.openHand(id, "box");
    const token = new Promise<number>((resolve) => {
      const listening = service.onDidStream(({ session_id, event }) => {
        if (session_id !== id || event.type !== "event_delta") return;
        listening.dispose();
        resolve(performance.now() - start);
      });
    });
    await service.emitEvent(id, { type: "user.message", content: [{ type: "text", text: "Hello" }] });
    const ms = await token;
    while ((await service.getSession(id)).state.status !== "idle") await systemClock.sleep(5);
    await service.deleteSession(id);
    return ms;
  }

  const times: Record<Way, number[]> = { none: [], lazy: [], eager: [] };
  try {
    for (let round = -2; round < ROUNDS; round += 1) {
      extraMs = EXTRA_MS[(round * 7 + 14) % EXTRA_MS.length] ?? 0;
      for (const way of ["none", "lazy", "eager"] as const) {
        const ms = await firstToken(way);
        if (round >= 0) times[way].push(ms);
      }
    }
  } finally {
    await service.close();
    await engine.stop();
    remove();
  }
  const late = (values: readonly number[]): number =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.95)] ?? Number.NaN;
  const [p50, p95] = [median, late].map((of) => 1 - of(times.lazy) / of(times.eager)) as [number, number];
  const above = median(times.lazy) - median(times.none);
  const said = (values: readonly number[]): string =>
    `p50 ${median(values).toFixed(0)} ms, p95 ${late(values).toFixed(0)} ms`;
  return [
    {
      name: "first token on a cold container, lazy against eager, p50",
      value: p50 * 100,
      unit: "% lower",
      target: "≥ 60",
      ok: p50 >= 0.6,
      detail: `lazy ${said(times.lazy)}; eager ${said(times.eager)}; the model's own share ${MODEL_MS} ms`,
    },
    { name: "… p95", value: p95 * 100, unit: "% lower", target: "≥ 90", ok: p95 >= 0.9 },
    {
      name: "first token with a cold hand, above a session without",
      value: above,
      unit: "ms, p50",
      target: "≤ 10",
      ok: above <= 10,
      detail: `without a hand ${said(times.none)}`,
    },
  ];
}
