/** A hand with a shell: calls go through the supervisor's journal, and what became of one is asked of it (I6). */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import { ManyHandsError } from "../../core/errors.ts";
import type {
  Attached,
  Call,
  CallContext,
  CallResult,
  Hand,
  HandCommand,
  HandFiles,
  HandProcess,
} from "../../core/hand.ts";
import { parseEventId } from "../../core/ids.ts";
import type { EventId } from "../../core/ids.ts";
import { messageOf } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import { markerAdded, noRedaction } from "../../core/redaction.ts";
import { CallFollower } from "./callFollower.ts";
import type { Fate } from "./callFollower.ts";
import { commandResult, fileResult, markerText, membersOf, notRun, timeoutOf, unknown } from "./callResults.ts";
import type { Members } from "./callResults.ts";
import { changeScript, globScript, grepScript, planChange, readScript } from "./fileCalls.ts";
import type { OpenedEntrance } from "./handEntrance.ts";
import type { JournalFiles } from "./journalFiles.ts";
import type { Link } from "./link.ts";
import { OutputWindow, RedactedWindow } from "./outputText.ts";
import type { FarEnd } from "./shellStream.ts";
import { quote } from "./supervisorScript.ts";

export interface ShellHandPorts {
  readonly link: Link;
  /** What calls need of the files there. */
  readonly files: JournalFiles;
  readonly farEnd: FarEnd;
  readonly clock: Clock;
  readonly description: string;
  /** For people. */
  readonly browse: HandFiles;
  /** The way to the credential proxy. */
  readonly entrance?: OpenedEntrance;
}

/** How long what runs has between TERM and KILL when the hand is destroyed, in milliseconds. */
const DESTROY_GRACE_MS = 200;

const NOT_STARTED = "Whatever was to start the call ended before it did; it did not run.";

export class ShellHand implements Hand {
  readonly instance: string;
  readonly description: string;
  readonly files: HandFiles;
  readonly openTerminal?: NonNullable<Hand["openTerminal"]>;
  readonly #ports: ShellHandPorts;
  readonly #follower: CallFollower;
  /** The far end's word that it has what the last call left. */
  #keeping: Promise<void> = Promise.resolve();
  /** Programs that are no calls: they end with this hand. */
  readonly #processes = new Set<HandProcess>();

  constructor(ports: ShellHandPorts) {
    this.#ports = ports;
    this.instance = ports.link.facts.instance;
    this.description = ports.description;
    this.files = ports.browse;
    const open = ports.farEnd.openTerminal?.bind(ports.farEnd);
    if (open !== undefined) this.openTerminal = (size) => open(size, ports.link.facts.startDirectory);
    this.#follower = new CallFollower(ports);
  }

  readonly onDidLose: Hand["onDidLose"] = (listener) => this.#ports.link.onDidLose(listener);
  readonly onDidChangeLink: NonNullable<Hand["onDidChangeLink"]> = (listener) => this.#ports.link.onDidChange(listener);

  async execute(call: Call, context: CallContext): Promise<CallResult> {
    try {
      return await this.#execute(call, context);
    } catch (thrown) {
      if (thrown instanceof RangeError) return notRun("The input has a NUL character, which no shell takes.");
      throw thrown;
    }
  }

