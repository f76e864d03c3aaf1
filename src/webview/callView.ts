/** One call as a card: what it is about, what it printed, how it ended, and the answer it waits for. */
import { diffLines } from "diff";
import type { FromPage } from "../core/pageProtocol.ts";
import type { Json } from "../core/json.ts";
import { limits } from "../core/limits.ts";
import { toolTitle } from "../core/toolTitle.ts";
import { button, bytesText, durationText, h } from "./dom.ts";
import type { EventImages } from "./eventImages.ts";
import { callStatus, essentialInput } from "./rows.ts";
import type { CallRow } from "./rows.ts";
import { plainly, terminalText } from "./safeText.ts";

export interface CallViewContext {
  readonly post: (message: FromPage) => void;
  readonly answer: (row: CallRow, result: "allow" | "deny", options: { forSession?: boolean; why?: string }) => void;
  /** The call has no result yet and the session knows of it. */
  readonly isPending: boolean;
  /** Its hand waits for a grant that nobody has decided on. */
  readonly isGrantAsked: boolean;
  readonly canAnswer: boolean;
  readonly showHand: boolean;
  /** Live output so far. */
  readonly output: string;
  readonly images: EventImages;
  readonly isOpen: boolean;
  readonly onToggle: (open: boolean) => void;
}

const DIFF_LINES_MAX = 60;
const SYMBOLS = {
  writing: "…",
  waiting: "?",
  queued: "·",
  running: "▸",
  done: "✓",
  failed: "✗",
  background: "↻",
  denied: "⊘",
  stopped: "■",
  unknown: "!",
} as const;

export function renderCall(row: CallRow, context: CallViewContext): HTMLElement {
  const { status, text } = callStatus(row, context);
  const essential = plainly(essentialInput(row.input));
  const { name, source } = toolTitle(row.name, row.hand);
  const hand = source ?? (context.showHand ? row.hand : null);
  const took = row.result?.duration_ms;
  const details = h(
    "details",
    { class: "call-body", open: context.isOpen },
    h(
      "summary",
      // Not the toggle event: that one also comes when the card is drawn open.
      { onclick: () => context.onToggle(!details.open) },
      h("span", { class: `mark ${status}`, "aria-hidden": "true" }, SYMBOLS[status]),
      h("span", { class: "tool", title: row.name }, name),
      hand !== null && h("span", { class: "hand", title: "The hand of this call" }, hand),
      h("code", { class: "essential", title: essential }, firstLine(essential)),
      h(
        "span",
        { class: `status ${status}` },
        text,
        status === "running" && h("span", { class: "ticking", "data-since": row.startedAt ?? "" }),
        took !== undefined && ` · ${durationText(took)}`,
      ),
    ),
    h("div", { class: "call-details" }, ...bodyOf(row, context)),
  );
  const article = h("article", { class: `row call ${status}`, "aria-label": `${titleText(row)}: ${text}` }, details);
  if (status === "waiting") article.append(approval(row, context));
  return article;
}

function bodyOf(row: CallRow, context: CallViewContext): readonly (HTMLElement | null)[] {
  return [inputView(row.input), outputView(row, context), imagesView(row, context), actions(row, context)];
}

function inputView(input: Json): HTMLElement {
  if (isEdit(input)) return editView(input.file_path, input.old_string, input.new_string);
  if (isWrite(input)) return editView(input.file_path, "", input.content);
  const command = commandOf(input);
  const text = command ?? JSON.stringify(input, null, 2);
  return h("pre", { class: "input", tabindex: "0", "aria-label": "Input" }, plainly(text));
}

function editView(path: string, before: string, after: string): HTMLElement {
  const lines = h("div", { class: "diff", tabindex: "0", role: "group", "aria-label": `Change of ${path}` });
  let count = 0;
  for (const part of diffLines(before, after)) {
    const sign = part.added ? "+" : part.removed ? "-" : " ";
    for (const line of part.value.replace(/\n$/, "").split("\n")) {
      count += 1;
      if (count > DIFF_LINES_MAX) continue;
      const kind = part.added ? "added" : part.removed ? "removed" : "same";
      lines.append(h("div", { class: `line ${kind}` }, h("span", { class: "sign" }, sign), plainly(line)));
    }
  }
  if (count > DIFF_LINES_MAX) lines.append(h("div", { class: "line more" }, `… ${count - DIFF_LINES_MAX} more lines`));
  return h("div", {}, h("div", { class: "path" }, plainly(path)), lines);
}

