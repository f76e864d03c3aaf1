/** What can be wrong around a session: it is said clearly, and nothing is lost. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import type { LocalSessionService } from "../../../src/orchestrator/localSessionService.ts";
import type { Scenario } from "../../fixtures/messages/scenario.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { isIdle, Kit, ofType, stateOf, textOf } from "./sessionKit.ts";
import type { KitOptions } from "./sessionKit.ts";

const bash = (command: string): { type: string; name: string; input: { command: string } } => ({
  type: "tool_use",
  name: "bash",
  input: { command },
});

const overloaded = { status: 529, type: "overloaded_error", message: "Overloaded" };

describe("a session with something wrong around it", function () {
  this.timeout(60_000);
  let kit: Kit | null = null;
  let service: LocalSessionService;

  afterEach(async () => {
    await kit?.close();
    kit = null;
  });

  async function run(options: KitOptions, message = "Begin."): Promise<{ id: string; kit: Kit }> {
    const opened = await Kit.open(options);
    kit = opened;
    service = await opened.window();
    const { id } = await service.createSession({ message, permission: "allow" });
    return { id, kit: opened };
  }

  async function errorsOf(id: string): Promise<readonly { type: string; message: string; retry_status: string }[]> {
    await stateOf(service, id, isIdle);
    return ofType(await service.getEvents(id, {}), "session.error").map(({ error }) => error);
  }

  it("says that the key is wrong, without showing it", async () => {
    const { id } = await run({ key: "sk-ant-wrong-0123456789-wrongwrong" });
    const [error] = await errorsOf(id);
    assert.equal(error?.retry_status, "terminal");
    assert.match(error?.message ?? "", /key/i);
    assert.ok(!JSON.stringify(await service.getEvents(id, {})).includes("wrongwrong"));
  });

  it("names a model that does not exist and the setting that chose it", async () => {
    const { id } = await run({ model: "claude-of-tomorrow" });
    const [error] = await errorsOf(id);
    assert.match(error?.message ?? "", /claude-of-tomorrow/);
    assert.match(error?.message ?? "", /manyHands\.model\.id/);
    assert.equal(error?.retry_status, "terminal");
  });

  it("says that an address is no API", async () => {
    const web = createServer((_request, response) =>
      response.writeHead(200, { "content-type": "text/html" }).end("<html><body>Welcome</body></html>"),
    );
    await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
    try {
      const { id } = await run({ baseUrl: `http://127.0.0.1:${(web.address() as AddressInfo).port}` });
      const [error] = await errorsOf(id);
      assert.match(error?.message ?? "", /manyHands\.model\.baseUrl/);
    } finally {
      web.close();
    }
  });

  it("tries again when nobody listens, says each time that it does, and gives up in the end", async () => {
    const { id } = await run({ baseUrl: "http://127.0.0.1:9" });
    const errors = await errorsOf(id);
    assert.ok(errors.length > 3);
    assert.ok(errors.slice(0, -1).every(({ retry_status }) => retry_status === "retrying"));
    assert.equal(errors.at(-1)?.retry_status, "exhausted");
    const { state } = await service.getSession(id);
    assert.equal(state.stop_reason?.type, "retries_exhausted");
  });

  it("waits out an overload and a cut in mid-stream, each of them in the log, and then answers", async () => {
    const scenario: Scenario = {
      turns: [
        { error: overloaded },
        { error: { ...overloaded, status: 429, type: "rate_limit_error", headers: { "retry-after": "1" } } },
        { blocks: ["This is cut in the middle of it."], behaviour: { cut_after: 4, piece_chars: 4 } },
        { blocks: ["Here I am."] },
      ],
    };
    const { id, kit: opened } = await run({ scenario });
    const errors = await errorsOf(id);
    assert.deepEqual(
      errors.map(({ type, retry_status }) => [type, retry_status]),
      [
        ["model_overloaded_error", "retrying"],
        ["model_rate_limited_error", "retrying"],
        ["model_request_failed_error", "retrying"],
      ],
    );
    const said = ofType(await service.getEvents(id, {}), "agent.message").map(({ content }) => content[0]?.text);
    assert.deepEqual(said, ["Here I am."]);
    assert.deepEqual(opened.server.problems, []);
  });

  it("answers calls that cannot be made with what is wrong with them", async () => {
    const scenario: Scenario = {
      turns: [
        {
          blocks: [
            { type: "tool_use", name: "teleport", input: { to: "home" } },
            { type: "tool_use", name: "bash", input: { cmd: "ls" } },
            { type: "tool_use", name: "read", input: { file_path: 7 } },
          ],
        },
        { blocks: ["I see."] },
      ],
    };
    const { id, kit: opened } = await run({ scenario });
    await stateOf(service, id, isIdle);
    const results = ofType(await service.getEvents(id, {}), "agent.tool_result");
    assert.equal(results.length, 3);
    assert.ok(results.every(({ is_error, outcome }) => is_error && outcome.kind === "not_run"));
    assert.match(textOf(results[0]), /teleport/);
    assert.match(textOf(results[1]), /cmd|command/);
    assert.match(textOf(results[2]), /file_path/);
    assert.deepEqual(opened.server.problems, []);
  });

  it("keeps output that is binary, huge or no UTF-8, and sends the model text", async () => {
    const scenario: Scenario = {
      turns: [
        {
          blocks: [
            bash("head -c 3000000 /dev/urandom"),
            bash("yes | head -c 3000000"),
            bash(String.raw`printf 'a\377b\n'`),
          ],
        },
        { blocks: ["Done."] },
      ],
    };
    const { id, kit: opened } = await run({ scenario });
    await stateOf(service, id, isIdle);
    const results = ofType(await service.getEvents(id, { resolve: true }), "agent.tool_result");
    assert.deepEqual(
      results.map(({ output_bytes }) => output_bytes),
      [3_000_000, 3_000_000, 4],
    );
    const blob = results[0]?.output_ref;
    assert.ok(blob !== undefined);
    assert.equal((await service.readBlob(id, blob)).byteLength, 3_000_000);
    assert.match(textOf(results[1]), /left out/);
    assert.ok(results.every((result) => textOf(result).isWellFormed()));
    assert.deepEqual(opened.server.problems, []);
  });

  it("works in a folder whose name has spaces, quotes and letters beyond ASCII", async () => {
    const { id, kit: opened } = await run({
      scenario: { turns: [{ blocks: [bash("pwd; echo x >f")] }, { blocks: ["Done."] }] },
    });
    await stateOf(service, id, isIdle);
    const [result] = ofType(await service.getEvents(id, {}), "agent.tool_result");
    assert.ok(textOf(result).startsWith(opened.workspace));
    assert.equal(await readFile(path.join(opened.workspace, "f"), "utf8"), "x\n");
  });

  it("takes an event with the same id once", async () => {
    const { id } = await run({ scenario: { turns: [{ blocks: ["Hello."] }], afterwards: "repeat" } });
    await stateOf(service, id, isIdle);
    const event = { type: "user.message", id: "sevt_once", content: [{ type: "text", text: "Once." }] } as const;
    await Promise.all([1, 2, 3].map(() => service.emitEvent(id, event as never)));
    await stateOf(service, id, isIdle);
    assert.equal(ofType(await service.getEvents(id, {}), "user.message").length, 2);
  });

  it("shows what can be read of a damaged log, names the damage and goes on", async () => {
    const { id, kit: opened } = await run({ scenario: { turns: [{ blocks: ["Hello."] }], afterwards: "repeat" } });
    await stateOf(service, id, isIdle);
    const events = await service.getEvents(id, {});
    await service.close();
    const file = path.join(opened.sessions, id, "events.jsonl");
    const bytes = await readFile(file);
    const line = bytes.indexOf(10) + 5;
    bytes[line] = 0;
    await writeFile(file, bytes);
    service = await opened.window();
    const left = await service.getEvents(id, {});
    assert.equal((await service.getSession(id)).damage.length, 1);
    assert.deepEqual(
      left.map(({ seq }) => seq),
      events.map(({ seq }) => seq).filter((seq) => seq !== 2),
    );
    assert.equal((await readFile(file))[line], 0);
  });

  it("sets the torn end of a log aside and goes on", async () => {
    const { id, kit: opened } = await run({ scenario: { turns: [{ blocks: ["Hello."] }], afterwards: "repeat" } });
    await stateOf(service, id, isIdle);
    await service.close();
    const file = path.join(opened.sessions, id, "events.jsonl");
    const { length } = await readFile(file);
    await truncate(file, length - 20);
    service = await opened.window();
    await service.emitEvent(id, { type: "user.message", content: [{ type: "text", text: "And now?" }] });
    await stateOf(service, id, (state) => isIdle(state) && state.queued.length === 0);
    const events = await service.getEvents(id, {});
    assert.equal(ofType(events, "session.log_recovered").length, 1);
    assert.deepEqual(opened.server.problems, []);
  });

  it("only reads a log of a newer version", async () => {
    const opened = await Kit.open();
    kit = opened;
    service = await opened.window();
    const { id } = await service.createSession({ title: "From the future" });
    await service.close();
    const file = path.join(opened.sessions, id, "events.jsonl");
    const { crc32 } = await import("node:zlib");
    const text = (await readFile(file, "utf8")).replace('"schema_version":1', '"schema_version":99').split(',"crc"')[0];
    const crc = crc32(String(text)).toString(16).padStart(8, "0");
    await writeFile(file, `${text},"crc":"${crc}"}\n`);
    service = await opened.window();
    const info = await service.getSession(id);
    assert.match(info.read_only ?? "", /newer/i);
    await assert.rejects(
      service.emitEvent(id, { type: "user.message", content: [{ type: "text", text: "Hello" }] }),
      /newer/i,
    );
    await appendFile(file, "");
    assert.equal((await readFile(file, "utf8")).split("\n").length, 2);
  });

  it("says what is missing where no folder is open", async () => {
    const opened = await Kit.open();
    kit = opened;
    service = await opened.window();
    await assert.rejects(service.createSession({ hands: [], message: "Hello" }), /Open a folder first/);
  });
});

describe("a session whose storage is full", function () {
  this.timeout(60_000);
  let disk: string;
  let kit: Kit;

  before(async function () {
    const canMount = process.platform === "linux" && process.getuid?.() === 0;
    skipUnless(this, canMount, "mounting a small disk needs root on Linux");
    disk = await mkdtemp(path.join(tmpdir(), "many-hands-full-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]);
    // Longer than what is left of the page in which the log ends.
    const turns = [{ blocks: ["I make it. ".repeat(2_000), bash("echo made")] }, { blocks: ["It is made."] }];
    kit = await Kit.open({ sessions: path.join(disk, "sessions"), scenario: { turns, by: "transcript" } });
  });
  after(async () => {
    await kit?.close();
    if (disk === undefined) return;
    execFileSync("umount", ["-l", disk]);
    await rm(disk, { recursive: true, force: true });
  });

  it("pauses, says so, and goes on when there is room, without losing or doubling anything", async () => {
    const service = await kit.window();
    const { id } = await service.createSession({ permission: "allow" });
    kit.server.hold();
    await service.emitEvent(id, { type: "user.message", content: [{ type: "text", text: "Make it." }] });
    await kit.server.received(1);
    const filler = path.join(disk, "filler");
    await writeFile(filler, Buffer.alloc(2 * 1024 * 1024)).catch(() => {});
    kit.server.release();
    for (let paused: string | null = null; paused === null;) {
      ({ paused } = await service.getSession(id));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { paused } = await service.getSession(id);
    assert.match(paused ?? "", /full|space|room/i);
    await rm(filler);
    await stateOf(service, id, isIdle);
    assert.equal((await service.getSession(id)).paused, null);
    const events = await service.getEvents(id, {});
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_, at) => at + 1),
    );
    assert.equal(ofType(events, "agent.tool_result").length, 1);
    assert.deepEqual(kit.server.problems, []);
  });
});
