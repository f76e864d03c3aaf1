/** How credentials and grants read in the vault's view. */
import { strict as assert } from "node:assert";
import type { SessionId } from "../../../src/core/ids.ts";
import type { CredentialInfo, Grant } from "../../../src/core/vault.ts";
import { describeCredential, describeGrant, describeModelKey, removalText } from "../../../src/vscode/vaultText.ts";

const session = "sesn_0123456789" as SessionId;
const now = Date.parse("2026-11-21T12:00:00Z");

const info: CredentialInfo = {
  id: "vcrd_1",
  name: "items",
  kind: "static_bearer",
  places: [
    { origin: "https://api.example.com", path_prefix: "/v1" },
    { origin: "http://127.0.0.1:8080", path_prefix: "/" },
  ],
  created_at: "2026-11-20T00:00:00Z",
  last_used: null,
};

function grant(change: Partial<Grant> = {}): Grant {
  const { origin } = info.places[0] as (typeof info.places)[0];
  return {
    id: "vgrt_1",
    credential_id: info.id,
    session_id: session,
    workspace: "/w",
    scope: { kind: "http", origin, path_prefix: "/v1", methods: ["GET", "HEAD"] },
    lasts: "session",
    given_at: "2026-11-21T11:30:00.000Z",
    ...change,
  };
}

function push(...push_refs: readonly string[]): Grant {
  const git = { repositories: ["acme/app"], push_refs };
  return grant({ scope: { kind: "git", origin: "https://github.com", path_prefix: "/", methods: null, git } });
}

describe("a credential in the list", () => {
  it("says its kind, where it may be used, and how much of it is granted", () => {
    const { label, description } = describeCredential(info, [], null, now);
    assert.deepEqual([label, description], ["items", "token · api.example.com/v1, http://127.0.0.1:8080"]);
    assert.match(describeCredential(info, [grant()], null, now).description, / · 1 grant$/);
    assert.match(describeCredential(info, [grant(), grant()], null, now).description, / · 2 grants$/);
  });

  it("says when it was last used, and by which session", () => {
    const used = (at: string, title: string | null): string => {
      const last_used = { at, session_id: session };
      return describeCredential({ ...info, last_used }, [], title, now).lines[2] ?? "";
    };
    assert.equal(describeCredential(info, [], null, now).lines[2], "Never used.");
    assert.equal(used("2026-11-21T11:59:40Z", "Fix it"), "Last used just now by “Fix it”.");
    assert.equal(used("2026-11-21T11:59:00Z", ""), "Last used 1 minute ago by “New session”.");
    assert.equal(used("2026-11-19T11:59:00Z", null), "Last used 2 days ago by a session that is gone.");
    assert.equal(used("2026-01-19T11:59:00Z", "Fix it"), "Last used on 2026-01-19 by “Fix it”.");
  });

  it("says that nothing is granted where that is so", () => {
    assert.match(describeCredential(info, [], null, now).lines.join("\n"), /Nothing is granted/);
    assert.doesNotMatch(describeCredential(info, [grant()], null, now).lines.join("\n"), /Nothing is granted/);
  });
});

describe("a grant in the list", () => {
  it("says what it covers, for whom, and for how long", () => {
    const text = (given: Grant, title: string | null): readonly string[] => {
      const { label, description } = describeGrant(given, title);
      return [label, description];
    };
    assert.deepEqual(text(grant(), "Fix it"), ["read /v1", "Fix it · until it ends"]);
    assert.deepEqual(text(grant({ lasts: "once" }), "Fix it")[1], "Fix it · once");
    assert.deepEqual(text(grant(), null)[1], "a session that is gone · until it ends");
    assert.deepEqual(text(grant({ session_id: null, lasts: "always" }), null)[1], "every session · always");
  });

  it("is named in few words by what may be done, and in whole in the tooltip", () => {
    const label = (scope: Partial<Grant["scope"]>): string =>
      describeGrant(grant({ scope: { ...grant().scope, ...scope } }), null).label;
    assert.equal(label({ methods: ["GET", "POST"], path_prefix: "/v1/items" }), "GET, POST /v1/items");
    assert.equal(label({ methods: null }), "anything at /v1");
    assert.equal(label({ kind: "mcp", methods: null }), "all MCP tools");
    assert.equal(describeGrant(push(), null).label, "acme/app: read");
    assert.equal(describeGrant(push("refs/heads/agent/*", "refs/tags/b"), null).label, "acme/app: push agent/*, tag b");
    assert.equal(describeGrant(grant(), null).lines[0], "To GET, HEAD api.example.com/v1.");
  });

  it("is marked where it lets agents push to what others build on", () => {
    assert.equal(describeGrant(push("refs/heads/agent/*"), "Fix it").icon, "pass");
    for (const ref of ["refs/heads/main", "refs/heads/*", "refs/*", "refs/heads/release/*", "refs/tags/v2"]) {
      const { icon, lines } = describeGrant(push("refs/heads/fix", ref), "Fix it");
      assert.equal(icon, "warning", ref);
      assert.match(lines.join("\n"), /others build on/);
    }
  });
});

describe("the question before a credential is removed", () => {
  it("names the grants that go with it, and not without end", () => {
    assert.match(
      removalText([], () => null),
      /Nothing is granted in this workspace/,
    );
    assert.match(
      removalText([grant()], () => "Fix it"),
      /This grant goes with it:\n• GET, HEAD api\.example\.com\/v1 \(Fix it · until it ends\)$/,
    );
    const many = removalText(
      Array.from({ length: 13 }, () => grant()),
      () => "Fix it",
    );
    assert.match(many, /These 13 grants/);
    assert.match(many, /• 3 more$/);
  });
});

describe("the model's key in the list", () => {
  it("says whether it is set, and for which address", () => {
    const key = { address: "https://api.anthropic.com", isSet: true };
    assert.equal(describeModelKey(key).description, "model key · api.anthropic.com");
    assert.equal(describeModelKey({ ...key, isSet: false }).description, "model key · not set · api.anthropic.com");
  });
});