function outputView(row: CallRow, context: CallViewContext): HTMLElement | null {
  const result = row.result;
  if (result === null && context.output === "") return null;
  const text =
    result === null
      ? context.output.slice(-limits.pageOutputCharsMax)
      : result.content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n");
  if (text === "" && row.images.images.length > 0) return null;
  const className = result?.is_error === true ? "output error" : "output";
  const output = h("pre", { class: className, tabindex: "0", "aria-label": "Output" }, terminalText(text));
  if (result === null) queueMicrotask(() => (output.scrollTop = output.scrollHeight));
  return output;
}

function imagesView(row: CallRow, { images }: CallViewContext): HTMLElement | null {
  const views = images.views(row.images);
  return views.length === 0 ? null : h("div", { class: "images" }, ...views);
}

function actions(row: CallRow, { post }: CallViewContext): HTMLElement | null {
  const made: HTMLElement[] = [];
  if (isEdit(row.input) || isWrite(row.input)) {
    made.push(button("Open diff", "link", () => post({ type: "open_diff", tool_use_id: row.id })));
  }
  if (row.result?.output_ref !== undefined || row.result?.payload_ref !== undefined) {
    const bytes = row.result.output_bytes;
    const size = bytes === undefined ? "" : ` (${bytesText(bytes)})`;
    made.push(button(`Open whole output${size}`, "link", () => post({ type: "open_output", tool_use_id: row.id })));
  }
  if (row.result?.outcome.kind === "not_run" && row.confirmation?.deny_message !== undefined) {
    made.push(h("span", { class: "said" }, `You said: ${row.confirmation.deny_message}`));
  }
  return made.length === 0 ? null : h("div", { class: "actions" }, ...made);
}

function approval(row: CallRow, { answer, canAnswer }: CallViewContext): HTMLElement {
  if (!canAnswer) {
    return h("div", { class: "approval" }, "This call waits for an answer in the window that runs the session.");
  }
  const why = h("input", { type: "text", placeholder: "Why not? (optional)", "aria-label": "Why this call is denied" });
  const send = (): void => answer(row, "deny", { why: why.value });
  why.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) send();
  });
  const reason = h("div", { class: "reason", hidden: true }, why, button("Deny", "danger", send));
  const choices = h(
    "div",
    { class: "choices" },
    button("Allow", "primary", () => answer(row, "allow", {})),
    button(
      "Allow for this session",
      "secondary",
      () => answer(row, "allow", { forSession: true }),
      `Do not ask again for ${titleText(row)} in this session`,
    ),
    button("Deny…", "secondary", () => {
      reason.hidden = false;
      why.focus();
    }),
  );
  return h(
    "div",
    { class: "approval", role: "group", "aria-label": `Allow ${titleText(row)}?`, "data-call": row.id },
    choices,
    reason,
  );
}

function titleText(row: CallRow): string {
  const { name, source } = toolTitle(row.name, row.hand);
  return source === null ? name : `${name} of ${source}`;
}

function firstLine(text: string): string {
  const [line, ...more] = text.trim().split("\n");
  return more.length === 0 ? (line ?? "") : `${line} …`;
}

type Members = { readonly [key: string]: Json };

function membersOf(input: Json): Members {
  return typeof input === "object" && input !== null && !Array.isArray(input) ? (input as Members) : {};
}

function commandOf(input: Json): string | null {
  const { command } = membersOf(input);
  return typeof command === "string" ? command : null;
}

function isEdit(input: Json): input is { file_path: string; old_string: string; new_string: string } {
  const { file_path, old_string, new_string } = membersOf(input);
  return [file_path, old_string, new_string].every((member) => typeof member === "string");
}

function isWrite(input: Json): input is { file_path: string; content: string } {
  const { file_path, content } = membersOf(input);
  return typeof file_path === "string" && typeof content === "string";
}
