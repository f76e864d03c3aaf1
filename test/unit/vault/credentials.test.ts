/** Credentials: written once, listed without their values, refused with words where they make no sense. */
import assert from "node:assert/strict";
import { hasCode } from "../../../src/core/errors.ts";
import type { CredentialInput } from "../../../src/core/vault.ts";
import { createSecretRecords } from "../../../src/vault/secretRecords.ts";
import { withOwnPlaces } from "../../../src/vault/proxy/apiRoute.ts";
import { memorySecrets } from "../../fixtures/memorySecrets.ts";
import { gitUse, SESSION, TOKEN, VaultKit } from "./vaultKit.ts";

describe("credentials", () => {
  it("are listed without their values, and errors do not quote them", async () => {
    const kit = new VaultKit();
    await kit.add();
    assert.ok(!JSON.stringify(await kit.vault.listCredentials()).includes(TOKEN));
    const thrown = await kit.add({ value: `${TOKEN}\nmore` }).catch((error: unknown) => error);
    assert.ok(hasCode(thrown, "credential_invalid"));
    assert.ok(!String(thrown).includes(TOKEN));
  });

  const wrong: readonly (readonly [string, Partial<CredentialInput>])[] = [
    ["a name with capitals", { name: "My Key" }],
    ["no place", { places: [] }],
    ["plain http to another computer", { places: [{ origin: "http://api.example.com", path_prefix: "/" }] }],
    ["a password in the address", { places: [{ origin: "https://me:pw@api.example.com", path_prefix: "/" }] }],
    ["a query in the address", { places: [{ origin: "https://api.example.com/?a", path_prefix: "/" }] }],
    ["a path with dots", { places: [{ origin: "https://api.example.com", path_prefix: "/a/../b" }] }],
    ["an encoded path", { places: [{ origin: "https://api.example.com", path_prefix: "/a%2fb" }] }],
    ["no value", { value: "  " }],
    ["a header that says where the request goes", { kind: "header", header_name: "Host" }],
    ["a header name with a line break", { kind: "header", header_name: "x-a\r\nb" }],
    ["basic without a user", { kind: "basic" }],
    ["a user name with a colon", { kind: "basic", username: "a:b" }],
    ["an account without a provider", { kind: "vscode_account" }],
  ];
  for (const [what, over] of wrong) {
    it(`are refused with ${what}`, async () => {
      const kit = new VaultKit();
      const thrown = await kit.add(over).catch((error: unknown) => error);
      assert.ok(hasCode(thrown, "credential_invalid"), String(thrown));
      assert.equal(kit.secrets.values.size, 0);
    });
  }

  it("what is removed while the store is being read stays removed, however late that reading ends", async () => {
    const store = memorySecrets();
    store.values.set("grant:one", '{"id":"one"}');
    const late: (() => void)[] = [];
    let isLate = true;
    const get = async (name: string): Promise<string | undefined> => {
      const value = store.values.get(name);
      if (isLate) await new Promise<void>((resolve) => late.push(resolve));
      return value;
    };
    const records = createSecretRecords({ ...store, get }, "grant:", (value) => value);
    const first = records.all();
    await new Promise(setImmediate);
    isLate = false;
    await records.remove("one");
    assert.equal((await records.all()).size, 0);
    for (const end of late) end();
    assert.equal((await first).size, 0);
    assert.equal((await records.all()).size, 0);
  });

  it("two of one name cannot be told apart", async () => {
    const kit = new VaultKit();
    await kit.add();
    await assert.rejects(kit.add(), /named "api" already/);
  });

  it("a value that is replaced goes out from then on, and both are redacted", async () => {
    const kit = new VaultKit();
    const { id } = await kit.add();
    const scope = { kind: "http" as const, origin: "https://api.example.com", path_prefix: "/", methods: null };
    await kit.vault.giveGrant({ credential_id: id, session_id: SESSION, lasts: "session", scope });
    await kit.vault.replaceValue(id, "another-value-of-it");
    const decision = await kit.decide();
    assert.ok(decision.allowed && decision.value === "another-value-of-it");
    assert.equal(kit.redactor.redact(`${TOKEN} another-value-of-it`), "[redacted: credential] [redacted: credential]");
  });

  it("each kind goes out in its own way", async () => {
    const kinds: readonly (readonly [Partial<CredentialInput>, Readonly<Record<string, string>>])[] = [
      [{ kind: "static_bearer" }, { authorization: `Bearer ${TOKEN}` }],
      [{ kind: "header", header_name: "X-Api-Key" }, { "x-api-key": TOKEN }],
      [
        { kind: "basic", username: "ada" },
        { authorization: `Basic ${Buffer.from(`ada:${TOKEN}`).toString("base64")}` },
      ],
    ];
    for (const [over, headers] of kinds) {
      const kit = new VaultKit();
      const { id } = await kit.add(over);
      const scope = { kind: "http" as const, origin: "https://api.example.com", path_prefix: "/", methods: null };
      await kit.vault.giveGrant({ credential_id: id, session_id: null, lasts: "always", scope });
      const decision = await kit.decide();
      assert.ok(decision.allowed);
      assert.deepEqual(decision.headers, headers);
    }
  });

  it("an account that nobody is signed in to is said, with what to do", async () => {
    const kit = new VaultKit();
    const places = [{ origin: "https://git.example.com", path_prefix: "/" }];
    const { id } = await kit.add({ name: "hub", kind: "vscode_account", provider: "github", places });
    const git = { repositories: ["*"], push_refs: [] };
    const scope = { kind: "git" as const, origin: "https://git.example.com", path_prefix: "/", methods: null, git };
    await kit.vault.giveGrant({ credential_id: id, session_id: SESSION, lasts: "session", scope });
    const decision = await kit.decide(gitUse());
    assert.ok(!decision.allowed);
    assert.match(decision.message, /nobody is signed in to github/);
  });

  it("the nearest place decides which one is used", async () => {
    const kit = new VaultKit();
    const origin = "https://git.example.com";
    await kit.add({ name: "all", kind: "git", places: [{ origin, path_prefix: "/" }] });
    await kit.add({ name: "acme", kind: "git", places: [{ origin, path_prefix: "/acme" }] });
    void kit.decide(gitUse());
    assert.equal((await kit.next("vault.grant_requested")).credential_name, "acme");
  });

  it("the place of one repository is its address with .git and without, and no other's", async () => {
    const kit = new VaultKit();
    const origin = "https://git.example.com";
    for (const [name, path_prefix] of [
      ["one", "/acme/app"],
      ["two", "/acme/web.git"],
      ["three", "/team"],
    ] as const) {
      await kit.add({ name, kind: "git", places: [{ origin, path_prefix }] });
    }
    const namedFor = async (repository: string, ending: string): Promise<string> => {
      const decided = kit.decide({ ...gitUse({ repository }), path: `/${repository}${ending}` });
      const refused = decided.then((decision) => (decision.allowed ? "" : decision.reason));
      const asked = kit.next("vault.grant_requested").then(({ credential_name }) => credential_name);
      return Promise.race([asked, refused]);
    };
    assert.equal(await namedFor("acme/app", ".git/info/refs"), "one");
    assert.equal(await namedFor("acme/web", "/git-upload-pack"), "two");
    assert.equal(await namedFor("team/site", ".git/info/refs"), "three");
    for (const other of ["acme/apple", "acme/web/sub", "team.git/site"]) {
      assert.equal(await namedFor(other, ".git/info/refs"), "no_credential", other);
    }
  });

  it("a token for git is not offered to an API, nor the other way round", async () => {
    const kit = new VaultKit();
    await kit.add({ kind: "git", name: "git" });
    assert.equal((await kit.decide()).allowed, false);
    const named = await kit.decide({ credential_name: "git" });
    assert.ok(!named.allowed && named.reason === "no_credential", "nor by its name");
    assert.deepEqual(withOwnPlaces([], await kit.vault.listCredentials()), []);
    const decision = await kit.decide({ ...gitUse(), origin: "https://api.example.com", path: "/v2" });
    assert.ok(!decision.allowed);
  });

  it("the last use is shown with its session", async () => {
    const kit = new VaultKit();
    const { id } = await kit.add();
    const scope = { kind: "http" as const, origin: "https://api.example.com", path_prefix: "/", methods: null };
    await kit.vault.giveGrant({ credential_id: id, session_id: SESSION, lasts: "session", scope });
    const noted = new Promise<void>((resolve) => {
      kit.vault.onDidChange(() => resolve());
    });
    await kit.decide();
    await noted;
    const [listed] = await kit.vault.listCredentials();
    assert.equal(listed?.last_used?.session_id, SESSION);
  });
});