  async attach(call: Call, context: CallContext): Promise<Attached> {
    if (call.name === "bash_output") return { kind: "never_started" };
    const fate = await this.#follower.look(call.id);
    if (fate.kind === "none") return { kind: "never_started" };
    return { kind: "result", result: await this.#resultOf(call, fate, context) };
  }

  async signal(id: EventId, signal: "INT" | "TERM" | "KILL"): Promise<void> {
    await this.#request("signal", id, signal);
  }

  async run(script: string): Promise<{ readonly status: number; readonly output: string }> {
    // Below the ids of calls: the journal looks least for what is above all that it has forgotten.
    const id = `sevt_-setup-${randomUUID()}` as EventId;
    this.#follower.expect(id);
    const began = this.#ports.clock.now();
    const answer = await this.#request("run", id, "s", quote(script), String(began));
    if (answer.startsWith("fail")) return { status: 1, output: `the journal cannot be written: ${answer.slice(5)}` };
    const window = new OutputWindow();
    const first = { kind: "running", began } as const;
    const fate = await this.#follower.follow(id, first, Infinity, async (chunk) => window.add(chunk));
    this.acknowledge([id]).catch(() => {});
    return { status: fate.kind === "ended" ? fate.status : 1, output: window.text() };
  }

  async openProcess(command: HandCommand, signal: AbortSignal): Promise<HandProcess> {
    const { farEnd, link, clock } = this.#ports;
    const { openHandProcess } = await import("./handProcess.ts");
    const ending = AbortSignal.any([signal, link.signal]);
    const opened = await openHandProcess({ farEnd, clock, startDirectory: link.facts.startDirectory }, command, ending);
    if (link.signal.aborted) {
      opened.close();
      throw link.signal.reason as Error;
    }
    this.#processes.add(opened);
    void opened.ended.then(() => this.#processes.delete(opened));
    return opened;
  }

  async ping(): Promise<number> {
    const start = performance.now();
    await this.#request("may", "/");
    return performance.now() - start;
  }

  async acknowledge(ids: readonly EventId[]): Promise<void> {
    await this.#request("ack", ...ids);
  }

  async close(): Promise<void> {
    const reason = new ManyHandsError("hand_detached", "hand", "the hand was let go of; its commands live on");
    for (const opened of this.#processes) opened.close();
    await this.#untilKept();
    this.#ports.link.close(reason);
    this.#ports.entrance?.close();
    this.#ports.farEnd.close();
  }

  /** Else the next shell would begin without what the last call left; a link that is cut is not waited for long. */
  async #untilKept(): Promise<void> {
    const over = new AbortController();
    const late = this.#ports.clock.sleep(limits.handKeepMs, over.signal).catch(() => {});
    await Promise.race([this.#keeping, late]);
    over.abort();
  }

  async destroy(): Promise<void> {
    try {
      await this.#endAll();
      const folder = this.#ports.entrance?.folder ?? null;
      if (folder !== null) await this.#request("del", folder);
      await this.#request("rm");
    } finally {
      await this.close();
      await this.#ports.farEnd.remove();
    }
  }

  async #endAll(): Promise<void> {
    const ids = (await this.#request("ids"))
      .split(" ")
      .filter((name) => name.endsWith(".g") && name !== "*.g")
      .map((name) => name.slice(0, -2));
    if (ids.length === 0) return;
    for (const signal of ["TERM", "KILL"] as const) {
      await Promise.all(ids.map((id) => this.#request("signal", id, signal)));
      if (signal === "TERM") await this.#ports.clock.sleep(DESTROY_GRACE_MS);
    }
  }

  async #request(name: string, ...words: readonly string[]): Promise<string> {
    return (await this.#ports.link.request(name, ...words)).text;
  }

  async #execute(call: Call, context: CallContext): Promise<CallResult> {
    const input = membersOf(call.input);
    if (call.name === "bash_output") return this.#follow(input, context);
    if (call.name === "write" || call.name === "edit") {
      // Its script is made from the file as it is now: for a call that ran before, that would be the file after it.
      const fate = await this.#follower.look(call.id);
      if (fate.kind !== "none") return this.#resultOf(call, fate, context);
    }
    const script = await this.#scriptFor(call, input, context);
    if (typeof script !== "string") return script;
    const began = this.#ports.clock.now();
    this.#follower.expect(call.id);
    const answer = await this.#request("run", call.id, call.name === "bash" ? "b" : "s", quote(script), String(began));
    if (answer.startsWith("fail")) {
      return notRun(`The hand's journal cannot be written: ${answer.slice(5)}. The call did not run.`);
    }
    if (answer === "ok") return this.#resultOf(call, { kind: "running", began }, context);
    return this.#resultOf(call, answer === "gone" ? { kind: "gone" } : await this.#follower.look(call.id), context);
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
      if (command.includes("\0")) return notRun("A command cannot hold a NUL character.");
      const marker = markerAdded("", command);
      return marker === null ? command : notRun(markerText(marker));
    }
    if (restart === true) return "echo 'The shell begins anew, in the start directory.'";
    return notRun("Give a command, or restart: true.");
  }

  async #changeScript(call: Call, input: Members, context: CallContext): Promise<string | CallResult> {
    const { files, link } = this.#ports;
    const given = typeof input["file_path"] === "string" ? input["file_path"] : "";
    const { path, kind, bytes } = await files.inspect(given);
    if (kind === "directory") return notRun(`${given} is a directory.`);
    if (kind === "other") return notRun(`${given} is no file that can be changed.`);
    if (bytes > limits.fileBytesMax) return notRun(`${given} has ${bytes} bytes: too many to change here.`);
    let before: Buffer | null;
    try {
      before = kind === "none" ? null : await files.snapshot(call.id, path);
    } catch (thrown) {
      if (thrown instanceof ManyHandsError) throw thrown;
      return notRun(`${given} could not be read: ${messageOf(thrown)}`);
    }
    const planned = planChange(call.name, input, path, before);
    if (!planned.ok) return notRun(planned.text);
    await context.willChange(planned.change);
    try {
      await files.stage(call.id, planned.change.after);
    } catch (thrown) {
      if (thrown instanceof ManyHandsError) throw thrown;
      return notRun(`The new content could not be staged (${messageOf(thrown)}); nothing was changed.`);
    }
    return changeScript(call.id, link.facts.journal, planned.change, planned.message);
  }

  async #resultOf(call: Call, first: Fate, context: CallContext): Promise<CallResult> {
    if (first.kind === "gone") {
      return unknown("The hand has forgotten what this call printed; it ran before, and was not run again.");
    }
    if (first.kind === "void") return notRun(NOT_STARTED);
    if (first.kind === "none") return notRun("The hand has no record of this call; it did not run.");
    const { clock, files } = this.#ports;
    // What a file tool prints is read here first, and redacted when it is text.
    const printed = new RedactedWindow(call.name === "bash" ? context.redaction : undefined);
    const wait = call.name === "bash" ? timeoutOf(call.input) : limits.bashTimeoutMsMax;
    const fate = await this.#follower.follow(call.id, first, first.began + wait, async (chunk) => {
      printed.add(chunk);
      await context.onOutput(chunk);
    });
    if (fate.kind === "void") return notRun(NOT_STARTED);
    // It may have ended long before it was asked for.
    const took = first.kind === "ended" ? await files.took(call.id) : clock.now() - fate.began;
    const output = printed.end();
    return {
      ...(await this.#render(call, fate, output, context)),
      output_bytes: printed.bytes,
      truncated: output.isTruncated,
      ...(took === undefined ? {} : { duration_ms: Math.max(0, Math.round(took)) }),
    };
  }

  async #render(
    call: Call,
    fate: Fate,
    output: OutputWindow,
    { redaction = noRedaction }: CallContext,
  ): Promise<Pick<CallResult, "outcome" | "text" | "is_error">> {
    if (fate.kind === "ended" && call.name !== "bash") {
      const whole = await this.#whole(call.id, output);
      return fileResult(call, { status: fate.status, output: whole, isTruncated: output.isTruncated }, redaction);
    }
    const result = commandResult(call, fate, output);
    // Ended by a signal, it had no chance to leave its environment and directory.
    // Nobody waits for it: the stream keeps the order of this and the next call.
    if (result.outcome.kind === "exited") {
      this.#keeping = this.#request("keep", call.id).then(
        () => {},
        () => {},
      );
    }
    return result;
  }

  /** Output of a file tool: it is rendered here, so more than the model's share of it is needed. */
  async #whole(id: string, output: OutputWindow): Promise<Buffer> {
    if (!output.isTruncated) return output.kept();
    const pieces: Buffer[] = [];
    await this.#ports.files.drain(id, 0, async (chunk) => void pieces.push(Buffer.from(chunk)));
    return Buffer.concat(pieces);
  }

  async #follow(input: Members, { redaction }: CallContext): Promise<CallResult> {
    const id = parseEventId(input["call_id"]);
    if (id === undefined) return notRun("call_id must be the id of a bash call (sevt_…).");
    const { signal } = input;
    if (typeof signal === "string") await this.#request("signal", id, signal);
    const first = await this.#follower.look(id);
    if (first.kind === "none") return notRun(`This hand knows no call ${id}.`);
    if (first.kind === "gone") return notRun(`The call ${id} ended before, and its result was given.`);
    const printed = new RedactedWindow(redaction);
    const wait = typeof input["wait_ms"] === "number" ? Math.min(input["wait_ms"], limits.bashOutputWaitMsMax) : 0;
    const until = this.#ports.clock.now() + wait;
    const fate = await this.#follower.follow(id, first, until, async (chunk) => printed.add(chunk));
    const output = printed.end();
    const base = { output_bytes: printed.bytes, truncated: false };
    const said = commandResult({ id, name: "bash", input: {} }, fate, output);
    if (fate.kind === "running") {
      const text = said.text.replace(/\[still running[^\n]*$/, `[${id} is still running]`);
      return { ...base, outcome: { kind: "exited", code: 0 }, text, is_error: false };
    }
    if (fate.kind !== "ended") return { ...base, ...said };
    const text = `${said.text}\n[${id} has ended, exit status: ${fate.status}]`;
    return { ...base, outcome: { kind: "exited", code: 0 }, text, is_error: false };
  }
}
