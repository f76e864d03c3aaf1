/** What a call gave, in words for the model. */
import { constants } from "node:os";
import type { CallOutcome } from "../../core/events.ts";
import type { Call, CallResult } from "../../core/hand.ts";
import { isObject } from "../../core/json.ts";
import type { Json } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import type { Redaction } from "../../core/redaction.ts";
import type { Fate } from "./callFollower.ts";
import { renderChange, renderGlob, renderGrep, renderRead } from "./fileCalls.ts";
import type { Rendered, ScriptResult } from "./fileCalls.ts";
import { OutputWindow } from "./outputText.ts";

export type Members = { readonly [key: string]: Json };

type Said = Pick<CallResult, "outcome" | "text" | "is_error">;

export function membersOf(input: Json): Members {
  return isObject(input) ? input : {};
}

export function timeoutOf(input: Json): number {
  const { timeout_ms } = membersOf(input);
  return typeof timeout_ms === "number" ? Math.min(timeout_ms, limits.bashTimeoutMsMax) : limits.bashTimeoutMs;
}

function renderFile(name: string, input: Members, result: ScriptResult): Rendered {
  switch (name) {
    case "read":
      return renderRead(input, result);
    case "glob":
      return renderGlob(input, result);
    case "grep":
      return renderGrep(input, result);
    default:
      return renderChange(input, result);
  }
}

function bounded({ text, is_error }: Rendered): Rendered {
  const bytes = Buffer.byteLength(text);
  if (bytes <= limits.modelOutputBytesMax) return { text, is_error };
  const window = new OutputWindow();
  window.add(Buffer.from(text));
  return { text: window.text(), is_error };
}

function outcomeOf(status: number): CallOutcome {
  const signal = Object.entries(constants.signals).find(([, number]) => number === status - 128)?.[0];
  return status > 128 && signal !== undefined
    ? { kind: "signalled", signal: signal.replace(/^SIG/, "") }
    : { kind: "exited", code: status };
}

function bashText(output: OutputWindow, outcome: CallOutcome): string {
  const text = output.bytes === 0 ? "(no output)" : output.text().replace(/\n$/, "");
  if (outcome.kind === "signalled") return `${text}\n[ended by signal ${outcome.signal}]`;
  return outcome.kind === "exited" && outcome.code !== 0 ? `${text}\n[exit status: ${outcome.code}]` : text;
}

function said(output: OutputWindow): string {
  return output.bytes === 0 ? "" : `${output.text().replace(/\n$/, "")}\n`;
}

export function notRun(text: string): CallResult {
  return { outcome: { kind: "not_run" }, text, is_error: true, output_bytes: 0, truncated: false };
}

export function unknown(text: string): CallResult {
  return { outcome: { kind: "unknown" }, text, is_error: true, output_bytes: 0, truncated: false };
}

/** A command in which something stands for a secret would do something else than it says. */
export function markerText(marker: string): string {
  return (
    `The command did not run: "${marker}" in it stands for something secret that was taken out, which cannot be used here. Where a ` +
    "credential is needed, use one that the developer has granted, by its name; to look for these very words, write them in two parts."
  );
}

/** A command that ended, that goes on, or whose end is not on record. */
export function commandResult(call: Call, fate: Fate, output: OutputWindow): Said {
  if (fate.kind === "ended") {
    const outcome = outcomeOf(fate.status);
    return { outcome, text: bashText(output, outcome), is_error: fate.status !== 0 };
  }
  if (fate.kind === "lost") {
    const text = `${said(output)}The command was started, but its exit status is not on record (the computer may have been restarted). It is unknown whether it ran to its end: look before you do it again.`;
    return { outcome: { kind: "unknown" }, text, is_error: true };
  }
  const text = `${said(output)}[still running after ${timeoutOf(call.input)} ms; follow it with bash_output, call_id ${call.id}]`;
  return { outcome: { kind: "running" }, text, is_error: false };
}

/** Redacted before it is cut. */
export function fileResult(call: Call, result: ScriptResult, redaction: Redaction): Said {
  const { text, is_error } = renderFile(call.name, membersOf(call.input), result);
  return { outcome: outcomeOf(result.status), ...bounded({ text: redaction.outputText(text).text, is_error }) };
}
