/** A request for a grant as a card: what is asked, by which hand, with which credential, and what each answer means. */
import { scopeText } from "../core/grantText.ts";
import { refsOf, sharedRefs, shortRef } from "../core/refPattern.ts";
import type { GrantDecision, GrantLasts, GrantScope } from "../core/vault.ts";
import { button, h } from "./dom.ts";
import { grantAsk, grantStatus, lastsMeaning, refsProblem, WEIGHTS } from "./grantText.ts";
import type { GrantStatus } from "./grantText.ts";
import type { GrantRow } from "./rows.ts";
import { plainly } from "./safeText.ts";

export interface GrantViewContext {
  readonly decide: (row: GrantRow, decision: GrantDecision) => void;
  /** Nobody has answered it yet. */
  readonly isPending: boolean;
  readonly canAnswer: boolean;
}

const SYMBOLS: Readonly<Record<GrantStatus, string>> = { waiting: "?", done: "✓", denied: "⊘", stopped: "■" };

export function renderGrant(row: GrantRow, context: GrantViewContext): HTMLElement {
  const { status, text } = grantStatus(row, context.isPending);
  const mark = h("span", { class: `mark ${status}`, "aria-hidden": "true" }, SYMBOLS[status]);
  const said = h("span", { class: `status ${status}` }, text);
  const name = plainly(row.request.credential_name);
  const article = h("article", { class: `row call grant ${status}`, "aria-label": `Use of ${name}: ${text}` });
  if (context.isPending) {
    article.append(h("div", { class: "grant-head" }, mark, question(row), said), facts(row), answers(row, context));
    return article;
  }
  const scope = plainly(scopeText(row.given?.scope ?? row.request.scope));
  article.append(
    h(
      "div",
      { class: "grant-head" },
      mark,
      h("span", { class: "tool" }, name),
      handOf(row),
      h("code", { class: "essential", title: scope }, scope),
      said,
    ),
  );
  return article;
}

/** In one sentence, the first thing that is read. */
function question({ request }: GrantRow): HTMLElement {
  const { what, where } = grantAsk(request.scope);
  const who = request.hand === null ? "the agent" : plainly(request.hand);
  return h(
    "span",
    { class: "grant-question" },
    "Let ",
    h("b", {}, who),
    ` ${plainly(what)} `,
    h("b", {}, plainly(where)),
    " with ",
    h("b", { class: "credential" }, plainly(request.credential_name)),
    "?",
  );
}

function handOf({ request }: GrantRow): HTMLElement | null {
  return request.hand === null ? null : h("span", { class: "hand", title: "The hand that asked" }, request.hand);
}

function facts({ request }: GrantRow): HTMLElement {
  const { scope, method, path } = request;
  const { weight } = grantAsk(scope);
  const now = plainly(`${method} ${path}`);
  return h(
    "dl",
    { class: "grant-facts" },
    h("dt", {}, "Effect"),
    h("dd", {}, h("span", { class: `weight ${weight}` }, WEIGHTS[weight])),
    h("dt", {}, "Covers"),
    h("dd", {}, plainly(scopeText(scope))),
    h("dt", {}, "Now"),
    h("dd", {}, h("code", {}, now)),
  );
}

function answers(row: GrantRow, { decide, canAnswer }: GrantViewContext): HTMLElement {
  if (!canAnswer) {
    return h("div", { class: "approval" }, "This request waits for an answer in the window that runs the session.");
  }
  const { scope, credential_name } = row.request;
  const asked = scope.git?.push_refs ?? [];
  const refs = asked.length > 0 ? refsInput(asked) : null;
  const problem = h("p", { class: "grant-problem", role: "status" });
  const choices = h("div", { class: "choices" });
  const given = (): GrantScope => (refs === null ? scope : withRefs(scope, refs.value));
  const show = (): void => {
    const found = refs === null ? null : refsProblem(asked, refsOf(refs.value));
    problem.hidden = found === null;
    problem.textContent = plainly(found?.text ?? "");
    const allow = (lasts: GrantLasts): void =>
      decide(row, { result: "allow", lasts, ...(refs === null ? {} : { scope: given() }) });
    const deny = button("Deny", "secondary", () => decide(row, { result: "deny" }));
    const shared = sharedRefs(given().git?.push_refs ?? []);
    const allows = shared.length > 0 ? carefulAllows(shared, allow) : plainAllows(allow);
    for (const each of allows) each.disabled = found?.isFatal === true;
    // Where a slip would hurt, the answer that is nearest to hand changes nothing.
    choices.replaceChildren(...(shared.length > 0 ? [deny, ...allows] : [...allows, deny]));
  };
  refs?.addEventListener("input", show);
  show();
  return h(
    "div",
    { class: "approval", role: "group", "aria-label": `Grant ${plainly(credential_name)}?`, "data-call": row.id },
    refs === null ? null : h("label", { class: "refs" }, "May push", refs),
    problem,
    choices,
    h(
      "p",
      { class: "grant-meaning" },
      ...lastsMeaning(scope).flatMap(([label, meaning]) => meaningOf(label, meaning)),
      "The hand never sees the credential: it is added on the way out.",
    ),
  );
}

function meaningOf(label: string, meaning: string): readonly (Node | string)[] {
  return [h("b", {}, label), `: ${meaning}. `];
}

type Allow = (lasts: GrantLasts) => void;

function plainAllows(allow: Allow): readonly HTMLButtonElement[] {
  return [
    button("Allow once", "primary", () => allow("once")),
    button("Allow for this session", "secondary", () => allow("session")),
    button("Always allow", "secondary", () => allow("always")),
  ];
}

/** What lasts is asked about a second time. */
function carefulAllows(shared: readonly string[], allow: Allow): readonly HTMLButtonElement[] {
  const where = plainly(shared.map(shortRef).join(", "));
  return [
    button(`Push to ${where} once`, "danger", () => allow("once")),
    twice("Allow for this session", `Really every push to ${where} in this session?`, () => allow("session")),
    twice("Always allow", `Really every push to ${where}, always?`, () => allow("always")),
  ];
}

function twice(label: string, again: string, onSecond: () => void): HTMLButtonElement {
  let isAsked = false;
  const asking = button(label, "danger", () => {
    if (isAsked) return onSecond();
    isAsked = true;
    asking.textContent = again;
  });
  asking.addEventListener("blur", () => {
    isAsked = false;
    asking.textContent = label;
  });
  return asking;
}

/** What may be pushed can be made wider or narrower before it is granted. */
function refsInput(refs: readonly string[]): HTMLInputElement {
  return h("input", {
    type: "text",
    value: refs.map((ref) => ref.replace(/^refs\/heads\//, "")).join(" "),
    spellcheck: "false",
    "aria-label": "Branches or refs that may be pushed, with * for anything",
    title: "Branches, or full names of refs, with * for anything: agent/* refs/tags/beta-*",
  });
}

function withRefs(scope: GrantScope, text: string): GrantScope {
  return scope.git === undefined ? scope : { ...scope, git: { ...scope.git, push_refs: refsOf(text) } };
}
