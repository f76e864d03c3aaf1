/** Draws the rows, each again only when it has changed; the browser paints only those in view (content-visibility). */
import type { FromPage } from "../core/pageProtocol.ts";
import type { EventId } from "../core/ids.ts";
import { assertNever } from "../core/json.ts";
import type { SessionState } from "../core/sessionState.ts";
import { renderCall } from "./callView.ts";
import type { CallViewContext } from "./callView.ts";
import { button, h, replaceChildren } from "./dom.ts";
import { renderMarkdown } from "./markdown.ts";
import { renderGrant } from "./grantView.ts";
import type { GrantViewContext } from "./grantView.ts";
import type { EventImages } from "./eventImages.ts";
import type { CallRow, GrantRow, NoteRow, Row, ThinkingRow, UserRow } from "./rows.ts";

export interface ConversationContext {
  readonly post: (message: FromPage) => void;
  readonly answer: CallViewContext["answer"];
  readonly decide: GrantViewContext["decide"];
  readonly state: SessionState;
  readonly canAnswer: boolean;
  readonly outputOf: (id: EventId) => string;
  readonly images: EventImages;
}

interface Drawn {
  readonly mark: string;
  readonly element: HTMLElement;
}

export class Conversation {
  readonly element = h("div", { class: "rows" });
  #drawn = new Map<string, Drawn>();
  /** What the person opened or folded, by row. */
  readonly #toggled = new Map<string, boolean>();

  draw(rows: readonly Row[], context: ConversationContext): void {
    const drawn = new Map<string, Drawn>();
    for (const row of rows) {
      const mark = this.#markOf(row, context);
      const known = this.#drawn.get(row.key);
      if (known?.mark === mark) drawn.set(row.key, known);
      else drawn.set(row.key, { mark, element: inPlaceOf(known?.element, this.#render(row, context)) });
    }
    this.#drawn = drawn;
    replaceChildren(
      this.element,
      [...drawn.values()].map(({ element }) => element),
    );
    // A feed must have articles: an empty one is none yet.
    if (drawn.size > 0) this.element.setAttribute("role", "feed");
  }

  /** All that the look of a row depends on. */
  #markOf(row: Row, context: ConversationContext): string {
    switch (row.kind) {
      case "user":
        return `u${isQueued(row, context.state)}`;
      case "agent":
      case "thinking":
        return `${row.isLive}${row.text.length}`;
      case "note":
        return row.text;
      case "grant":
        return [isAsked(row, context.state), context.canAnswer, row.decision?.seq, row.given?.seq, row.isRevoked].join(
          "|",
        );
      case "call": {
        const output = row.result === null ? context.outputOf(row.id) : "";
        const facts = [isPending(row, context.state), context.canAnswer, context.state.hands.length, output.length];
        const log = [row.isLive, row.confirmation?.seq, row.startedAt, row.result?.seq, row.hasChange];
        const input = row.isLive ? JSON.stringify(row.input).length : "";
        return [...facts, ...log, isGrantAsked(row, context.state), input, output.slice(-32)].join("|");
      }
      default:
        return assertNever(row);
    }
  }

  #render(row: Row, context: ConversationContext): HTMLElement {
    switch (row.kind) {
      case "user":
        return userView(row, isQueued(row, context.state), context.images.views(row.images));
      case "agent": {
        const markdown = renderMarkdown(row.text, {
          openLink: (href) => context.post({ type: "open_link", href }),
          copy: (text) => context.post({ type: "copy", text }),
        });
        return h("article", { class: `row agent${row.isLive ? " live" : ""}`, "aria-label": "Agent" }, markdown);
      }
      case "thinking":
        return this.#thinkingView(row);
      case "note":
        return this.#noteView(row, context.post);
      case "grant": {
        const { decide, canAnswer } = context;
        return renderGrant(row, { decide, canAnswer, isPending: isAsked(row, context.state) });
      }
      case "call":
        return this.#callView(row, context);
      default:
        return assertNever(row);
    }
  }

  #callView(row: CallRow, context: ConversationContext): HTMLElement {
    const pending = isPending(row, context.state);
    const running = row.startedAt !== null && row.result === null;
    const waiting = pending && row.asked && row.confirmation === null;
    return renderCall(row, {
      post: context.post,
      answer: context.answer,
      isPending: pending,
      isGrantAsked: isGrantAsked(row, context.state),
      canAnswer: context.canAnswer,
      showHand: context.state.hands.length > 1,
      output: context.outputOf(row.id),
      images: context.images,
      isOpen: this.#toggled.get(row.key) ?? (running || waiting || row.hasChange || row.result?.is_error === true),
      onToggle: (open) => this.#toggled.set(row.key, open),
    });
  }

