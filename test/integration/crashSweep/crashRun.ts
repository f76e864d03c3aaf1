/**
 * One life of the program in the crash sweep, as a process of its own: opens the log, plays the person, and either
 * finishes (prints the number of points it passed) or is killed at the point it was told.
 * Usage: crashRun.ts <root> <model url> <crash at>
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createAnthropicModel } from "../../../src/brain/model/anthropicModel.ts";
import { defaultHarness } from "../../../src/brain/harness/defaultHarness.ts";
import { createLocalProvider } from "../../../src/hands/local/localProvider.ts";
import { LocalSessionService } from "../../../src/orchestrator/localSessionService.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { createFileStore } from "../../../src/session/fileStore.ts";
import { createIds } from "../../../src/session/ids.ts";
import { createCrashPoints, crashyHarness, crashyProvider, crashyStore } from "./crashPoints.ts";
import { nextMove } from "./person.ts";

const LIFE_MS_MAX = 60_000;

async function live(root: string, modelUrl: string, crashAt: number): Promise<void> {
  const points = createCrashPoints(crashAt);
  const workspace = join(root, "workspace");
  await mkdir(workspace, { recursive: true });
  const clock = systemClock;
  const ids = createIds(clock);
  const report = (what: string, thrown?: unknown): void => console.error(what, thrown ?? "");
  const store = createFileStore({ root: join(root, "sessions"), clock, ids, owner: "the sweep", onError: report });
  const service = new LocalSessionService({
    store: crashyStore(store, points),
    clock,
    ids,
    loadHarness: () => Promise.resolve(crashyHarness(defaultHarness, points)),
    loadModel: () => Promise.resolve(createAnthropicModel({ fetch, baseUrl: modelUrl })),
    settings: () =>
      Promise.resolve({
        model: { id: "claude-sonnet-5-5", max_tokens: 8_000, context_window: 200_000, thinking: "adaptive" as const },
        instructions: "",
        policy: (tool) => tool.permission,
      }),
    defaultHands: () => [{ name: "local", kind: "local", options: { cwd: workspace } }],
    loadMount: () => Promise.reject(new Error("no hand has resources here")),
    random: () => 0,
    trusted: () => true,
    report,
  });
  service.registerHandProvider("local", crashyProvider(createLocalProvider({ clock }), points));
  await service.start();
  const existing = (await service.listSessions())[0];
  const { id } = existing ?? (await service.createSession({}));
  const end = Date.now() + LIFE_MS_MAX;
  for (;;) {
    const { state } = await service.getSession(id);
    const events = await service.getEvents(id, {});
    const move = nextMove(state, events, workspace);
    if (move.kind === "done") break;
    if (move.kind === "say") {
      points.pass(`before the person says ${move.event.type}`);
      await service.emitEvent(id, move.event);
      points.pass(`after the person said ${move.event.type}`);
    }
    if (Date.now() > end) throw new Error(`no end in sight: ${JSON.stringify(state)}`);
    await clock.sleep(10);
  }
  await service.close();
  process.stdout.write(JSON.stringify({ points: points.count(), session: id }));
}

const [root, modelUrl, crashAt] = process.argv.slice(2);
if (root === undefined || modelUrl === undefined) throw new Error("usage: crashRun.ts <root> <model url> <crash at>");
await live(root, modelUrl, Number(crashAt ?? "0"));
process.exit(0);
