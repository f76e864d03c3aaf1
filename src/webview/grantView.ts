/** A request for a grant as a card: which credential, for what, for which hand, and the answers that a person can give. */
import { lastsText, scopeText } from "../core/grantText.ts";
import type { GrantDecision, GrantLasts, GrantScope } from "../core/vault.ts";
import { button, h } from "./dom.ts";
import type { GrantRow } from "./rows.ts";
import { plainly } from "./safeText.ts";

export interface GrantViewContext {
  readonly decide: (row: GrantRow, decision: GrantDecision) => void;
  /** Nobody has answered it yet. */
  readonly isPending: boolean;
  readonly canAnswer: boolean;
}

export function renderGrant(row: GrantRow, context: GrantViewContext): HTMLElement {
  const { credential_name, hand, method, path } = row.request;
  const status = context.isPending ? "waiting" : row.given !== null ? "done" : "denied";
  const scope = plainly(scopeText(row.given?.scope ?? row.request.scope));
  const article = h(
    "article",
    { class: `row call grant ${status}`, "aria-label": `Use of ${credential_name}: ${statusText(row, context)}` },
    h(
      "div",
      { class: "grant-head" },
      h(
        "span",
        { class: `mark ${status}`, "aria-hidden": "true" },
        context.isPending ? "?" : row.given !== null ? "✓" : "⊘",
      ),
      h("span", { class: "tool" }, context.isPending ? "May use" : "Use of"),
      h("span", { class: "credential" }, plainly(credential_name)),
      hand !== null && h("span", { class: "hand", title: "The hand that asks" }, hand),
      h("code", { class: "essential", title: scope }, `to ${scope}`),
      h("span", { class: `status ${status}` }, statusText(row, context)),
    ),
  );
  if (context.isPending) {
    article.append(
      h(
        "p",
        { class: "grant-what" },
        `Now: ${plainly(`${method} ${path}`)}. The hand never sees the credential itself: it is added on the way out.`,
      ),
      answers(row, context),
    );
  }
  return article;
}

function statusText({ decision, given }: GrantRow, { isPending }: GrantViewContext): string {
  if (isPending) return "waits for you";
  if (given !== null) return `granted ${lastsText(given.lasts)}`;
  return decision?.result === "deny" ? "denied" : "answered";
}

function answers(row: GrantRow, { decide, canAnswer }: GrantViewContext): HTMLElement {
  if (!canAnswer) {
    return h("div", { class: "approval" }, "This request waits for an answer in the window that runs the session.");
  }
  const { scope } = row.request;
  const refs = scope.git !== undefined && scope.git.push_refs.length > 0 ? refsInput(scope.git.push_refs) : null;
  const allow = (lasts: GrantLasts): void =>
    decide(row, { result: "allow", lasts, ...(refs === null ? {} : { scope: withRefs(scope, refs.value) }) });
  return h(
    "div",
    { class: "approval", role: "group", "aria-label": `Grant ${row.request.credential_name}?`, "data-call": row.id },
    refs === null ? null : h("label", { class: "refs" }, "May push", refs),
    h(
      "div",
      { class: "choices" },
      button("Allow once", "primary", () => allow("once")),
      button("Allow for this session", "secondary", () => allow("session"), `Until this session ends`),
      button("Always", "secondary", () => allow("always"), "In every session of this workspace, until it is revoked"),
      button("Deny", "secondary", () => decide(row, { result: "deny" })),
    ),
  );
}

/** What may be pushed can be made wider or narrower before it is granted. */
function refsInput(refs: readonly string[]): HTMLInputElement {
  return h("input", {
    type: "text",
    value: refs.join(" "),
    spellcheck: "false",
    "aria-label": "Refs that may be pushed, with * for anything",
    title: "Full names of refs, with * for anything: refs/heads/agent/*",
  });
}

function withRefs(scope: GrantScope, text: string): GrantScope {
  const push_refs = text.split(/[\s,]+/).filter((ref) => ref !== "");
  return scope.git === undefined ? scope : { ...scope, git: { ...scope.git, push_refs } };
}