  #thinkingView(row: ThinkingRow): HTMLElement {
    const label = row.isLive ? "Thinking…" : row.text === "" ? "Thought (not shown)" : "Thought";
    if (row.text === "") return h("article", { class: "row thinking" }, h("span", { class: "label" }, label));
    const glimpse = h("span", { class: "glimpse" }, row.text.slice(-120).replaceAll("\n", " "));
    const details = this.#foldable(row.key, [label, glimpse], h("div", { class: "thought" }, row.text));
    return h("article", { class: "row thinking", "aria-label": label }, details);
  }

  #noteView(row: NoteRow, post: (message: FromPage) => void): HTMLElement {
    const actions: HTMLElement[] = [];
    if (row.action === "set_key") actions.push(button("Set API key", "primary", () => post({ type: "set_api_key" })));
    if (row.action === "settings") {
      const open: FromPage = { type: "open_settings", query: "manyHands.model" };
      actions.push(button("Open settings", "secondary", () => post(open)));
    }
    if (row.action !== null) actions.push(button("Try again", "secondary", () => post({ type: "wake" })));
    const text =
      row.details === ""
        ? h("span", { role: row.level === "error" ? "alert" : "note" }, row.text)
        : this.#foldable(row.key, [row.text], h("div", { class: "more" }, row.details));
    return h("article", { class: `row note ${row.level}` }, text, ...actions);
  }

  /** Closed until the person opens it, and then as they left it. */
  #foldable(key: string, summary: readonly (string | HTMLElement)[], body: HTMLElement): HTMLElement {
    const onclick = (): void => void this.#toggled.set(key, !details.open);
    const open = this.#toggled.get(key) ?? false;
    const details = h("details", { open }, h("summary", { onclick }, ...summary), body);
    return details;
  }
}

/**
 * Until the browser has looked whether a row is in view, it takes it for as high as its style says: for one that is drawn
 * again that is what it was before. Else everything below would jump, and the view with it.
 */
function inPlaceOf(before: HTMLElement | undefined, row: HTMLElement): HTMLElement {
  const height = before?.isConnected === true ? before.offsetHeight : 0;
  if (height > 0) row.style.containIntrinsicHeight = `auto ${height}px`;
  return row;
}

function isPending(row: CallRow, state: SessionState): boolean {
  return state.unanswered.some((use) => use.id === row.id);
}

function isGrantAsked(row: CallRow, state: SessionState): boolean {
  return row.grantsAsked.some((asked) => state.grants_asked.some(({ id }) => id === asked));
}

function isAsked(row: GrantRow, state: SessionState): boolean {
  return row.decision === null && state.grants_asked.some(({ id }) => id === row.id);
}

function isQueued(row: UserRow, state: SessionState): boolean {
  const isWorking = state.status !== "idle";
  return (
    isWorking && state.queued.some((input) => input.id === row.key) && row.seq > (state.open_request?.start_seq ?? 0)
  );
}

function userView(row: UserRow, queued: boolean, images: readonly HTMLElement[]): HTMLElement {
  return h(
    "article",
    { class: `row user${queued ? " queued" : ""}`, "aria-label": queued ? "You, queued" : "You" },
    h("div", { class: "said" }, row.text),
    ...images,
    queued && h("div", { class: "hint" }, "Queued: the agent reads it with its next step"),
  );
}
