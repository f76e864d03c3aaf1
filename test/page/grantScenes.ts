/** Requests for a grant as a page can show them: for its looks, and for what a person does with them. */
import type { NewEvent } from "../../src/core/events.ts";
import type { EventId } from "../../src/core/ids.ts";
import type { GrantScope } from "../../src/core/vault.ts";
import type { PageOptions } from "./pageHost.ts";
import { answer, call, created, numbering, person, result, started, working } from "./samples.ts";

type Scene = Pick<PageOptions, "history" | "changes" | "facts">;
type Asked = Extract<NewEvent, { type: "vault.grant_requested" }>;

const api: GrantScope = {
  kind: "http",
  origin: "https://api.example.com",
  path_prefix: "/v1",
  methods: ["GET", "HEAD", "OPTIONS"],
};

function push(...push_refs: readonly string[]): GrantScope {
  const git = { repositories: ["acme/orchard"], push_refs };
  return { kind: "git", origin: "https://github.com", path_prefix: "/", methods: null, git };
}

function asks(id: string, over: Partial<Asked>): NewEvent {
  const asked = { credential_id: "vcrd_1", credential_name: "items", hand: "local", scope: api };
  const what = { method: "GET", path: "/v1/items?open=true" };
  return { type: "vault.grant_requested", id: `sevt_${id}`, ...asked, ...what, ...over } as unknown as NewEvent;
}

export function asksForApi(id = "api"): NewEvent {
  return asks(id, {});
}

export function asksForPush(id: string, ...refs: readonly string[]): NewEvent {
  const path = `/acme/orchard.git/git-${refs.length === 0 ? "upload" : "receive"}-pack`;
  return asks(id, { credential_name: "github", scope: push(...refs), method: "POST", path });
}

function asksForChange(id: string): NewEvent {
  const scope: GrantScope = { ...api, path_prefix: "/v1/items/31/comments", methods: ["POST"] };
  return asks(id, { scope, method: "POST", path: "/v1/items/31/comments" });
}

function asksForMcp(id: string): NewEvent {
  const scope: GrantScope = {
    kind: "mcp",
    origin: "https://mcp.example.com",
    path_prefix: "/mcp",
    methods: null,
  };
  return asks(id, { credential_name: "tracker", hand: null, scope, method: "POST", path: "/mcp" });
}

type Given = Extract<NewEvent, { type: "vault.grant_given" }>;

function given(id: string, scope: GrantScope, lasts: Given["lasts"], name: string): readonly NewEvent[] {
  const grant_request_id = `sevt_${id}` as EventId;
  const grant = { grant_id: `vgrt_${id}`, credential_id: "vcrd_1", credential_name: name, scope, lasts };
  return [
    { type: "user.grant_decision", grant_request_id, result: "allow", lasts },
    { type: "vault.grant_given", ...grant, grant_request_id },
  ];
}

function used(id: string, name: string, origin: string, method: string, path: string): NewEvent {
  return {
    type: "vault.credential_used",
    grant_id: `vgrt_${id}`,
    credential_name: name,
    hand: "local",
    method,
    origin,
    path,
  };
}

/** A turn with a command that runs: what waits is a request of its hand. */
function commandThat(command: string, ...events: readonly NewEvent[]): Scene {
  const runs = call("bash", { command });
  const said = answer({ text: "I look at what is open.", calls: [runs] });
  const history = numbering()(created, person("Close what is done."), working, ...said, started(runs), ...events);
  return { history };
}

const git = "https://github.com";

export const grantScenes = {
  grantApi: () => commandThat("curl -s $MANY_HANDS_PROXY/api/items/v1/items?open=true", asksForApi()),
  grantMany: () => commandThat("./close-done.sh", asksForPush("fetch"), asksForChange("change"), asksForMcp("mcp")),
  grantPush: () => commandThat("git push origin HEAD:agent/rows", asksForPush("push", "refs/heads/agent/rows")),
  grantShared: () =>
    commandThat("git push origin main --tags", asksForPush("push", "refs/heads/main", "refs/tags/v1.4")),
  grantAnswered: () => {
    const denied: NewEvent = { type: "user.grant_decision", grant_request_id: "sevt_d" as EventId, result: "deny" };
    const inAdvance: Given = {
      type: "vault.grant_given",
      grant_id: "vgrt_x",
      credential_id: "vcrd_2",
      credential_name: "tracker",
      scope: { kind: "mcp", origin: "https://mcp.example.com", path_prefix: "/mcp", methods: null },
      lasts: "session",
    };
    const pushes = call("bash", { command: "git push origin main" });
    const refused = "remote: Many Hands: Use of “github” is not granted: the person said no.";
    return commandThat(
      "./close-done.sh",
      inAdvance,
      asksForApi("a"),
      ...given("a", api, "always", "items"),
      used("a", "items", api.origin, "GET", "/v1/items"),
      asksForPush("b", "refs/heads/agent/rows"),
      ...given("b", push("refs/heads/agent/*"), "session", "github"),
      used("b", "github", git, "POST", "/acme/orchard.git/git-receive-pack"),
      asksForChange("c"),
      ...given("c", { ...api, methods: ["POST"] }, "once", "items"),
      { type: "vault.grant_revoked", grant_id: "vgrt_b", credential_name: "github" },
      ...answer({ calls: [pushes] }),
      started(pushes),
      asksForPush("d", "refs/heads/main"),
      denied,
      result(pushes, refused, { is_error: true, outcome: { kind: "exited", code: 1 } }),
    );
  },
  grantElsewhere: () => ({
    ...commandThat("git fetch", asksForPush("fetch")),
    changes: { writer: { kind: "other", holder: { epoch: 4, owner: "VS Code on birch, process 4711" } } } as const,
  }),
} satisfies Record<string, () => Scene>;
