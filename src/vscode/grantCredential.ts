/** The guided way to a grant before a session asks: for whom, what for, how far. */
import * as vscode from "vscode";
import { scopeText } from "../core/grantText.ts";
import { messageOf } from "../core/json.ts";
import { refsOf, sharedRefs, shortRef } from "../core/refPattern.ts";
import type { SessionService } from "../core/service.ts";
import type { CredentialInfo, CredentialInput, CredentialPlace, GrantScope, VaultService } from "../core/vault.ts";
import { methodChoices, problemOfRepositories, questionOf, repositoriesOf, scopeOf, usesOf } from "./grantDraft.ts";
import type { GrantDraft, GrantQuestion } from "./grantDraft.ts";
import { describeSession } from "./sessionText.ts";
import { askChoice, askText, BACK, separator, walk } from "./steps.ts";
import type { Choice, Place, Step } from "./steps.ts";
import { placeText } from "./vaultText.ts";

export interface GrantCredentialPorts {
  readonly vault: VaultService;
  readonly service: SessionService;
  readonly check: (input: CredentialInput) => CredentialInput;
}

type Answer = Promise<GrantDraft | typeof BACK | undefined>;

export async function grantCredential(ports: GrantCredentialPorts, info: CredentialInfo): Promise<void> {
  const steps = stepsOf(ports, info);
  const draft = await walk<GrantDraft>(`Grant “${info.name}” in Advance`, { info }, (open) => {
    const question = questionOf(open);
    return question === null ? null : steps[question];
  });
  const scope = draft === undefined ? null : scopeOf(draft);
  if (draft?.session === undefined || scope === null) return;
  const { id, title } = draft.session;
  const shared = sharedRefs(scope.git?.push_refs ?? []);
  if (shared.length > 0 && !(await isMeant(shared))) return;
  const lasts = id === null ? "always" : "session";
  const grant = await ports.vault.giveGrant({ credential_id: info.id, session_id: id, scope, lasts });
  const message = `Granted: ${title} may use “${info.name}” to ${scopeText(scope)}.`;
  if ((await vscode.window.showInformationMessage(message, "Revoke")) === "Revoke") {
    await ports.vault.revokeGrant(grant.id);
  }
}

async function isMeant(refs: readonly string[]): Promise<boolean> {
  const detail = "Others build on that, or it is shipped. Agents can do their work on branches of their own.";
  const question = `Let agents push to ${refs.map(shortRef).join(", ")}?`;
  return (await vscode.window.showWarningMessage(question, { modal: true, detail }, "Allow")) === "Allow";
}

function stepsOf(ports: GrantCredentialPorts, info: CredentialInfo): Readonly<Record<GrantQuestion, Step<GrantDraft>>> {
  return {
    session: (draft, at) => chooseSession(ports.service, draft, at),
    use: (draft, at) => chooseUse(info, draft, at),
    place: (draft, at) => choosePlace(info, draft, at),
    repositories: askRepositories,
    push_refs: chooseRefs,
    path_prefix: (draft, at) => askPath(ports, draft, at),
    methods: async (draft, at) =>
      filled(draft, await askChoice({ placeHolder: "Reading only, or changing too?", items: methodChoices }, at)),
  };
}

function filled(
  draft: GrantDraft,
  answer: Partial<GrantDraft> | typeof BACK | undefined,
): GrantDraft | typeof BACK | undefined {
  return answer === undefined || answer === BACK ? answer : { ...draft, ...answer };
}

async function chooseSession(service: SessionService, draft: GrantDraft, at: Place): Answer {
  const every = "every session of this workspace";
  const living = (await service.listSessions()).filter(
    ({ state, unreadable }) => !state.archived && state.status !== "terminated" && unreadable === null,
  );
  const items: Choice<Pick<GrantDraft, "session">>[] = living.map((info) => {
    const { label, description, icon } = describeSession(info, Date.now());
    return { label: `$(${icon}) ${label}`, description, value: { session: { id: info.id, title: `“${label}”` } } };
  });
  const all = {
    label: "$(globe) Every session of this workspace",
    description: "until it is revoked",
    value: { session: { id: null, title: every } },
  };
  const sections = items.length === 0 ? [] : [separator("One session, until it ends"), ...items];
  return filled(
    draft,
    await askChoice({ placeHolder: "Who may use it?", items: [...sections, separator("All"), all] }, at),
  );
}

