/** The hand on this computer: calls go through the supervisor's journal, and what became of one is asked of it (I6). */
import { open, readFile, readdir, realpath, rm, stat, writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { isAbsolute, join } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { ManyHandsError } from "../../core/errors.ts";
import type { CallOutcome } from "../../core/events.ts";
import type { Attached, Call, CallContext, CallResult, Hand } from "../../core/hand.ts";
import type { EventId } from "../../core/ids.ts";
import { parseEventId } from "../../core/ids.ts";
import type { Json } from "../../core/json.ts";
import { isObject } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import {
  changeScript,
  globScript,
  grepScript,
  planChange,
  readScript,
  renderChange,
  renderGlob,
  renderGrep,
  renderRead,
} from "./fileCalls.ts";
import type { Rendered, ScriptResult } from "./fileCalls.ts";
import { OutputWindow } from "./outputText.ts";
import type { Supervisor } from "./supervisor.ts";
import { StreamLost } from "./supervisor.ts";

type Members = { readonly [key: string]: Json };

export interface LocalHandPorts {
  readonly supervisor: Supervisor;
  readonly clock: Clock;
  readonly instance: string;
  readonly description: string;
  readonly journal: string;
  readonly startDirectory: string;
}

/** Between two looks at a running call's output, in milliseconds: short at first, longer for what takes long. */
const LOOK_MS_MIN = 25;
const LOOK_MS_MAX = 300;
/** How often a call without a sign of life is looked at again before its fate is called unknown. */
const LOOKS_MAX = 20;
const READ_BYTES = 256 * 1024;

type Fate =
  | { readonly kind: "ended"; readonly status: number }
  | { readonly kind: "running" | "lost" | "gone" | "none" | "void" };

export class LocalHand implements Hand {
  readonly instance: string;
  readonly description: string;
  readonly #ports: LocalHandPorts;
  readonly #closing = new AbortController();
  /** Woken when the supervisor says that a call has ended. */
  readonly #waiting = new Map<string, () => void>();

  constructor(ports: LocalHandPorts) {
    this.#ports = ports;
    this.instance = ports.instance;
    this.description = ports.description;
    ports.supervisor.onDidEnd((id) => this.#waiting.get(id)?.());
  }

  readonly onDidLose: Hand["onDidLose"] = (listener) =>
    this.#ports.supervisor.onDidLose((reason) => {
      if (!this.#closing.signal.aborted) listener(reason);
    });

  async execute(call: Call, context: CallContext): Promise<CallResult> {
    return this.#guarded(async () => {
      const input = membersOf(call.input);
      if (call.name === "bash_output") return this.#follow(input);
      if (call.name === "write" || call.name === "edit") {
        // Its script is made from the file as it is now: for a call that ran before, that would be the file after it.
        const fate = await this.#look(call.id);
        if (fate.kind !== "none") return this.#resultOf(call, fate, context);
      }
      const script = await this.#scriptFor(call, input, context);
      if (typeof script !== "string") return script;
      const answer = await this.#request("run", call.id, call.name === "bash" ? "b" : "s", script);
      if (answer.startsWith("fail")) {
        return notRun(`The hand's journal cannot be written: ${answer.slice(5)}. The call did not run.`);
      }
      const fate: Fate =
        answer === "ok" ? { kind: "running" } : answer === "gone" ? { kind: "gone" } : await this.#look(call.id);
      return this.#resultOf(call, fate, context);
    });
  }

  async attach(call: Call, context: CallContext): Promise<Attached> {
    return this.#guarded(async () => {
      if (call.name === "bash_output") return { kind: "never_started" };
      const fate = await this.#look(call.id);
      if (fate.kind === "none") return { kind: "never_started" };
      return { kind: "result", result: await this.#resultOf(call, fate, context) };
    });
  }

  async signal(id: EventId, signal: "INT" | "TERM" | "KILL"): Promise<void> {
    await this.#guarded(() => this.#request("signal", id, signal));
  }

  async acknowledge(ids: readonly EventId[]): Promise<void> {
    await this.#guarded(() => this.#request("ack", ...ids));
  }

  async close(): Promise<void> {
    this.#closing.abort(new ManyHandsError("hand_detached", "hand", "the hand was let go of; its commands live on"));
    this.#ports.supervisor.close();
  }

  async destroy(): Promise<void> {
    const names = await readdir(this.#ports.journal).catch(() => []);
    const ids = names.filter((name) => name.endsWith(".g")).map((name) => name.slice(0, -2));
    for (const signal of ["TERM", "KILL"] as const) {
      await Promise.allSettled(ids.map((id) => this.#request("signal", id, signal)));
      if (signal === "TERM" && ids.length > 0) await this.#ports.clock.sleep(200);
    }
    await this.close();
    await rm(this.#ports.journal, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  async #request(name: string, ...words: readonly string[]): Promise<string> {
    return this.#ports.supervisor.request(name, ...words);
  }

  /** A lost stream is the hand's end for now: the next one, over the same journal, knows what became of the calls. */
  async #guarded<T>(act: () => Promise<T>): Promise<T> {
    try {
      this.#closing.signal.throwIfAborted();
      return await act();
    } catch (thrown) {
      this.#closing.signal.throwIfAborted();
      if (!(thrown instanceof StreamLost)) throw thrown;
      throw new ManyHandsError("hand_unavailable", "hand", `The hand's shell was lost: ${thrown.message}.`, thrown);
    }
  }

  /** What the journal knows. A call that shows no life is looked at again: its waiter may be about to write. */
  async #look(id: string): Promise<Fate> {
    for (let looks = 0; ; looks += 1) {
      const [kind = "", status = ""] = (await this.#request("look", id)).split(" ");
      if (kind === "ended") return { kind, status: Number(status) };
      if (kind === "running" || kind === "none" || kind === "gone" || kind === "void") return { kind };
      if (looks >= LOOKS_MAX) return kind === "claimed" ? this.#void(id) : { kind: "lost" };
      await this.#ports.clock.sleep(50, this.#closing.signal);
    }
  }

  async #void(id: string): Promise<Fate> {
    return (await this.#request("void", id)) === "ok" ? { kind: "void" } : { kind: "lost" };
  }

  async #scriptFor(call: Call, input: Members, context: CallContext): Promise<string | CallResult> {
    switch (call.name) {
      case "bash":
        return this.#bashScript(input);
      case "read":
        return readScript(input);
      case "glob":
        return globScript(input);
      case "grep":
        return grepScript(input);
      case "write":
      case "edit":
        return this.#changeScript(call, input, context);
      default:
        return notRun(`This hand has no tool "${call.name}".`);
    }
  }

  async #bashScript(input: Members): Promise<string | CallResult> {
    const { command, restart } = input;
    if (restart === true) await this.#request("keep", "-");
    if (typeof command === "string" && command.trim() !== "") {
      return command.includes("\0") ? notRun("A command cannot hold a NUL character.") : command;
    }
    if (restart === true) return "echo 'The shell begins anew, in the start directory.'";
    return notRun("Give a command, or restart: true.");
  }

  async #changeScript(call: Call, input: Members, context: CallContext): Promise<string | CallResult> {
    const { journal, startDirectory } = this.#ports;
    const given = typeof input["file_path"] === "string" ? input["file_path"] : "";
    const path = await resolved(isAbsolute(given) ? given : join(startDirectory, given));
    const info = await stat(path).catch(() => null);
    if (info?.isDirectory() === true) return notRun(`${given} is a directory.`);
    if ((info?.size ?? 0) > limits.fileBytesMax) {
      return notRun(`${given} has ${info?.size} bytes: too many to change here.`);
    }
    const before = info === null ? null : await readFile(path);
    const planned = planChange(call.name, input, path, before);
    if (!planned.ok) return notRun(planned.text);
    await context.willChange(planned.change);
    try {
      await writeFile(join(journal, `${call.id}.n`), planned.change.after, { mode: 0o600 });
      if (before !== null) await writeFile(join(journal, `${call.id}.p`), before, { mode: 0o600 });
    } catch (thrown) {
      return notRun(`The new content could not be staged (${String(thrown)}); nothing was changed.`);
    }
    return changeScript(call.id, journal, planned.change, planned.message);
  }

  async #resultOf(call: Call, first: Fate, context: CallContext): Promise<CallResult> {
    if (first.kind === "gone") {
      return unknown("The hand has forgotten what this call printed; it ran before, and was not run again.");
    }
    if (first.kind === "void") return notRun("The call was about to start when its supervisor ended; it did not run.");
    const output = new OutputWindow();
    const wait = call.name === "bash" ? timeoutOf(call.input) : limits.bashTimeoutMsMax;
    const began = await this.#beganAt(call.id);
    const fate = await this.#until(call.id, first, began + wait, async (chunk) => {
      output.add(chunk);
      await context.onOutput(chunk);
    });
    const duration_ms = await this.#duration(call.id, began, fate);
    return {
      ...(await this.#render(call, fate, output)),
      output_bytes: output.bytes,
      truncated: output.isTruncated,
      duration_ms,
    };
  }

  async #render(
    call: Call,
    fate: Fate,
    output: OutputWindow,
  ): Promise<Pick<CallResult, "outcome" | "text" | "is_error">> {
    if (fate.kind === "lost") {
      const text = `${said(output)}The command was started, but its exit status is not on record (the computer may have been restarted). It is unknown whether it ran to its end: look before you do it again.`;
      return { outcome: { kind: "unknown" }, text, is_error: true };
    }
    if (fate.kind !== "ended") {
      const text = `${said(output)}[still running after ${timeoutOf(call.input)} ms; follow it with bash_output, call_id ${call.id}]`;
      return { outcome: { kind: "running" }, text, is_error: false };
    }
    const outcome = outcomeOf(fate.status);
    if (call.name !== "bash") {
      const result: ScriptResult = {
        status: fate.status,
        output: await this.#whole(call.id, output),
        isTruncated: output.isTruncated,
      };
      return { outcome, ...bounded(renderFile(call.name, membersOf(call.input), result)) };
    }
    // Ended by a signal, it had no chance to leave its environment and directory.
    // Nobody waits for it: the stream keeps the order of this and the next call.
    if (outcome.kind === "exited") this.#request("keep", call.id).catch(() => {});
    return { outcome, text: bashText(output, outcome), is_error: fate.status !== 0 };
  }

  /** Output of a file tool: it is rendered here, so more than the model's share of it is needed. */
  async #whole(id: string, output: OutputWindow): Promise<Buffer> {
    if (!output.isTruncated) return output.kept();
    return readFile(join(this.#ports.journal, `${id}.o`)).catch(() => output.kept());
  }

  /** Follows a call's output from byte 0 until it has ended, or until `deadline`. */
  async #until(id: string, first: Fate, deadline: number, take: (chunk: Uint8Array) => Promise<void>): Promise<Fate> {
    const { clock, journal } = this.#ports;
    const path = join(journal, `${id}.o`);
    let offset = 0;
    let fate = first;
    let isOver = fate.kind === "ended" || fate.kind === "lost";
    let pause = LOOK_MS_MIN;
    for (let quiet = 0; ;) {
      const bytes = await drain(path, offset, take);
      offset += bytes;
      if (isOver || clock.now() >= deadline) return fate;
      pause = bytes > 0 ? LOOK_MS_MIN : Math.min(pause * 1.5, LOOK_MS_MAX);
      const told = await this.#pause(id, Math.min(pause, Math.max(1, deadline - clock.now())));
      const status = await readStatus(join(journal, `${id}.s`));
      if (status !== null) {
        fate = { kind: "ended", status };
        isOver = true;
      } else if (!told && (quiet += 1) % LOOKS_MAX === 0) {
        fate = await this.#look(id);
        isOver = fate.kind !== "running";
      }
    }
  }

  /** True when the supervisor said that the call has ended. */
  async #pause(id: string, ms: number): Promise<boolean> {
    const over = new AbortController();
    const told = new Promise<boolean>((resolve) => this.#waiting.set(id, () => resolve(true)));
    const slept = this.#ports.clock
      .sleep(ms, AbortSignal.any([over.signal, this.#closing.signal]))
      .then(() => false)
      .catch(() => false);
    const isTold = await Promise.race([told, slept]);
    over.abort();
    this.#waiting.delete(id);
    this.#closing.signal.throwIfAborted();
    return isTold;
  }

  async #follow(input: Members): Promise<CallResult> {
    const id = parseEventId(input["call_id"]);
    if (id === undefined) return notRun("call_id must be the id of a bash call (sevt_…).");
    const { signal } = input;
    if (typeof signal === "string") await this.#request("signal", id, signal);
    const first = await this.#look(id);
    if (first.kind === "none") return notRun(`This hand knows no call ${id}.`);
    if (first.kind === "gone") return notRun(`The call ${id} ended before, and its result was given.`);
    const output = new OutputWindow();
    const wait = typeof input["wait_ms"] === "number" ? Math.min(input["wait_ms"], limits.bashOutputWaitMsMax) : 0;
    const until = this.#ports.clock.now() + wait;
    const fate = await this.#until(id, first, until, async (chunk) => output.add(chunk));
    const base = { output_bytes: output.bytes, truncated: false };
    if (fate.kind === "running") {
      const text = `${said(output)}[${id} is still running]`;
      return { ...base, outcome: { kind: "exited", code: 0 }, text, is_error: false };
    }
    if (fate.kind !== "ended") {
      return { ...base, ...(await this.#render({ id, name: "bash", input: {} }, fate, output)) };
    }
    const text = `${bashText(output, outcomeOf(fate.status))}\n[${id} has ended, exit status: ${fate.status}]`;
    return { ...base, outcome: { kind: "exited", code: 0 }, text, is_error: false };
  }

  async #beganAt(id: string): Promise<number> {
    const claim = await stat(join(this.#ports.journal, `${id}.c`)).catch(() => null);
    return claim?.mtimeMs ?? this.#ports.clock.now();
  }

  async #duration(id: string, began: number, fate: Fate): Promise<number> {
    const ended = fate.kind === "ended" ? await stat(join(this.#ports.journal, `${id}.s`)).catch(() => null) : null;
    return Math.max(0, Math.round((ended?.mtimeMs ?? this.#ports.clock.now()) - began));
  }
}

function membersOf(input: Json): Members {
  return isObject(input) ? input : {};
}

function timeoutOf(input: Json): number {
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

function notRun(text: string): CallResult {
  return { outcome: { kind: "not_run" }, text, is_error: true, output_bytes: 0, truncated: false };
}

function unknown(text: string): CallResult {
  return { outcome: { kind: "unknown" }, text, is_error: true, output_bytes: 0, truncated: false };
}

async function resolved(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

async function readStatus(path: string): Promise<number | null> {
  const text = await readFile(path, "utf8").catch(() => "");
  // Without its end mark the line is still being written.
  const found = /^(\d+) \.\n$/.exec(text);
  return found === null ? null : Number(found[1]);
}

/** Passes on what a file has from `offset` on, and says how much that was. */
async function drain(path: string, offset: number, take: (chunk: Uint8Array) => Promise<void>): Promise<number> {
  const file = await open(path, "r").catch(() => null);
  if (file === null) return 0;
  let bytes = 0;
  try {
    for (;;) {
      const buffer = Buffer.allocUnsafe(READ_BYTES);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset + bytes);
      if (bytesRead === 0) return bytes;
      bytes += bytesRead;
      await take(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
