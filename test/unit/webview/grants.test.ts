/** What the page says of requests for a grant, of their answers, and of what was used. */
import assert from "node:assert/strict";
import type { NewEvent } from "../../../src/core/events.ts";
import type { GrantScope } from "../../../src/core/vault.ts";
import { grantAsk, grantStatus, refsProblem } from "../../../src/webview/grantText.ts";
import { rowsOf } from "../../../src/webview/rows.ts";
import type { GrantRow, Row } from "../../../src/webview/rows.ts";
import { eventId, logOf } from "./logOf.ts";

const request = eventId("request");
const scope: GrantScope = { kind: "http", origin: "https://api.example.com", path_prefix: "/v1", methods: ["GET"] };
const named = { credential_id: "vcrd_1", credential_name: "items" };
const asked = {
  type: "vault.grant_requested",
  id: request,
  ...named,
  hand: "local",
  scope,
  method: "GET",
  path: "/v1/items",
} as NewEvent;
const allowed: NewEvent = { type: "user.grant_decision", grant_request_id: request, result: "allow", lasts: "session" };
const given = (grant_request_id = request): NewEvent => {
  return { type: "vault.grant_given", grant_id: "vgrt_1", ...named, scope, lasts: "session", grant_request_id };
};
const revoked = { type: "vault.grant_revoked", grant_id: "vgrt_1", credential_name: "items" } as const;

function rows(...events: readonly NewEvent[]): readonly Row[] {
  return rowsOf(logOf(events));
}

function grantOf(...events: readonly NewEvent[]): GrantRow {
  const row = rows(...events).find(({ kind }) => kind === "grant");
  assert.ok(row?.kind === "grant");
  return row;
}

function git(...push_refs: readonly string[]): GrantScope {
  const of = { repositories: ["acme/app"], push_refs };
  return { kind: "git", origin: "https://github.com", path_prefix: "/", methods: null, git: of };
}

describe("the rows of grants", () => {
  it("gather a request, its answer and what was given into one row", () => {
    const all = rows(asked, allowed, given());
    assert.equal(all.length, 1);
    const row = grantOf(asked, allowed, given());
    assert.deepEqual([row.decision?.result, row.given?.lasts, row.isRevoked], ["allow", "session", false]);
  });

  it("say how it went, never more certain than the log", () => {
    const text = (isPending: boolean, ...events: readonly NewEvent[]): string =>
      grantStatus(grantOf(asked, ...events), isPending).text;
    assert.equal(text(true), "waits for you");
    assert.equal(text(false), "not answered");
    assert.equal(text(false, allowed), "granted for this session");
    assert.equal(text(false, allowed, given()), "granted for this session");
    assert.equal(text(false, allowed, given(), revoked), "granted for this session, then revoked");
    assert.equal(text(false, { ...revoked, grant_id: "vgrt_2" }, allowed, given()), "granted for this session");
    assert.equal(text(false, { type: "user.grant_decision", grant_request_id: request, result: "deny" }), "denied");
  });

  it("tell in notes what was granted without being asked for, revoked, and used", () => {
    const { grant_request_id: _, ...inAdvance } = given() as Extract<NewEvent, { type: "vault.grant_given" }>;
    const origin = "https://api.example.com";
    const used = { type: "vault.credential_used", grant_id: "vgrt_1", credential_name: "items" } as const;
    const texts = rows(
      inAdvance,
      { ...used, hand: "local", method: "GET", origin, path: "/v1/items" },
      { ...used, hand: null, method: "POST", origin, path: "/mcp" },
      revoked,
    ).map((row) => (row.kind === "note" ? `${row.level}: ${row.text}` : row.kind));
    assert.deepEqual(texts, [
      "quiet: Granted: items, to GET api.example.com/v1 (for this session).",
      "quiet: items was used by local: GET api.example.com/v1/items",
      "quiet: items was used: POST api.example.com/mcp",
      "quiet: A grant of items was revoked.",
    ]);
  });
});

describe("what a request for a grant says", () => {
  const words = (asks: GrantScope): readonly string[] => {
    const { what, where, weight } = grantAsk(asks);
    return [`${what} ${where}`, weight];
  };

  it("names what would be done, where, and whether it changes anything", () => {
    assert.deepEqual(words(scope), ["read from api.example.com/v1", "reads"]);
    assert.deepEqual(words({ ...scope, methods: ["GET", "DELETE"] }), [
      "send GET, DELETE to api.example.com/v1",
      "changes",
    ]);
    assert.deepEqual(words({ ...scope, methods: null, path_prefix: "/" }), [
      "send anything to api.example.com",
      "changes",
    ]);
    assert.deepEqual(words({ ...scope, kind: "mcp", methods: null }), [
      "use the MCP server api.example.com/v1",
      "tools",
    ]);
    assert.deepEqual(words(git()), ["read acme/app on github.com", "reads"]);
    assert.deepEqual(words(git("refs/heads/fix", "refs/tags/v1")), [
      "push fix, tag v1 to acme/app on github.com",
      "changes",
    ]);
  });

  it("says what is wrong with the refs that a person would allow", () => {
    const wrong = (given: readonly string[]): readonly unknown[] => {
      const { isFatal, text } = refsProblem(["refs/heads/agent/a"], given) ?? {};
      return [isFatal, text];
    };
    assert.deepEqual(wrong(["refs/heads/agent/*"]), [undefined, undefined]);
    assert.deepEqual(wrong([]), [true, "Name what may be pushed, or deny."]);
    assert.deepEqual(wrong(["refs/heads/b"]), [false, "The push that waits goes on waiting: agent/a is not in it."]);
    assert.deepEqual(wrong(["refs/heads/*"]), [false, "Others build on *. Is it meant?"]);
  });
});
