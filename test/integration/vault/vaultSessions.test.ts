/** The vault in whole sessions: asked for when needed, revoked in mid-use, ended with the session, the same after a reload. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import type { ServerResponse } from "node:http";
import type { JsonObject } from "../../../src/core/json.ts";
import type { GrantDecision } from "../../../src/core/vault.ts";
import type { LocalSessionService } from "../../../src/orchestrator/localSessionService.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { hasGitServer, noGitServer, startGitServer } from "../../fixtures/git/gitServer.ts";
import { startHttpsServer } from "../../fixtures/httpsServer.ts";
import type { TestServer } from "../../fixtures/httpsServer.ts";
import { memorySecrets } from "../../fixtures/memorySecrets.ts";
import type { MemorySecrets } from "../../fixtures/memorySecrets.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { isIdle, Kit, ofType, stateOf, textOf } from "../session/sessionKit.ts";
import { answering, FOR_SESSION } from "./vaultPeople.ts";

const VALUE = "tok-91c0ffee5e551071";
const CURL = 'curl -sS -m 20 "$MANY_HANDS_PROXY/api/weather';

describe("a session with the vault", function () {
  this.timeout(60_000);
  let api: TestServer;
  let kit: Kit;
  let secrets: MemorySecrets;
  const open: ServerResponse[] = [];

  beforeEach(async () => {
    secrets = memorySecrets();
    api = await startHttpsServer((request, response) => {
      if (request.headers.authorization !== `Bearer ${VALUE}`) return response.writeHead(401).end("who are you?");
      if (!request.url?.startsWith("/slow")) return response.end(`answer to ${request.url}`);
      // The beginning of something long.
      response.write("begun ");
      open.push(response);
    });
  });
  afterEach(async () => {
    for (const response of open.splice(0)) response.destroy();
    await kit?.close();
    await api?.close();
  });

  const bash = (command: string): JsonObject => ({ type: "tool_use", name: "bash", input: { command } });

  async function start(commands: readonly string[], rule?: (request: { method: string }) => GrantDecision | null) {
    kit = await Kit.open({
      clock: systemClock,
      scenario: (_body, index) => ({ blocks: [commands[index] === undefined ? "Done." : bash(commands[index])] }),
      vault: { secrets, ca: api.ca },
    });
    const service = await kit.window();
    const places = [{ origin: api.origin, path_prefix: "/" }];
    await kit.vault.addCredential({ name: "weather", kind: "static_bearer", places, value: VALUE });
    if (rule !== undefined) answering(service, rule);
    return service;
  }

  async function finished(service: LocalSessionService, id: string) {
    await stateOf(service, id, isIdle);
    const events = await service.getEvents(id, {});
    assert.deepEqual(kit.server.problems, []);
    assert.ok(!JSON.stringify([events, kit.server.requests]).includes(VALUE));
    return { events, said: ofType(events, "agent.tool_result").map(textOf) };
  }

  it("asks in the session when a credential is first needed, and the request that waited goes on", async () => {
    const service = await start([`${CURL}/today"`, `${CURL}/tomorrow"`]);
    const { id } = await service.createSession({ message: "Ask.", permission: "allow" });
    const asked = await stateOf(service, id, ({ grants_asked }) => grants_asked.length === 1);
    assert.equal(asked.status, "running");
    const request = asked.grants_asked[0]?.id ?? ("" as never);
    await service.emitEvent(id, { type: "user.grant_decision", grant_request_id: request, ...FOR_SESSION });
    const { said, events } = await finished(service, id);
    assert.deepEqual(
      said.map((text) => text.trim().split("\n")[0]),
      ["answer to /today", "answer to /tomorrow"],
    );
    assert.equal(ofType(events, "vault.grant_requested").length, 1);
    await assert.rejects(
      service.emitEvent(id, { type: "user.grant_decision", grant_request_id: request, result: "deny" }),
      /given already/,
    );
  });

  it("takes one answer to a request, where two people or windows give one at once", async () => {
    const service = await start([`${CURL}/today"`]);
    const { id } = await service.createSession({ message: "Ask.", permission: "allow" });
    const asked = await stateOf(service, id, ({ grants_asked }) => grants_asked.length === 1);
    const request = asked.grants_asked[0]?.id ?? ("" as never);
    const answers = await Promise.allSettled([
      service.emitEvent(id, { type: "user.grant_decision", grant_request_id: request, result: "deny" }),
      service.emitEvent(id, { type: "user.grant_decision", grant_request_id: request, ...FOR_SESSION }),
    ]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      ["fulfilled", "rejected"],
    );
    const { events } = await finished(service, id);
    assert.equal(ofType(events, "vault.grant_given").length, 0);
    assert.equal(api.seen.length, 0);
  });

  it("reads what was refused and what can be done about it", async () => {
    const service = await start([`${CURL}/today"`], () => ({ result: "deny" }));
    const { id } = await service.createSession({ message: "Ask.", permission: "allow" });
    const { said } = await finished(service, id);
    assert.match(said[0] ?? "", /Many Hands: Use of "weather" to GET, .* is not granted: the person said no/);
    assert.equal(api.seen.length, 0);
  });

  it("revoking a grant cuts what runs under it and stops the next request", async () => {
    const service = await start([`${CURL}/slow"; echo "curl $?"`, `${CURL}/today"`], ({ method }) =>
      api.seen.length === 0 ? FOR_SESSION : method === "GET" ? { result: "deny" } : null,
    );
    const { id } = await service.createSession({ message: "Ask.", permission: "allow" });
    while (open.length === 0) await systemClock.sleep(10);
    const [grant] = await kit.vault.listGrants();
    await kit.vault.revokeGrant(grant?.id ?? "");
    const { said, events } = await finished(service, id);
    // Before the head of the answer has passed, the hand is told in words.
    assert.match(said[0] ?? "", /curl (18|56|52)|was revoked/, "the transfer was cut");
    assert.match(said[1] ?? "", /not granted/);
    assert.equal(ofType(events, "vault.grant_revoked").length, 1);
    assert.equal(api.seen.length, 1);
  });

  it("a deletion that another window's run does not let happen takes no grants away", async () => {
    const service = await start([`${CURL}/slow"`], () => FOR_SESSION);
    const { id } = await service.createSession({ message: "Ask.", permission: "allow" });
    while (open.length === 0) await systemClock.sleep(10);
    const other = await kit.window();
    await assert.rejects(other.deleteSession(id), /runs this session/);
    assert.equal((await kit.vault.listGrants()).length, 1);
    for (const response of open.splice(0)) response.end("over");
    const { said } = await finished(service, id);
    assert.match(said[0] ?? "", /begun over/);
  });

  it("the end of a session ends its tokens: what still runs in its hands gets nothing any more", async () => {
    const loop = `for i in $(seq 200); do ${CURL}/today" >>said 2>&1; echo >>said; [ -e stop ] && break; sleep 0.1; done`;
    const service = await start([`(${loop}) >/dev/null 2>&1 & echo started`], () => FOR_SESSION);
    const { id } = await service.createSession({ message: "Ask.", permission: "allow" });
    await finished(service, id);
    while (api.seen.length < 3) await systemClock.sleep(20);
    await service.updateSession(id, { archived: true });
    const until = api.seen.length + 1;
    await systemClock.sleep(1_000);
    assert.ok(api.seen.length <= until, "at most the one that was under way");
    assert.deepEqual(
      [...secrets.values.keys()].filter((name) => name.includes(id)),
      [],
    );
    assert.deepEqual(await kit.vault.listGrants(), []);
    await service.updateSession(id, { archived: false });
    const hand = await service.openHand(id, "local");
    await hand.files?.write(`${kit.workspace}/stop`, (async function* () {})());
  });

  it("after a reload the same addresses work again, also for a command that ran meanwhile", async () => {
    const wait = `${CURL}/before"; : >answered; until [ -e go ]; do sleep 0.05; done; ${CURL}/after"`;
    const first = await start([wait], () => FOR_SESSION);
    const { id } = await first.createSession({ message: "Ask.", permission: "allow" });
    while (!existsSync(`${kit.workspace}/answered`)) await systemClock.sleep(10);
    await first.close();
    kit.vault.dispose();
    const second = await kit.window();
    await stateOf(second, id, ({ status }) => status === "running");
    // The hand is found again with its session.
    const hand = await second.openHand(id, "local");
    await hand.files?.write(`${kit.workspace}/go`, (async function* () {})());
    const { said } = await finished(second, id);
    assert.match(said[0] ?? "", /answer to \/before\s*answer to \/after/);
  });

  it("puts a private repository into a hand, with the credential asked for and never there", async function () {
    skipUnless(this, hasGitServer(), noGitServer);
    const git = await startGitServer({ username: "x", password: VALUE });
    try {
      await git.create("acme/app.git");
      kit = await Kit.open({
        clock: systemClock,
        scenario: (_body, index) => ({
          blocks: [index === 0 ? bash("cat app/README.md; cat app/.git/config; env") : "Done."],
        }),
        vault: { secrets, ca: git.ca },
      });
      const service = await kit.window();
      const places = [{ origin: git.origin, path_prefix: "/" }];
      await kit.vault.addCredential({ name: "code", kind: "git", username: "x", places, value: VALUE });
      answering(service);
      const resources = [{ source_ref: `${git.origin}/acme/app.git`, mount_path: "app" }];
      const hands = [{ name: "local", kind: "local", options: { cwd: kit.workspace }, resources }];
      const { id } = await service.createSession({ message: "Look.", hands, permission: "allow" });
      const { said, events } = await finished(service, id);
      assert.match(said[0] ?? "", /app/i);
      assert.equal(ofType(events, "resource.mounted").length, 1);
      assert.equal(ofType(events, "vault.grant_given")[0]?.credential_name, "code");
    } finally {
      await git.close();
    }
  });
});
