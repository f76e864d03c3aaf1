/** How a session reads in a list: label, description and icon, as a pure function. */
import type { SessionInfo } from "../core/service.ts";

export type SessionGroup = "waiting" | "running" | "recent" | "archived";

export interface SessionText {
  readonly label: string;
  readonly description: string;
  /** A codicon's name. */
  readonly icon: string;
  /** A theme colour for it, or null for the ordinary one. */
  readonly color: string | null;
  readonly group: SessionGroup;
  readonly status: string;
}

/** `now`: milliseconds since the epoch. */
export function describeSession(info: SessionInfo, now: number): SessionText {
  const { state } = info;
  const label = state.title === "" ? "New session" : state.title;
  const { icon, color, status } = look(info);
  const time = info.unreadable === null ? relativeTime(Date.parse(state.updated_at), now) : "";
  const description = [status, time].filter((part) => part !== "").join(" · ");
  return { label, description, icon, color, group: groupOf(info), status };
}

/** True when the session, or a request of one of its hands, can only go on with an answer of the person. */
export function isWaiting(info: SessionInfo): boolean {
  return questionsOf(info) > 0;
}

function questionsOf({ state }: SessionInfo): number {
  const { status, stop_reason, grants_asked } = state;
  const calls = status === "idle" && stop_reason?.type === "requires_action" ? stop_reason.event_ids.length : 0;
  // What nobody answered while it ran is still on the page, but nothing waits for it any more.
  return calls + (status === "running" ? grants_asked.length : 0);
}

export function isRunning(info: SessionInfo): boolean {
  return info.state.status === "running" || info.state.status === "rescheduling";
}

function groupOf(info: SessionInfo): SessionGroup {
  if (info.state.archived) return "archived";
  if (isWaiting(info)) return "waiting";
  return isRunning(info) ? "running" : "recent";
}

function look(info: SessionInfo): Pick<SessionText, "icon" | "color" | "status"> {
  const { state } = info;
  if (info.unreadable !== null) return { icon: "error", color: "errorForeground", status: "cannot be read" };
  if (info.paused !== null) return { icon: "debug-pause", color: "editorWarning.foreground", status: "paused" };
  if (state.archived) return { icon: "archive", color: null, status: "archived" };
  if (isWaiting(info)) {
    const count = questionsOf(info);
    const status = count === 1 ? "1 question waits for you" : `${count} questions wait for you`;
    return { icon: "bell-dot", color: "editorWarning.foreground", status };
  }
  const elsewhere = info.writer.kind === "other" ? " in another window" : "";
  if (state.status === "running") return { icon: "loading~spin", color: null, status: `working${elsewhere}` };
  if (state.status === "rescheduling") return { icon: "history", color: null, status: `trying again${elsewhere}` };
  if (state.status === "terminated") return { icon: "circle-slash", color: null, status: "ended" };
  switch (state.stop_reason?.type) {
    case "retries_exhausted":
      return { icon: "warning", color: "errorForeground", status: "stopped by an error" };
    case "budget_reached":
      return { icon: "warning", color: "editorWarning.foreground", status: "stopped at its limit" };
    case "refusal":
      return { icon: "circle-slash", color: null, status: "declined" };
    default:
      return state.last_turn === null
        ? { icon: "comment", color: null, status: "new" }
        : { icon: "check", color: null, status: "" };
  }
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function relativeTime(then: number, now: number): string {
  if (Number.isNaN(then)) return "";
  const passed = Math.max(0, now - then);
  if (passed < MINUTE) return "now";
  if (passed < HOUR) return `${Math.floor(passed / MINUTE)} min`;
  if (passed < DAY) return `${Math.floor(passed / HOUR)} h`;
  if (passed < 30 * DAY) return `${Math.floor(passed / DAY)} d`;
  return new Date(then).toISOString().slice(0, 10);
}
