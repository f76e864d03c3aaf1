/** The rehearsal from end to end: through the adapter, over HTTP, with real files and a real shell, each request held against the strict rules. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createAnthropicModel } from "../../../src/brain/model/anthropicModel.ts";
import { modelLimits } from "../../../src/brain/model/modelLimits.ts";
import { REHEARSAL_MODEL, rehearsalPrompts } from "../../../src/brain/rehearsal/prompts.ts";
import { createRehearsalServer } from "../../../src/brain/rehearsal/rehearsalServer.ts";
import type { RehearsalServer } from "../../../src/brain/rehearsal/rehearsalServer.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import type { AssistantBlock, ModelOutcome, ModelRequest, RequestMessage } from "../../../src/core/model.ts";
import { servedModels, validateRequest } from "../../fixtures/messages/validateRequest.ts";

const sample = path.resolve(import.meta.dirname, "../../../media/sample-workspace");
const models = { [REHEARSAL_MODEL]: { ...servedModels["claude-sonnet-5-5"]!, window: 1_000_000 } };

const schema = (...names: string[]): JsonObject => ({
  type: "object",
  properties: Object.fromEntries(names.map((name) => [name, { type: "string" }])),
  required: names,
});
const tools = [
  { name: "glob", input_schema: schema("pattern") },
  { name: "read", input_schema: schema("file_path") },
  { name: "edit", input_schema: schema("file_path", "old_string", "new_string") },
  { name: "bash", input_schema: schema("command") },
];

/** Executes the few tools that the part needs, in a folder of its own. */
class Bench {
  readonly folder: string;
  readonly outputs: string[] = [];

  constructor(folder: string) {
    this.folder = folder;
  }

  async execute(name: string, input: Record<string, string>): Promise<string> {
    const file = path.resolve(this.folder, input["file_path"] ?? "");
    if (name === "glob") return (await readdir(this.folder)).join("\n");
    if (name === "read") return readFile(file, "utf8");
    if (name === "edit") {
      const before = await readFile(file, "utf8");
      assert.equal(before.split(input["old_string"]!).length, 2, "the old string is there once");
      await writeFile(
        file,
        before.replace(input["old_string"]!, () => input["new_string"]!),
      );
      return "edited";
    }
    const output = await new Promise<string>((resolve) => {
      execFile("sh", ["-c", input["command"]!], { cwd: this.folder }, (error, stdout) => {
        resolve(`${stdout}\nexit status: ${error === null ? 0 : String(error.code)}`);
      });
    });
    this.outputs.push(output);
    return output;
  }
}

/** Runs turns until the rehearsal has no more calls; gives what it said. */
async function converse(
  server: RehearsalServer,
  bench: Bench,
  prompt: string,
): Promise<{ said: string[]; thought: string[] }> {
  const port = createAnthropicModel({ fetch: globalThis.fetch, baseUrl: server.url });
  const messages: RequestMessage[] = [{ role: "user", content: [{ type: "text", text: prompt }] }];
  const said: string[] = [];
  const thought: string[] = [];
  for (let turn = 0; turn < 20; turn += 1) {
    const request: ModelRequest = {
      model: REHEARSAL_MODEL,
      max_tokens: modelLimits(REHEARSAL_MODEL).max_output_tokens,
      system: [{ type: "text", text: "You are an agent." }],
      tools,
      messages: [...messages],
      thinking: { type: "adaptive" },
    };
    assert.equal(validateRequest({ ...request, stream: true }, { models }), null);
    const outcome = await port.ask(request, new AbortController().signal, () => {});
    const blocks = blocksOf(outcome);
    for (const block of blocks) {
      if (block.type === "text") said.push(String(block["text"]));
      if (block.type === "thinking") thought.push(String(block["thinking"]));
    }
    const uses = blocks.filter(({ type }) => type === "tool_use");
    if (uses.length === 0) return { said, thought };
    messages.push({ role: "assistant", content: blocks as never });
    const results = uses.map(async (use): Promise<JsonObject> => {
      const text = await bench.execute(String(use["name"]), use["input"] as Record<string, string>);
      return { type: "tool_result", tool_use_id: String(use["id"]), content: [{ type: "text", text }] };
    });
    messages.push({ role: "user", content: await Promise.all(results) });
  }
  assert.fail("the rehearsal does not come to an end");
}

