/**
 * From a message to its request on the wire, against a bare call of the SDK with the same body to the same server. Both
 * take turns in one run; the server's own side is the same for both.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import Anthropic from "@anthropic-ai/sdk";
import { createAnthropicModel } from "../../src/brain/model/anthropicModel.ts";
import { defaultHarness } from "../../src/brain/harness/defaultHarness.ts";
import type { NewEvent } from "../../src/core/events.ts";
import { createLocalProvider } from "../../src/hands/local/localProvider.ts";
import { LocalSessionService } from "../../src/orchestrator/localSessionService.ts";
import { systemClock } from "../../src/orchestrator/systemClock.ts";
import { createModelKeys } from "../../src/vault/modelKey.ts";
import { Emitter } from "../../src/core/listen.ts";
import { memorySecrets } from "../fixtures/memorySecrets.ts";
import { createRedactor } from "../../src/vault/redactor.ts";
import { answer, benchFolder, ids, median, openStore } from "./benchLog.ts";
import type { Figure } from "./benchLog.ts";

const ROUNDS = 60;
const WARM_UP = 10;
const TURNS = 200;
const OVERHEAD_MS_MAX = 10;
const KEY = "sk-ant-bench-0123456789-abcdefghij";
const usage = { input_tokens: 10, output_tokens: 2, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };

const FRAMES = [
  {
    type: "message_start",
    message: {
      id: "msg_bench",
      type: "message",
      role: "assistant",
      model: "claude-sonnet-5-5",
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage,
    },
  },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Done." } },
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 2 } },
  { type: "message_stop" },
];
const ANSWER = FRAMES.map((frame) => `event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`).join("");

/** A server that says when each request came in, and gives every one the same answer. */
async function listen(): Promise<{
  url: string;
  arrival: () => Promise<number>;
  body: () => string;
  close: () => void;
}> {
  let body = "";
  const arrived = new Emitter<number>();
  const server = createServer((request, response) => {
    const at = performance.now();
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      body = Buffer.concat(chunks).toString();
      response.writeHead(200, { "content-type": "text/event-stream" }).end(ANSWER);
      arrived.fire(at);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrival: () =>
      new Promise((resolve) => {
        const listening = arrived.listen((at) => {
          listening.dispose();
          resolve(at);
        });
      }),
    body: () => body,
    close: () => server.close(),
  };
}

function startService(folder: string, url: string): LocalSessionService {
  const redactor = createRedactor();
  const keys = createModelKeys({ secrets: memorySecrets(), redactor });
  const model = createAnthropicModel({
    fetch: keys.fetchFor(url),
    baseUrl: url,
    redact: (text) => redactor.redact(text),
  });
  const service = new LocalSessionService({
    store: openStore(path.join(folder, "sessions")),
    clock: systemClock,
    ids,
    loadHarness: () => Promise.resolve(defaultHarness),
    loadModel: async () => {
      await keys.set(url, KEY);
      return model;
    },
    settings: () =>
      Promise.resolve({
        model: { id: "claude-sonnet-5-5", max_tokens: 8_000, context_window: 1_000_000, thinking: "adaptive" as const },
        instructions: "",
        policy: (tool) => tool.permission,
      }),
    defaultHands: () => [{ name: "local", kind: "local", options: { cwd: folder } }],
    loadMount: () => Promise.reject(new Error("no hand has resources here")),
    random: () => 0,
    trusted: () => true,
    report: (what, thrown) => console.error(what, thrown),
  });
  service.registerHandProvider("local", createLocalProvider({ clock: systemClock }));
  return service;
}

function turnsOfHistory(): NewEvent[] {
  return Array.from({ length: TURNS }, (): NewEvent[] => {
    const start = ids.eventId();
    return [
      { type: "user.message", content: [{ type: "text", text: "And the next one? ".repeat(20) }] },
      { type: "session.status_running" },
      { type: "span.model_request_start", id: start, model: "claude-sonnet-5-5", purpose: "turn" },
      answer(start, 1_600),
      {
        type: "span.model_request_end",
        model_request_start_id: start,
        is_error: false,
        model_usage: usage,
        stop_reason: "end_turn",
      },
      { type: "session.status_idle", stop_reason: { type: "end_turn" } },
    ];
  }).flat();
}

/** A session with this history, made before the service that will run it starts. */
async function makeSession(folder: string, history: readonly NewEvent[]): Promise<string> {
  const log = await openStore(path.join(folder, "sessions")).create(ids.sessionId(), {
    type: "session.created",
    schema_version: 1,
    title: "Bench",
    hands: [{ name: "local", kind: "local", options: { cwd: folder } }],
    model: null,
    permission: "ask",
  });
  await log.append(history);
  await log.close();
  return log.id;
}

async function untilIdle(service: LocalSessionService, id: string): Promise<void> {
  while ((await service.getSession(id)).state.status !== "idle") await systemClock.sleep(1);
}

async function compare(name: string, history: readonly NewEvent[]): Promise<Figure> {
  const { folder, remove } = benchFolder();
  const server = await listen();
  const id = await makeSession(folder, history);
  const service = startService(folder, server.url);
  const bare = new Anthropic({ apiKey: KEY, baseURL: server.url, maxRetries: 0 });
  const times = { own: [] as number[], bare: [] as number[] };
  try {
    for (let round = 0; round < ROUNDS + WARM_UP; round += 1) {
      const own = server.arrival();
      const ownStart = performance.now();
      await service.emitEvent(id, { type: "user.message", content: [{ type: "text", text: `Go on, ${round}.` }] });
      const ownMs = (await own) - ownStart;
      await untilIdle(service, id);
      const body = JSON.parse(server.body()) as Anthropic.MessageCreateParamsStreaming;
      const arrival = server.arrival();
      const bareStart = performance.now();
      const call = bare.messages.create(body);
      const bareMs = (await arrival) - bareStart;
      for await (const _event of await call);
      if (round < WARM_UP) continue;
      times.own.push(ownMs);
      times.bare.push(bareMs);
    }
  } finally {
    await service.close();
    server.close();
    remove();
  }
  const [own, raw] = [median(times.own), median(times.bare)];
  return {
    name,
    value: own - raw,
    unit: "ms more",
    target: `≤ ${OVERHEAD_MS_MAX}`,
    ok: own - raw <= OVERHEAD_MS_MAX,
    detail: `p50 ${own.toFixed(2)} ms against ${raw.toFixed(2)} ms of a bare SDK call with the same body of ${(server.body().length / 1000).toFixed(0)} kB`,
  };
}

export async function bench(): Promise<readonly Figure[]> {
  return [
    await compare("message to request on the wire, new session", []),
    await compare(`message to request on the wire, after ${TURNS} turns`, turnsOfHistory()),
  ];
}
