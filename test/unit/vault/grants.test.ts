/** Grants: nothing is granted until a person says so, and then exactly that. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import type { StoredEvent } from "../../../src/core/events.ts";
import { limits } from "../../../src/core/limits.ts";
import type { GrantDecision, UseDecision } from "../../../src/core/vault.ts";
import { createCredentialProxy } from "../../../src/vault/proxy/credentialProxy.ts";
import type { VaultPorts } from "../../../src/vault/vault.ts";
import { findForms } from "../../../src/vault/valueForms.ts";
import { gitUse, OTHER, SESSION, TOKEN, VaultKit } from "./vaultKit.ts";

async function answered(
  kit: VaultKit,
  deciding: Promise<UseDecision>,
  decision: GrantDecision,
): Promise<{ readonly decision: UseDecision; readonly request: StoredEvent<"vault.grant_requested"> }> {
  const request = await kit.next("vault.grant_requested");
  await kit.vault.answer(SESSION, request, decision);
  return { decision: await deciding, request };
}

const FOR_SESSION: GrantDecision = { result: "allow", lasts: "session" };

describe("grants", () => {
  it("a use that no grant covers waits for the person, and goes out with the credential when it is granted", async () => {
    const kit = new VaultKit();
    await kit.add();
    const { decision, request } = await answered(kit, kit.decide(), FOR_SESSION);
    assert.equal(request.credential_name, "api");
    assert.deepEqual(request.scope.methods, ["GET", "HEAD", "OPTIONS"]);
    assert.equal(request.scope.path_prefix, "/v1");
    assert.ok(decision.allowed);
    assert.deepEqual(decision.headers, { authorization: `Bearer ${TOKEN}` });
    const given = await kit.next("vault.grant_given");
    assert.equal(given.grant_request_id, request.id);
    assert.equal(given.lasts, "session");
    const usedBy = await kit.next("vault.credential_used");
    assert.equal(usedBy.hand, "local");
    assert.ok(!JSON.stringify([request, given, usedBy]).includes(TOKEN));
    assert.ok((await kit.decide({ path: "/v1/other" })).allowed, "covered by the grant");
  });

  it("a refusal reaches the hand in words, and asks again the next time", async () => {
    const kit = new VaultKit();
    await kit.add();
    const { decision } = await answered(kit, kit.decide({ method: "POST" }), { result: "deny" });
    assert.ok(!decision.allowed);
    assert.match(decision.message, /"api" to POST api\.example\.com\/v1\/items is not granted: the person said no/);
    const again = kit.decide({ method: "POST" });
    assert.equal((await kit.next("vault.grant_requested")).method, "POST");
    void again;
  });

  it("what changes something is granted for its own path and method alone", async () => {
    const kit = new VaultKit();
    await kit.add();
    const { request } = await answered(kit, kit.decide({ method: "POST" }), FOR_SESSION);
    assert.deepEqual(request.scope, {
      kind: "http",
      origin: "https://api.example.com",
      path_prefix: "/v1/items",
      methods: ["POST"],
    });
    assert.ok((await kit.decide({ method: "POST", path: "/v1/items/7" })).allowed);
    for (const over of [{ method: "DELETE" }, { method: "POST", path: "/v1/itemsandmore" }]) {
      const stopped = new AbortController();
      void kit.decide(over, stopped.signal);
      await kit.next("vault.grant_requested");
    }
  });

  it("a credential goes nowhere but to its places, whatever is granted", async () => {
    const kit = new VaultKit();
    const { id } = await kit.add();
    const scope = { kind: "http" as const, origin: "https://evil.example", path_prefix: "/", methods: null };
    await kit.vault.giveGrant({ credential_id: id, session_id: SESSION, lasts: "session", scope });
    const elsewhere = await kit.decide({ origin: "https://evil.example", credential_name: "api" });
    assert.ok(!elsewhere.allowed && elsewhere.reason === "not_granted");
    const above = await kit.decide({ path: "/v2/items", credential_name: "api" });
    assert.ok(!above.allowed);
    assert.match(above.message, /may only go to https:\/\/api\.example\.com\/v1/);
  });

  it("another session is asked anew; a grant for always holds for it too", async () => {
    const kit = new VaultKit();
    await kit.add();
    await answered(kit, kit.decide(), FOR_SESSION);
    const other = kit.decide({ session_id: OTHER });
    const request = await kit.next("vault.grant_requested");
    await kit.vault.answer(OTHER, request, { result: "allow", lasts: "always" });
    assert.ok((await other).allowed);
    assert.ok((await kit.decide({ session_id: "sesn_00000000000000000003" as typeof OTHER })).allowed);
  });

  it("once is one request of an API", async () => {
    const kit = new VaultKit();
    await kit.add();
    const { decision } = await answered(kit, kit.decide(), { result: "allow", lasts: "once" });
    assert.ok(decision.allowed);
    void kit.decide();
    await kit.next("vault.grant_requested");
  });

  it("once is one request also where several that are alike wait for the same answer", async () => {
    const kit = new VaultKit();
    await kit.add();
    const allowed: boolean[] = [];
    for (let at = 0; at < 4; at += 1) {
      void kit.decide({ method: "POST" }).then((decision) => allowed.push(decision.allowed));
    }
    const request = await kit.next("vault.grant_requested");
    await kit.vault.answer(SESSION, request, { result: "allow", lasts: "once" });
    await new Promise(setImmediate);
    assert.deepEqual(allowed, [true]);
    const { id } = (await kit.vault.listCredentials())[0] ?? { id: "" };
    await kit.vault.giveGrant({ credential_id: id, session_id: SESSION, lasts: "once", scope: request.scope });
    await new Promise(setImmediate);
    assert.deepEqual(allowed, [true, true]);
  });

  it("once ends, however quickly the requests under it follow each other; a push is one push", async () => {
    let now = 1_000_000;
    const kit = new VaultKit({ clock: { now: () => now, sleep: () => new Promise(() => {}) } });
    await kit.add({ name: "git", kind: "git", places: [{ origin: "https://git.example.com", path_prefix: "/" }] });
    const once: GrantDecision = { result: "allow", lasts: "once" };
    const pushing = { ...gitUse({ service: "push", refs: ["refs/heads/a"] }), path: "/acme/app.git/git-receive-pack" };
    assert.ok((await answered(kit, kit.decide(pushing), once)).decision.allowed);
    void kit.decide(pushing);
    await kit.next("vault.grant_requested");
    assert.ok((await answered(kit, kit.decide(gitUse()), once)).decision.allowed);
    for (let minutes = 1; minutes < 30; minutes += 1) {
      now += 59_000;
      assert.ok((await kit.decide(gitUse())).allowed);
    }
    now += 59_000;
    assert.ok((await kit.decide(gitUse())).allowed);
    now += 59_000;
    void kit.decide(gitUse());
    await kit.next("vault.grant_requested");
  });

  it("what still runs under a grant for once is cut with its credential and with its session", async () => {
    const kit = new VaultKit();
    const { id } = await kit.add();
    const first = await answered(kit, kit.decide(), { result: "allow", lasts: "once" });
    const second = await answered(kit, kit.decide(), { result: "allow", lasts: "once" });
    assert.ok(first.decision.allowed && second.decision.allowed);
    await kit.vault.removeCredential(id);
    await aborted(second.decision.signal);
    await kit.add();
    const third = await answered(kit, kit.decide(), { result: "allow", lasts: "once" });
    assert.ok(third.decision.allowed);
    await kit.vault.endSession(SESSION);
    assert.equal(third.decision.signal.aborted, true);
  });

  it("a grant that is revoked while its token is being got gives nothing out", async () => {
    const token = Promise.withResolvers<string>();
    const kit = new VaultKit({ ports: { oauthToken: () => token.promise } });
    await kit.add({ kind: "mcp_oauth" });
    const deciding = kit.decide();
    await kit.vault.answer(SESSION, await kit.next("vault.grant_requested"), FOR_SESSION);
    const [grant] = await kit.vault.listGrants();
    await kit.vault.revokeGrant(grant?.id ?? "");
    token.resolve(TOKEN);
    const decision = await deciding;
    assert.ok(!decision.allowed);
    assert.match(decision.message, /was revoked/);
  });

  it("a credential that was removed while the person was asked is not used any more", async () => {
    const kit = new VaultKit();
    const { id } = await kit.add();
    const deciding = kit.decide();
    const request = await kit.next("vault.grant_requested");
    await kit.vault.removeCredential(id);
    await kit.vault.answer(SESSION, request, FOR_SESSION);
    const decision = await deciding;
    assert.ok(!decision.allowed && decision.reason === "no_credential");
  });

  it("who asks again and again, and does not wait for the answer, has asked once", async () => {
    let now = 1_000_000;
    const kit = new VaultKit({ clock: { now: () => now, sleep: waitForSignal } });
    await kit.add();
    const ask = async (path: string): Promise<void> => {
      const gone = new AbortController();
      const deciding = kit.decide({ method: "POST", path }, gone.signal);
      await new Promise(setImmediate);
      gone.abort();
      assert.ok(!(await deciding).allowed);
    };
    for (let at = 0; at < 10; at += 1) await ask("/v1/same");
    assert.equal(kit.recorded.length, 1);
    for (let at = 0; at < 2 * limits.grantsAskedMax; at += 1) await ask(`/v1/${at}`);
    assert.equal(kit.recorded.length, limits.grantsAskedMax);
    now += limits.grantAskMs;
    await ask("/v1/same");
    assert.equal(kit.recorded.length, limits.grantsAskedMax + 1);
  });

  it("who waits for more than what was granted is told at once", async () => {
    const kit = new VaultKit();
    await kit.add({ name: "git", kind: "git", places: [{ origin: "https://git.example.com", path_prefix: "/" }] });
    const pushing = kit.decide(gitUse({ service: "push", refs: ["refs/heads/main"] }));
    const { decision } = await answered(kit, pushing, { ...FOR_SESSION, scope: scopeOf([]) });
    assert.ok(!decision.allowed);
  });

  it("once is one command of git, with all of its requests", async () => {
    let now = 1_000_000;
    const kit = new VaultKit({ clock: { now: () => now, sleep: () => new Promise(() => {}) } });
    await kit.add({ name: "git", kind: "git", places: [{ origin: "https://git.example.com", path_prefix: "/" }] });
    const { decision } = await answered(kit, kit.decide(gitUse()), { result: "allow", lasts: "once" });
    assert.ok(decision.allowed);
    now += 50_000;
    assert.ok((await kit.decide(gitUse())).allowed);
    now += 61_000;
    void kit.decide(gitUse());
    await kit.next("vault.grant_requested");
  });

  it("two requests for the same are one question", async () => {
    const kit = new VaultKit();
    await kit.add();
    const both = Promise.all([kit.decide(), kit.decide()]);
    const request = await kit.next("vault.grant_requested");
    await kit.vault.answer(SESSION, request, FOR_SESSION);
    assert.deepEqual(
      (await both).map(({ allowed }) => allowed),
      [true, true],
    );
    assert.equal(kit.recorded.filter(({ type }) => type === "vault.grant_requested").length, 0);
  });

  it("an answer counts although what asked has gone, and the next try needs no other", async () => {
    const kit = new VaultKit();
    await kit.add();
    const gone = new AbortController();
    const deciding = kit.decide({}, gone.signal);
    const request = await kit.next("vault.grant_requested");
    gone.abort();
    assert.ok(!(await deciding).allowed);
    await kit.vault.answer(SESSION, request, FOR_SESSION);
    assert.ok((await kit.decide()).allowed);
  });

  it("a push names its refs, and what else is pushed there is refused without a question", async () => {
    const kit = new VaultKit();
    await kit.add({ name: "git", kind: "git", places: [{ origin: "https://git.example.com", path_prefix: "/acme" }] });
    const branch = ["refs/heads/agent/one"];
    const { decision, request } = await answered(kit, kit.decide(gitUse({ service: "push", refs: branch })), {
      result: "allow",
      lasts: "session",
      scope: scopeOf(["refs/heads/agent/*"]),
    });
    assert.deepEqual(request.scope.git, { repositories: ["acme/app"], push_refs: branch });
    assert.ok(decision.allowed);
    assert.ok((await kit.decide(gitUse())).allowed, "who may push may fetch");
    assert.ok((await kit.decide(gitUse({ service: "push", refs: ["refs/heads/agent/two"] }))).allowed);
    for (const refs of [["refs/heads/main"], ["refs/heads/agent/two", "refs/heads/main"], ["refs/heads/agent/"]]) {
      const refused = await kit.decide(gitUse({ service: "push", refs }));
      assert.ok(!refused.allowed, refs.join());
      assert.match(refused.message, /Not among what may be pushed/);
    }
    const deciding = kit.decide(gitUse({ repository: "acme/other" }));
    assert.equal((await kit.next("vault.grant_requested")).scope.git?.repositories[0], "acme/other");
    void deciding;
  });

  it("who may only fetch is asked before a push", async () => {
    const kit = new VaultKit();
    await kit.add({ name: "git", kind: "git", places: [{ origin: "https://git.example.com", path_prefix: "/" }] });
    await answered(kit, kit.decide(gitUse()), FOR_SESSION);
    assert.ok(
      (await kit.decide(gitUse({ service: "push" }))).allowed,
      "the refs of the server are shown to who may fetch",
    );
    const { decision } = await answered(kit, kit.decide(gitUse({ service: "push", refs: ["refs/heads/main"] })), {
      result: "deny",
    });
    assert.ok(!decision.allowed);
  });

  it("revoking a grant cuts what runs under it and stops the next request", async () => {
    const kit = new VaultKit();
    await kit.add();
    const { decision } = await answered(kit, kit.decide(), FOR_SESSION);
    assert.ok(decision.allowed);
    const [grant] = await kit.vault.listGrants();
    await kit.vault.revokeGrant(grant?.id ?? "");
    assert.equal(decision.signal.aborted, true);
    assert.equal((await kit.next("vault.grant_revoked")).grant_id, grant?.id);
    const stopped = new AbortController();
    stopped.abort();
    assert.ok(!(await kit.decide({}, stopped.signal)).allowed);
  });

  it("revoked in another window, it is revoked here", async () => {
    const kit = new VaultKit();
    await kit.add();
    const { decision } = await answered(kit, kit.decide(), FOR_SESSION);
    assert.ok(decision.allowed);
    const other = new VaultKit({ secrets: kit.secrets });
    const [grant] = await other.vault.listGrants();
    await other.vault.revokeGrant(grant?.id ?? "");
    await aborted(decision.signal);
    assert.deepEqual(await kit.vault.listGrants(), []);
  });

  it("ended in another window, the entrance of a hand is shut here, with what came in by it", async () => {
    // None of its own: only the end of the session is to shut it.
    const deadlines = { headMs: 3_600_000, idleMs: 3_600_000 };
    const rest = { findForms, apis: () => [], mcpServers: () => [], report: () => {}, deadlines };
    const ports: Partial<VaultPorts> = {
      loadProxy: async (authority) => createCredentialProxy({ authority, ...rest }),
    };
    const kit = new VaultKit({ ports });
    const entrance = await kit.vault.entrance(SESSION, "local", null);
    const kept = await kit.vault.entrance(OTHER, "local", null);
    const [cut, stays] = [new PassThrough(), new PassThrough()];
    entrance.accept(cut);
    kept.accept(stays);
    await new VaultKit({ secrets: kit.secrets }).vault.endSession(SESSION);
    await new Promise<void>((resolve) => (cut.destroyed ? resolve() : cut.once("close", () => resolve())));
    assert.equal(stays.destroyed, false);
    kit.vault.dispose();
  });

  it("a credential that is removed takes its grants along, and is cut", async () => {
    const kit = new VaultKit();
    const { id } = await kit.add();
    const { decision } = await answered(kit, kit.decide(), FOR_SESSION);
    assert.ok(decision.allowed);
    await kit.vault.removeCredential(id);
    await aborted(decision.signal);
    const after = await kit.decide();
    assert.ok(!after.allowed && after.reason === "no_credential");
  });

  it("the end of a session ends its grants and refuses what it still asks for", async () => {
    const kit = new VaultKit();
    await kit.add();
    await answered(kit, kit.decide(), FOR_SESSION);
    kit.ended.add(SESSION);
    await kit.vault.endSession(SESSION);
    const after = await kit.decide();
    assert.ok(!after.allowed && after.reason === "session_ended");
    kit.ended.clear();
    assert.deepEqual(await kit.vault.listGrants(), []);
  });

  it("grants are still there for the next life of the program", async () => {
    const kit = new VaultKit();
    await kit.add();
    await answered(kit, kit.decide(), FOR_SESSION);
    const next = new VaultKit({ secrets: kit.secrets });
    assert.ok((await next.decide()).allowed);
  });

  it("with a locked keyring nothing is granted, and the reason is said", async () => {
    const kit = new VaultKit();
    await kit.add();
    const next = new VaultKit({ secrets: kit.secrets });
    kit.secrets.isLocked = true;
    await assert.rejects(next.decide(), /secret storage cannot be reached/);
  });
});

function waitForSignal(_: number, signal?: AbortSignal): Promise<void> {
  return new Promise((_resolve, reject) => {
    if (signal?.aborted === true) reject(signal.reason as Error);
    signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

function scopeOf(push_refs: readonly string[]): NonNullable<Extract<GrantDecision, { result: "allow" }>["scope"]> {
  const git = { repositories: ["acme/app"], push_refs };
  return { kind: "git", origin: "https://git.example.com", path_prefix: "/", methods: null, git };
}
