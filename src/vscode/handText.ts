/** How a hand reads in a list: label, description and icon, as a pure function. */
import type { HandSpec } from "../core/config.ts";
import type { HandFailure, HandInfo, HandState, HandStatus } from "../core/handInfo.ts";

export interface HandText {
  readonly label: string;
  readonly description: string;
  /** A codicon's name. */
  readonly icon: string;
  /** A theme colour for it, or null for the ordinary one. */
  readonly color: string | null;
  /** In words; empty where there is nothing to say. */
  readonly status: string;
  /** The newest one that still matters, or null. */
  readonly failure: HandFailure | null;
  /** Whether there is a far end that could be restarted. */
  readonly isLiving: boolean;
}

type Look = Pick<HandText, "icon" | "color" | "status">;

const LOOKS: Readonly<Record<HandState, Look>> = {
  not_provisioned: { icon: "circle-outline", color: null, status: "" },
  provisioning: { icon: "loading~spin", color: null, status: "provisioning" },
  ready: { icon: "pass-filled", color: "testing.iconPassed", status: "ready" },
  reconnecting: { icon: "sync~spin", color: "editorWarning.foreground", status: "reconnecting" },
  lost: { icon: "error", color: "errorForeground", status: "lost" },
};

const FAILED: Look = { icon: "error", color: "errorForeground", status: "failed" };
const UNPROVIDED: Look = { icon: "question", color: "editorWarning.foreground", status: "nobody provides this kind" };

/** The most telling state first: what a person should look at. */
const TELLING: readonly (HandState | "failed")[] = [
  "lost",
  "failed",
  "reconnecting",
  "provisioning",
  "ready",
  "not_provisioned",
];

/** A spec, with all far ends that were made of it. */
export function describeHand(info: HandInfo): HandText {
  const statuses: readonly HandStatus[] = info.spare === null ? info.uses : [...info.uses, info.spare];
  const telling = TELLING.find((state) => statuses.some((status) => tellingState(status) === state));
  const shown = statuses.find((status) => tellingState(status) === telling);
  const failures = [currentFailure(shown), currentTestFailure(info, shown)].filter((failure) => failure !== null);
  const failure = failures.toSorted((a, b) => b.at_ms - a.at_ms)[0] ?? null;
  const look = lookOf(info, shown, failure);
  const latency = latencyOf(shown?.latency_ms ?? (shown?.state === "ready" ? null : (info.test?.latency_ms ?? null)));
  const sessions = info.uses.length === 0 ? "" : info.uses.length === 1 ? "1 session" : `${info.uses.length} sessions`;
  return {
    label: info.spec.name,
    description: joined(info.spec.kind, look.status, latency, sessions),
    ...look,
    failure,
    isLiving: statuses.some(isLiving),
  };
}

/** One far end: that of a session. */
export function describeUse(status: HandStatus, title: string): HandText {
  const failure = currentFailure(status);
  const look = failure !== null && status.state === "not_provisioned" ? FAILED : LOOKS[status.state];
  const words = status.state === "not_provisioned" && failure === null ? "not provisioned yet" : look.status;
  return {
    label: title === "" ? "New session" : title,
    description: joined(words, status.progress ?? "", latencyOf(status.latency_ms)),
    ...look,
    failure,
    isLiving: isLiving(status),
  };
}

/** In one line, for a tooltip. */
export function specLine({ kind, options = {}, prewarm, resources = [] }: HandSpec): string {
  const members = Object.entries(options).map(([name, value]) => `${name}: ${plain(value)}`);
  const more = [
    prewarm === true ? "provisioned when a session begins" : "",
    resources.length > 0 ? `${resources.length} resources` : "",
  ];
  return joined(kind, ...members, ...more);
}

export function failureLine({ message, origin, at_ms }: HandFailure): string {
  return `${new Date(at_ms).toLocaleTimeString()}, ${origin}: ${message}`;
}

export function latencyOf(ms: number | null): string {
  if (ms === null) return "";
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

function lookOf(info: HandInfo, shown: HandStatus | undefined, failure: HandFailure | null): Look {
  if (!info.provided) return UNPROVIDED;
  const state = shown?.state ?? "not_provisioned";
  if (state === "not_provisioned" && failure !== null) return FAILED;
  const isTested = state === "not_provisioned" && info.test !== null;
  return isTested ? { ...LOOKS.not_provisioned, icon: "pass", status: "answers" } : LOOKS[state];
}

function tellingState(status: HandStatus): HandState | "failed" {
  return status.state === "not_provisioned" && status.failure !== null ? "failed" : status.state;
}

/** A failure of the past is not of interest once the hand is there again. */
function currentFailure(status: HandStatus | undefined): HandFailure | null {
  return status === undefined || status.state === "ready" || status.state === "provisioning" ? null : status.failure;
}

function currentTestFailure({ test }: HandInfo, shown: HandStatus | undefined): HandFailure | null {
  return shown?.state === "ready" ? null : (test?.failure ?? null);
}

function isLiving({ state }: HandStatus): boolean {
  return state === "ready" || state === "reconnecting";
}

function plain(value: unknown): string {
  if (Array.isArray(value)) return value.map(plain).join(" ");
  return typeof value === "string" ? value : JSON.stringify(value);
}

function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(" · ");
}
