/**
 * One process of the bench of waking. Usage: wakeLife.ts make|parse|wake <root>; prints what it measured as JSON.
 * `wake` ends like a crash, in the middle of its request, so that the next one finds a session to go on with.
 */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { defaultHarness } from "../../src/brain/harness/defaultHarness.ts";
import type { NewEvent } from "../../src/core/events.ts";
import { createLocalProvider } from "../../src/hands/local/localProvider.ts";
import { LocalSessionService } from "../../src/orchestrator/localSessionService.ts";
import { systemClock } from "../../src/orchestrator/systemClock.ts";
import { answer, created, ids, openStore } from "./benchLog.ts";

const EVENTS = 150_000;
/** So many turns of this length fill most of a window of 200,000 tokens; then a summary takes their place. */
const TURNS_IN_WINDOW = 100;
const TURNS_AT_ONCE = 20;
const RESULT_CHARS = 6_300;
const usage = {
  input_tokens: 90,
  output_tokens: 210,
  cache_creation_input_tokens: 1_800,
  cache_read_input_tokens: 90_000,
};

function turn(): NewEvent[] {
  const start = ids.eventId();
  const call = ids.eventId();
  const text = "src/orchard.ts:17: const ripe = apples.filter((apple) => apple.days >= 90);\n";
  return [
    { type: "span.model_request_start", id: start, model: "claude-sonnet-5-5", purpose: "turn" },
    answer(start, 400),
    {
      type: "agent.tool_use",
      id: call,
      model_request_start_id: start,
      name: "bash",
      input: { command: "grep -rn ripe src | head -80" },
      evaluated_permission: "allow",
      block_id: `toolu_${call}`,
      hand: "local",
    },
    {
      type: "span.model_request_end",
      model_request_start_id: start,
      is_error: false,
      model_usage: usage,
      stop_reason: "tool_use",
    },
    { type: "hand.call_started", tool_use_id: call, hand: "local", instance: "local-1" },
    {
      type: "agent.tool_result",
      tool_use_id: call,
      content: [{ type: "text", text: text.repeat(RESULT_CHARS / text.length) }],
      is_error: false,
      outcome: { kind: "exited", code: 0 },
      duration_ms: 12,
    },
  ];
}

const task = (): NewEvent => ({ type: "user.message", content: [{ type: "text", text: "Go on with the orchard." }] });

/** Parts that are as long as a window each: a task, its turns, and the summary that takes their place. */
async function make(root: string): Promise<object> {
  const id = ids.sessionId();
  const log = await openStore(root).create(id, created);
  await log.append([{ type: "session.status_running" }]);
  while (log.state().seq < EVENTS) {
    await log.append([task()]);
    for (let turns = 0; turns < TURNS_IN_WINDOW; turns += TURNS_AT_ONCE) {
      await log.append(Array.from({ length: TURNS_AT_ONCE }, turn).flat());
    }
    const kept = log.state().seq - TURNS_AT_ONCE * turn().length + 1;
    const summary = "Went through the trees of the orchard one by one. ".repeat(60);
    await log.append([{ type: "agent.thread_context_compacted", strategy: "summarise", before_seq: kept, summary }]);
  }
  await log.append([task(), ...Array.from({ length: TURNS_IN_WINDOW / 2 }, turn).flat()]);
  await log.close();
  return { events: log.state().seq, bytes: statSync(join(root, id, "events.jsonl")).size };
}

function logOf(root: string): string {
  const id = readdirSync(root).find((name) => name.startsWith("sesn_"));
  return join(root, String(id), "events.jsonl");
}

function parse(root: string): object {
  const start = performance.now();
  const lines = readFileSync(logOf(root), "utf8").split("\n");
  let count = 0;
  for (const line of lines) if (line !== "") count += Number((JSON.parse(line) as { seq: number }).seq > 0);
  return { ms: performance.now() - start, events: count };
}

/** From nothing to the moment at which the next request would go out. */
async function wake(root: string): Promise<object> {
  globalThis.gc?.();
  const memory = (): number => process.memoryUsage().heapUsed + process.memoryUsage().external;
  const before = memory();
  let most = before;
  const look = (): void => {
    most = Math.max(most, memory());
  };
  const sampling = setInterval(look, 1);
  const start = performance.now();
  const asked = Promise.withResolvers<{ readonly ms: number; readonly messages: number }>();
  const service = new LocalSessionService({
    store: openStore(root),
    clock: systemClock,
    ids,
    loadHarness: () => Promise.resolve(defaultHarness),
    loadModel: () =>
      Promise.resolve({
        ask: (request) => {
          asked.resolve({ ms: performance.now() - start, messages: request.messages.length });
          return new Promise(() => {});
        },
      }),
    settings: () =>
      Promise.resolve({
        model: { id: "claude-sonnet-5-5", max_tokens: 8_000, context_window: 200_000, thinking: "adaptive" as const },
        instructions: "",
        policy: (tool) => tool.permission,
      }),
    defaultHands: () => [{ name: "local", kind: "local", options: { cwd: root } }],
    loadMount: () => Promise.reject(new Error("no hand has resources here")),
    random: () => 0,
    trusted: () => true,
    report: (what, thrown) => console.error(what, thrown),
  });
  service.registerHandProvider("local", createLocalProvider({ clock: systemClock }));
  await service.start();
  const { ms, messages } = await asked.promise;
  look();
  clearInterval(sampling);
  return { ms, messages, heapBytes: most - before };
}

const [mode, root] = process.argv.slice(2);
if (root === undefined) throw new Error("usage: wakeLife.ts make|parse|wake <root>");
const measured = mode === "make" ? await make(root) : mode === "parse" ? parse(root) : await wake(root);
process.stdout.write(JSON.stringify(measured), () => process.exit(0));
