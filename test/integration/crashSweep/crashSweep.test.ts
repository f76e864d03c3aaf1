/** The crash sweep: a whole session once, then once for each point at which the program could die (SIGKILL), and a wake. */
import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { MessagesServer } from "../../fixtures/messages/strictServer.ts";
import { startMessagesServer } from "../../fixtures/messages/strictServer.ts";
import { COUNT_FILE, EXPECTED_COUNT, sweepScenario } from "./sweepScenario.ts";

const AT_ONCE = 2;
const run = fileURLToPath(new URL("crashRun.ts", import.meta.url));

interface Life {
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `compiled`: where a life finds its program compiled by the one before. */
function live(root: string, url: string, crashAt: number, compiled: string): Promise<Life> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", run, root, url, String(crashAt)], {
      env: { ...process.env, NODE_COMPILE_CACHE: compiled },
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0 || signal === "SIGKILL") resolve({ signal, stdout, stderr });
      else reject(new Error(`a life ended with ${code ?? signal}:\n${stderr}`));
    });
  });
}

type Line = { readonly type: string; readonly seq: number; readonly [member: string]: unknown };

async function readLog(root: string): Promise<readonly Line[]> {
  const sessions = await readdir(join(root, "sessions"));
  assert.equal(sessions.length, 1, "one session");
  const text = await readFile(join(root, "sessions", sessions[0] ?? "", "events.jsonl"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

/** What was said and done, without what may differ between two tellings: ids, times, the order of parallel results. */
function conversation(log: readonly Line[]): readonly unknown[] {
  const ended = new Set(
    log
      .filter(({ type, is_error }) => type === "span.model_request_end" && is_error === false)
      .map((line) => line["model_request_start_id"]),
  );
  const results = new Map<unknown, Line>();
  for (const line of log) {
    if (line.type !== "agent.tool_result") continue;
    assert.ok(!results.has(line["tool_use_id"]), `two results for ${String(line["tool_use_id"])}`);
    results.set(line["tool_use_id"], line);
  }
  const said: unknown[] = [];
  for (const line of log) {
    if (line.type === "user.message" || line.type === "user.interrupt") said.push([line.type, line["content"]]);
    if (!ended.has(line["model_request_start_id"])) continue;
    if (line.type === "agent.message") said.push([line.type, line["content"]]);
    if (line.type === "agent.thinking") said.push([line.type]);
    if (line.type !== "agent.tool_use") continue;
    const result = results.get(line["id"]);
    assert.ok(result !== undefined, `no result for ${JSON.stringify(line["input"])}`);
    said.push([line.type, line["name"], line["input"], result["outcome"], result["content"]]);
  }
  return said;
}

async function withFolder<T>(use: (root: string) => Promise<T>): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), "many-hands-sweep-"));
  try {
    return await use(root);
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

describe("a session whose program is killed", function () {
  this.timeout(20 * 60_000);
  let server: MessagesServer;
  let points = 0;
  let whole: readonly unknown[] = [];
  let compiled = "";

  before(async () => {
    compiled = await mkdtemp(join(tmpdir(), "many-hands-compiled-"));
    server = await startMessagesServer({ scenario: sweepScenario, keys: [] });
    await withFolder(async (root) => {
      const life = await live(root, server.url, 0, compiled);
      points = (JSON.parse(life.stdout) as { points: number }).points;
      whole = conversation(await readLog(root));
      assert.equal(await readFile(join(root, "workspace", COUNT_FILE), "utf8"), EXPECTED_COUNT);
    });
  });
  after(async () => {
    await server.close();
    await rm(compiled, { recursive: true, force: true });
  });

  it("tells the same conversation, and ran each command once, whichever point it was killed at", async () => {
    assert.ok(points > 60, `a scenario of ${points} points shows too little`);
    let next = 1;
    let died = 0;
    const worker = async (): Promise<void> => {
      for (let point = next++; point <= points; point = next++) {
        await withFolder(async (root) => {
          const first = await live(root, server.url, point, compiled);
          if (first.signal !== null) died += 1;
          const story = first.signal === null ? "" : (await live(root, server.url, 0, compiled)).stderr;
          const told = `${first.stderr}${story}`;
          assert.deepEqual(conversation(await readLog(root)), whole, told);
          assert.equal(await readFile(join(root, "workspace", COUNT_FILE), "utf8"), EXPECTED_COUNT, told);
          assert.deepEqual(server.problems, [], told);
        });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    console.log(
      `      ${points} crash points, ${died} crashes, 0 lost, 0 doubled, ${server.problems.length} invalid requests`,
    );
  });
});