async function chooseUse(info: CredentialInfo, draft: GrantDraft, at: Place): Answer {
  const path = `$MANY_HANDS_PROXY/api/${info.name}/`;
  const choices: readonly Choice<{ readonly use: GrantScope["kind"] }>[] = [
    { label: "$(source-control) Git", description: "clone, fetch, push", value: { use: "git" } },
    { label: "$(globe) Its HTTP API", description: path, value: { use: "http" } },
    { label: "$(plug) Its MCP server", description: "all of its tools", value: { use: "mcp" } },
  ];
  const uses = usesOf(info.kind);
  const items = choices.filter(({ value }) => value !== undefined && uses.includes(value.use));
  return filled(draft, await askChoice({ placeHolder: "What for?", items }, at));
}

async function choosePlace(info: CredentialInfo, draft: GrantDraft, at: Place): Answer {
  const items = info.places.map((place) => ({ label: placeText(place), value: { place } }));
  return filled(draft, await askChoice({ placeHolder: "Where?", items }, at));
}

async function askRepositories(draft: GrantDraft, at: Place): Answer {
  const text = await askText(
    {
      prompt: "The repositories, as in their addresses; * stands for anything: acme/app acme/docs-*",
      placeHolder: "owner/name",
      problem: problemOfRepositories,
    },
    at,
  );
  return typeof text === "string" ? { ...draft, repositories: repositoriesOf(text) } : text;
}

async function chooseRefs(draft: GrantDraft, at: Place): Answer {
  const items: Choice<Pick<GrantDraft, "push_refs"> | "typed">[] = [
    { label: "$(eye) Nothing: clone and fetch only", value: { push_refs: [] } },
    { label: "$(git-branch) Branches of agents", description: "agent/*", value: { push_refs: ["refs/heads/agent/*"] } },
    { label: "$(edit) Other branches…", description: "by name, or with *", value: "typed" },
  ];
  const chosen = await askChoice({ placeHolder: "What may be pushed?", items }, at);
  if (chosen !== "typed") return filled(draft, chosen);
  const prompt = "Branches, or full names of refs; * stands for anything: fix/* refs/tags/beta-*";
  const problem = (text: string): string | null =>
    /[~^:?[\\]|\.\./.test(text) ? "A ref has none of ~ ^ : ? [ \\ and no “..”." : null;
  const text = await askText({ prompt, placeHolder: "agent/*", problem }, { ...at, canGoBack: true });
  // Back to the choice, not to what was before it.
  if (text === BACK) return chooseRefs(draft, at);
  return text === undefined ? undefined : { ...draft, push_refs: refsOf(text) };
}

async function askPath({ check }: GrantCredentialPorts, draft: GrantDraft, at: Place): Answer {
  const place = draft.place ?? draft.info.places[0];
  if (place === undefined) return undefined;
  const text = await askText(
    {
      prompt: `The path below ${placeText(place)} that may be used. Enter: all of it.`,
      placeHolder: "items/open",
      canBeEmpty: true,
      problem: (typed) => {
        try {
          check({ name: "name", kind: "static_bearer", places: [below(place, typed)], value: "value" });
          return null;
        } catch (thrown) {
          return messageOf(thrown);
        }
      },
    },
    at,
  );
  return typeof text === "string" ? { ...draft, path_prefix: below(place, text).path_prefix } : text;
}

function below(place: CredentialPlace, typed: string): CredentialPlace {
  const path = typed.replaceAll(/^\/+|\/+$/g, "");
  const prefix = place.path_prefix === "/" ? "" : place.path_prefix;
  return path === "" ? place : { ...place, path_prefix: `${prefix}/${path}` };
}
