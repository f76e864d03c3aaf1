/** What stands above the conversation: title, status in words, model, and banners with what can be done about a trouble. */
import type { FromPage } from "../core/pageProtocol.ts";
import type { SessionInfo } from "../core/service.ts";
import { button, h } from "./dom.ts";
import { contextText } from "./rows.ts";

export interface HeaderState {
  readonly info: SessionInfo;
  readonly rehearsal: boolean;
  readonly model: string;
  readonly trusted: boolean;
  readonly paused: string | null;
}

/** The session's status in words. */
export function statusText({ info, paused }: Pick<HeaderState, "info" | "paused">): string {
  const { state } = info;
  if (info.unreadable !== null) return "cannot be read";
  if (paused !== null) return "paused";
  if (state.status === "running") return state.grants_asked.length > 0 ? "waits for you" : "working";
  if (state.status === "rescheduling") return "waiting to try again";
  if (state.status === "terminated") return "ended";
  switch (state.stop_reason?.type) {
    case "requires_action":
      return "waits for you";
    case "retries_exhausted":
      return "stopped by an error";
    case "budget_reached":
      return "stopped at its limit";
    case "refusal":
      return "declined by the model";
    default:
      return state.last_turn === null ? "ready" : "done";
  }
}

export function renderHeader(state: HeaderState, post: (message: FromPage) => void): HTMLElement {
  const { info } = state;
  const title = info.state.title === "" ? "New session" : info.state.title;
  const use = contextText(info.state.usage, info.state.context_tokens);
  return h(
    "header",
    {},
    h(
      "div",
      { class: "title-line" },
      h("h1", { title }, title),
      button("Rename", "link", () => post({ type: "rename" })),
      state.rehearsal &&
        h("span", { class: "badge", title: "No model is asked: a fixed part is played on real files" }, "Rehearsal"),
    ),
    h(
      "div",
      { class: "status-line" },
      h("span", { class: `state ${info.state.status}` }, statusText(state)),
      h("span", { class: "model" }, state.model),
      use !== "" && h("span", { class: "use", title: "Tokens of this session" }, use),
    ),
    ...banners(state, post),
  );
}

function banners(state: HeaderState, post: (message: FromPage) => void): readonly HTMLElement[] {
  const { info } = state;
  const made: HTMLElement[] = [];
  if (!state.trusted) {
    const text = "This workspace is not trusted: sessions can be read, nothing is executed.";
    made.push(
      banner(
        "warning",
        text,
        button("Manage trust", "secondary", () => post({ type: "manage_trust" })),
      ),
    );
  } else if (info.read_only !== null) made.push(banner("warning", info.read_only));
  if (info.writer.kind === "other") {
    const text = `Another window runs this session (${info.writer.holder.owner}). Here you can read along.`;
    made.push(
      banner(
        "info",
        text,
        button("Take over", "secondary", () => post({ type: "take_over" })),
      ),
    );
  }
  if (state.paused !== null) made.push(banner("warning", state.paused));
  if (info.unreadable !== null) made.push(banner("error", info.unreadable));
  if (info.damage.length > 0) made.push(damageBanner(info));
  return made;
}

function damageBanner(info: SessionInfo): HTMLElement {
  const places = info.damage
    .slice(0, 5)
    .map(({ offset, bytes, reason }) => `byte ${offset}: ${bytes} bytes, ${reason}`);
  const count = info.damage.length === 1 ? "one place" : `${info.damage.length} places`;
  const list = h("ul", {}, ...places.map((place) => h("li", {}, place)));
  const details = h("details", {}, h("summary", {}, "Where"), list);
  return banner(
    "warning",
    `This session's log is damaged at ${count}. Every event that can be read is shown; the damaged bytes are kept.`,
    details,
  );
}

function banner(level: "info" | "warning" | "error", text: string, ...more: readonly HTMLElement[]): HTMLElement {
  return h("div", { class: `banner ${level}`, role: "status" }, h("span", {}, text), ...more);
}