function blocksOf(outcome: ModelOutcome): readonly (AssistantBlock & Record<string, unknown>)[] {
  assert.equal(outcome.kind, "completed", JSON.stringify(outcome));
  return outcome.kind === "completed" ? (outcome.blocks as (AssistantBlock & Record<string, unknown>)[]) : [];
}

describe("the rehearsal in the sample project", () => {
  let server: RehearsalServer;
  let bench: Bench;

  beforeEach(async () => {
    server = await createRehearsalServer({ wordMs: 0, long: { lines: 5, secondsPerLine: 0 } });
    const scratch = await mkdtemp(path.join(tmpdir(), "rehearsal-"));
    bench = new Bench(path.join(scratch, "sample with spaces"));
    await cp(sample, bench.folder, { recursive: true });
  });

  afterEach(async () => {
    await server.close();
    await rm(path.dirname(bench.folder), { recursive: true });
  });

  it("sees the test fail, mends the bug, and sees the test pass", async () => {
    const { said, thought } = await converse(server, bench, rehearsalPrompts.fix.prompt);
    assert.equal(bench.outputs.length, 2);
    assert.match(bench.outputs[0] ?? "", /4 examples, 1 failed\n\nexit status: 1/);
    assert.match(bench.outputs[1] ?? "", /4 examples, 0 failed\n\nexit status: 0/);
    assert.match(said[0] ?? "", /^This is a rehearsal/);
    assert.match(said.at(-1) ?? "", /all 4 examples pass now/);
    assert.equal(thought.length, 1);
  });

  it("finds nothing to do the second time, and says so", async () => {
    await converse(server, bench, rehearsalPrompts.fix.prompt);
    const { said } = await converse(server, bench, rehearsalPrompts.fix.prompt);
    assert.match(said.at(-1) ?? "", /nothing to mend/);
  });

  it("counts the lines of its long command", async () => {
    const { said } = await converse(server, bench, rehearsalPrompts.long.prompt);
    assert.match(said.at(-1) ?? "", /to its end with exit status 0: 5 of 5 lines, each of them once/);
  });
});

describe("the rehearsal's server", () => {
  it("answers nobody who does not know its address whole", async () => {
    const server = await createRehearsalServer({ wordMs: 0 });
    const { origin } = new URL(server.url);
    for (const place of ["/v1/messages", "/", "/guess/v1/messages"]) {
      assert.equal((await fetch(origin + place, { method: "POST", body: "{}" })).status, 404, place);
    }
    await server.close();
  });

  it("refuses what is no request, in the API's form", async () => {
    const server = await createRehearsalServer({ wordMs: 0 });
    const response = await fetch(`${server.url}/v1/messages`, { method: "POST", body: "[]" });
    assert.equal(response.status, 400);
    assert.equal(((await response.json()) as { type: string }).type, "error");
    await server.close();
  });

  it("speaks word by word, and stops when nobody listens", async () => {
    const server = await createRehearsalServer({ wordMs: 1 });
    const port = createAnthropicModel({ fetch: globalThis.fetch, baseUrl: server.url });
    const abort = new AbortController();
    const messages = [{ role: "user" as const, content: [{ type: "text", text: "Hello" }] }];
    const request = { model: REHEARSAL_MODEL, max_tokens: 10, system: [], tools: [], messages };
    let words = 0;
    const outcome = await port.ask(request, abort.signal, (delta) => {
      if (delta.kind === "delta") words += 1;
      if (words === 3) abort.abort();
    });
    await server.close();
    assert.deepEqual(outcome.kind === "interrupted" && outcome.blocks, [{ type: "text", text: "This is a " }]);
  });
});
