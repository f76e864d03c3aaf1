/** The guided ways to a credential and to a grant: what is asked, what comes of the answers. */
import { strict as assert } from "node:assert";
import type { CredentialInfo } from "../../../src/core/vault.ts";
import { checkCredential } from "../../../src/vault/credentialInput.ts";
import { credentialWays, fullAddress, inputOf, questionOf, suggestName } from "../../../src/vscode/credentialWays.ts";
import type { CredentialDraft, CredentialQuestion } from "../../../src/vscode/credentialWays.ts";
import * as grants from "../../../src/vscode/grantDraft.ts";
import type { GrantDraft } from "../../../src/vscode/grantDraft.ts";

const ANSWERS = {
  address: { addresses: ["https://git.example.com"] },
  username: { username: "kim" },
  header_name: { header_name: "x-api-key" },
  name: { name: "mine" },
  value: { value: "secret-value" },
} satisfies Record<Exclude<CredentialQuestion, "way">, CredentialDraft>;

function asked(start: CredentialDraft): { readonly questions: readonly string[]; readonly draft: CredentialDraft } {
  const questions: string[] = [];
  let draft = start;
  for (let question = questionOf(draft); question !== null; question = questionOf(draft)) {
    assert.ok(question !== "way" && !questions.includes(question), `${question} is asked for ever`);
    questions.push(question);
    draft = Object.assign({}, draft, ANSWERS[question]);
  }
  return { questions, draft };
}

describe("the guided way to a credential", () => {
  for (const way of credentialWays) {
    it(`leads to one that the vault takes: ${way.section}, ${way.label}`, () => {
      const { draft } = asked({ way });
      const checked = checkCredential(inputOf(draft));
      assert.equal(checked.kind, way.kind);
      assert.ok(checked.places.length > 0);
      const hasValue = way.kind !== "vscode_account" && way.kind !== "mcp_oauth";
      assert.equal(checked.value, hasValue ? "secret-value" : undefined);
    });
  }

  it("asks for no more than each way needs", () => {
    const questions = (label: string): string => {
      const way = credentialWays.find((each) => each.label.startsWith(label));
      assert.ok(way);
      return asked({ way }).questions.join(", ");
    };
    assert.equal(questionOf({}), "way");
    assert.equal(questions("GitHub account"), "name");
    assert.equal(questions("GitHub"), "name, value");
    assert.equal(questions("Another Git host"), "address, username, name, value");
    assert.equal(questions("Key in a header"), "address, header_name, name, value");
    assert.equal(questions("User and password"), "address, username, name, value");
    assert.equal(questions("Sign in to an MCP server"), "address, name");
  });

  it("says what is wrong with one answer while the others are still open", () => {
    const way = credentialWays.find(({ kind }) => kind === "header");
    const wrong = (draft: CredentialDraft, words: RegExp): void =>
      assert.throws(() => checkCredential(inputOf({ ...(way === undefined ? {} : { way }), ...draft })), words);
    wrong({ addresses: [fullAddress("http://api.example.com")] }, /write https:\/\/host/);
    wrong({ addresses: [fullAddress("api.example.com/a?b=c")] }, /must hold no query/);
    wrong({ header_name: "host" }, /name of the header/);
    wrong({ name: "My Key" }, /small letters/);
    wrong({ value: '""' }, /value is empty/);
    checkCredential(inputOf({ addresses: [fullAddress("api.example.com/v1")] }));
  });

  it("takes an address as people write it", () => {
    assert.equal(fullAddress("api.example.com/v1"), "https://api.example.com/v1");
    assert.equal(fullAddress("example.com:8443"), "https://example.com:8443");
    assert.equal(fullAddress("http://127.0.0.1:80"), "http://127.0.0.1:80");
    assert.equal(fullAddress("ftp://example.com"), "ftp://example.com");
  });

  it("suggests a name that tells the host from others, is valid, and is not taken", () => {
    const suggested = (address: string, ...taken: readonly string[]): string =>
      suggestName({ addresses: [address] }, taken);
    assert.equal(suggested("https://api.example.com/v1"), "example");
    assert.equal(suggested("https://git.acme.example.com"), "acme-example");
    assert.equal(suggested("https://api.example.com", "example", "example-2"), "example-3");
    assert.equal(suggested("http://127.0.0.1:8080"), "127.0.0.1");
    assert.equal(suggested("http://[::1]:8080"), "1");
    for (const host of ["xn--bcher-kva.example", "a".repeat(63) + ".example", "localhost"]) {
      checkCredential(inputOf({ name: suggested(`https://${host}`) }));
    }
  });
});

const info: CredentialInfo = {
  id: "vcrd_1",
  name: "forge",
  kind: "git",
  places: [{ origin: "https://git.example.com", path_prefix: "/" }],
  created_at: "2026-11-20T00:00:00Z",
  last_used: null,
};

describe("the guided way to a grant", () => {
  const session = { id: null, title: "every session" };

  it("asks for git what may be read and pushed, and nothing else", () => {
    let draft: GrantDraft = { info };
    assert.equal(grants.questionOf(draft), "session");
    draft = { ...draft, session };
    assert.equal(grants.questionOf(draft), "repositories");
    assert.equal(grants.scopeOf(draft), null);
    draft = { ...draft, repositories: ["acme/*"] };
    assert.equal(grants.questionOf(draft), "push_refs");
    draft = { ...draft, push_refs: ["refs/heads/agent/*"] };
    assert.equal(grants.questionOf(draft), null);
    assert.deepEqual(grants.scopeOf(draft), {
      kind: "git",
      origin: "https://git.example.com",
      path_prefix: "/",
      methods: null,
      git: { repositories: ["acme/*"], push_refs: ["refs/heads/agent/*"] },
    });
  });

  it("asks for an API where and how, and which place where there are several", () => {
    const places = [...info.places, { origin: "https://api.example.com", path_prefix: "/v1" }];
    const start: GrantDraft = { info: { ...info, kind: "static_bearer", places }, session };
    assert.equal(grants.questionOf(start), "use");
    assert.equal(grants.questionOf({ ...start, use: "http" }), "place");
    const [, place] = places;
    assert.ok(place);
    assert.equal(grants.questionOf({ ...start, use: "mcp", place }), null);
    const http: GrantDraft = { ...start, use: "http", place };
    assert.equal(grants.questionOf(http), "path_prefix");
    assert.equal(grants.questionOf({ ...http, path_prefix: "/v1/items" }), "methods");
    const whole: GrantDraft = { ...http, path_prefix: "/v1/items", methods: ["GET"] };
    const { origin } = place;
    assert.deepEqual(grants.scopeOf(whole), { kind: "http", origin, path_prefix: "/v1/items", methods: ["GET"] });
  });

  it("takes repositories as people paste them", () => {
    assert.deepEqual(grants.repositoriesOf("acme/app, https://github.com/acme/docs.git\nacme/app/ a/b/c acme/*"), [
      "acme/app",
      "acme/docs",
      "a/b/c",
      "acme/*",
    ]);
    assert.equal(grants.problemOfRepositories("acme/app acme/* ~kim/notes *"), null);
    assert.match(grants.problemOfRepositories("acme/app?x") ?? "", /“acme\/app\?x” is no repository/);
    assert.match(grants.problemOfRepositories("../app") ?? "", /is no repository/);
  });
});
