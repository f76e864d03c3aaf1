/** Hands as a person sees them through the session service: their state, a test, files, a restart. */
import { strict as assert } from "node:assert";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { HandSpec } from "../../../src/core/config.ts";
import type { HandInfo, OpenedHand } from "../../../src/core/handInfo.ts";
import { createCommandProvider } from "../../../src/hands/command/commandProvider.ts";
import type { LocalSessionService } from "../../../src/orchestrator/localSessionService.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { Kit, ofType } from "./sessionKit.ts";

describe("the hands of a person", function () {
  this.timeout(60_000);
  let kit: Kit;
  let service: LocalSessionService;

  beforeEach(async () => {
    kit = await Kit.open({ clock: systemClock });
    service = await kit.window();
    const environment = (): NodeJS.ProcessEnv => ({ ...process.env, HOME: kit.folder });
    service.registerHandProvider("command", createCommandProvider({ clock: systemClock, environment }));
  });
  afterEach(() => kit.close());

  const shell = (...argv: string[]): HandSpec => ({
    name: "box",
    kind: "command",
    options: { argv, cwd: kit.workspace },
  });

  it("are listed with the sessions that use them, not provisioned until somebody needs one", async () => {
    const [before] = await service.listHands();
    assert.deepEqual([before?.spec.name, before?.configured, before?.uses.length], ["local", true, 0]);
    const { id } = await service.createSession({});
    const { id: other } = await service.createSession({ hands: [shell("sh")] });
    const [local, box] = await service.listHands();
    assert.deepEqual(
      [local?.uses.map((use) => [use.session_id, use.state]), box?.uses.map((use) => [use.session_id, use.state])],
      [[[id, "not_provisioned"]], [[other, "not_provisioned"]]],
    );
    assert.equal(box?.configured, false);
    assert.match(box?.description ?? "", /a shell through sh/);
  });

  it("give files and a latency when one is opened, which is in the session's log", async () => {
    const { id } = await service.createSession({ hands: [shell("sh")] });
    const hand = await service.openHand(id, "box");
    await hand.files?.write(path.join(kit.workspace, "note.txt"), bytesOf("written over a shell\n"));
    assert.equal(await readFile(path.join(kit.workspace, "note.txt"), "utf8"), "written over a shell\n");
    assert.equal("destroy" in hand, false, "it cannot be ended by the one who opened it");
    await service.pingHands();
    const use = (await boxOf(service))?.uses[0];
    assert.equal(use?.state, "ready");
    assert.ok(use.latency_ms !== null && use.latency_ms > 0);
    assert.equal(ofType(await service.getEvents(id, {}), "hand.provisioned").length, 1);
    const { writer } = await service.getSession(id);
    assert.equal(writer.kind, "none", "another window may go on with the session");
  });

  it("can be opened without a session, once, and ended again", async () => {
    const [first, same] = await Promise.all([service.openHand(null, "local"), service.openHand(null, "local")]);
    assert.equal(same.instance, first.instance);
    assert.equal((await service.openHand(null, "local")).instance, first.instance);
    assert.equal((await service.listHands())[0]?.spare?.state, "ready");
    await service.restartHand(null, "local");
    assert.equal((await service.listHands())[0]?.spare, null);
    assert.notEqual((await service.openHand(null, "local")).instance, first.instance);
    await assert.rejects(service.openHand(null, "nowhere"), { code: "hand_unknown" });
  });

  it("say what a test has shown, and nothing is left of it", async () => {
    const test = await service.testHand(shell("sh"));
    assert.equal(test.failure, null);
    assert.ok(test.latency_ms !== null && test.latency_ms > 0);
    assert.match(test.description ?? "", /a shell through sh/);
    const failed = await service.testHand(shell("/no/such/program"));
    assert.equal(failed.failure?.origin, "hand");
    assert.match(failed.failure.message, /there is no such program/);
    const ended = await service.testHand(shell("false"));
    assert.match(ended.failure?.message ?? "", /status 1/);
    const unknown = await service.testHand({ name: "x", kind: "balloon" });
    assert.match(unknown.failure?.message ?? "", /no provider for hands of kind "balloon"/);
    assert.deepEqual(await service.listSessions(), []);
  });

  it("that hang are given up when the person does not want to wait", async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error("enough")), 200);
    const test = await service.testHand(shell("sleep", "30"), { signal: stop.signal });
    assert.match(test.failure?.message ?? "", /enough/);
  });

  it("that hang are given up in any case", async () => {
    const hurried = await Kit.open();
    try {
      const window = await hurried.window();
      const never = (): Promise<never> => new Promise(() => {});
      window.registerHandProvider("hung", { tools: () => [], describe: () => "hung", provision: never });
      const test = await window.testHand({ name: "x", kind: "hung" });
      assert.match(test.failure?.message ?? "", /not there after/);
    } finally {
      await hurried.close();
    }
  });

  it("show a lost stream and its return", async () => {
    const pidFile = path.join(kit.folder, "pid");
    const { id } = await service.createSession({ hands: [shell("sh", "-c", `echo $$ > '${pidFile}'; exec sh`)] });
    const states: string[] = [];
    service.onDidChangeHands(() => {
      void boxOf(service).then((box) => states.push(box?.uses[0]?.state ?? ""));
    });
    await service.openHand(id, "box");
    process.kill(Number(await readFile(pidFile, "utf8")), "SIGKILL");
    while (!states.includes("reconnecting") || states.at(-1) !== "ready") await systemClock.sleep(10);
    assert.equal((await boxOf(service))?.uses[0]?.failure?.origin, "network");
  });

  it("are made anew after a restart, which the log tells", async () => {
    const { id } = await service.createSession({ hands: [shell("sh")] });
    const first = await service.openHand(id, "box");
    await service.restartHand(id, "box");
    assert.equal((await boxOf(service))?.uses[0]?.state, "not_provisioned");
    const second: OpenedHand = await service.openHand(id, "box");
    assert.notEqual(second.instance, first.instance);
    const types = (await service.getEvents(id, {})).map(({ type }) => type).filter((type) => type.startsWith("hand."));
    assert.deepEqual(types, ["hand.provisioned", "hand.lost", "hand.provisioned"]);
  });

  it("keep their failure for the person to read", async () => {
    const { id } = await service.createSession({ hands: [shell("/no/such/program")] });
    await assert.rejects(service.openHand(id, "box"), { code: "hand_unavailable" });
    const use = (await boxOf(service))?.uses[0];
    assert.equal(use?.state, "not_provisioned");
    assert.match(use.failure?.message ?? "", /no such program/);
    assert.ok(existsSync(kit.sessions));
  });
});

async function boxOf(service: LocalSessionService): Promise<HandInfo | undefined> {
  return (await service.listHands()).find(({ spec }) => spec.name === "box");
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
