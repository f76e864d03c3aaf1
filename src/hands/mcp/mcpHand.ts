/** An MCP server as a hand: its tools are the hand's. The protocol cannot be asked what became of a call, and that is said (I6). */
import type { CallToolResult } from "@modelcontextprotocol/client";
import type { Clock } from "../../core/clock.ts";
import { ManyHandsError } from "../../core/errors.ts";
import { HandFailed } from "../../core/hand.ts";
import type { Attached, Call, CallContext, CallResult, Hand } from "../../core/hand.ts";
import type { EventId } from "../../core/ids.ts";
import { isObject } from "../../core/json.ts";
import type { Json } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import { Emitter } from "../../core/listen.ts";
import { notRun, unknown } from "../shell/callResults.ts";
import { LOST_CODE } from "./connection.ts";
import type { Connection } from "./connection.ts";
import { faultOf } from "./mcpFailure.ts";
import type { Fault } from "./mcpFailure.ts";
import { rendered } from "./mcpResult.ts";
import type { Answer } from "./mcpResult.ts";
import type { RememberedTool } from "./mcpTools.ts";

export interface McpHandPorts {
  readonly clock: Clock;
  readonly instance: string;
  readonly description: string;
  /** What it is, in words. */
  readonly server: string;
  readonly connection: Connection;
  /** Connects anew. Rejects with HandFailed. Absent where what a program was is gone with it. */
  readonly reconnect?: () => Promise<Connection>;
  /** Asks for the tools anew; what they are now is told to whoever listens. */
  readonly refresh: (connection: Connection) => void;
  readonly toolOf: (name: string) => RememberedTool | undefined;
}

interface Running {
  readonly result: Promise<CallResult>;
  readonly cancel: AbortController;
  print: (line: string) => void;
}

const ASKED_NOBODY =
  "MCP keeps no record that could be asked: it is unknown whether the call ran to its end. Look before you do it again.";

const NEW_SESSION = "[The server has begun a new session before this call: what it kept of earlier calls is gone.]";

export class McpHand implements Hand {
  readonly instance: string;
  readonly description: string;
  readonly #ports: McpHandPorts;
  readonly #calls = new Map<EventId, Running>();
  readonly #lost = new Emitter<string>();
  readonly #linkChanged = new Emitter<boolean>();
  readonly #failed = new Emitter<HandFailed>();
  #connection: Promise<Connection>;
  #reconnecting: Promise<Connection> | null = null;
  #isClosed = false;
  #lostReason: string | null = null;

  readonly onDidChangeLink = this.#linkChanged.listen;
  readonly onDidFail = this.#failed.listen;

  constructor(ports: McpHandPorts) {
    this.#ports = ports;
    this.instance = ports.instance;
    this.description = ports.description;
    this.#connection = Promise.resolve(ports.connection);
    this.#listenTo(ports.connection);
  }

  readonly onDidLose: Hand["onDidLose"] = (listener) => {
    if (this.#lostReason !== null) queueMicrotask(() => listener(this.#lostReason ?? ""));
    return this.#lost.listen(listener);
  };

  /** The first result of an id is that of every later one. */
  execute(call: Call, context: CallContext): Promise<CallResult> {
    const before = this.#calls.get(call.id);
    if (before !== undefined) return before.result;
    const cancel = new AbortController();
    const printing = printer(context);
    const result = this.#run(call, cancel.signal, printing);
    this.#calls.set(call.id, { result, cancel, print: printing.line });
    result.then(
      () => this.#forgetPrinting(call.id),
      () => this.#calls.delete(call.id),
    );
    return result;
  }

  async attach(call: Call): Promise<Attached> {
    const running = this.#calls.get(call.id);
    if (running !== undefined) return { kind: "result", result: await running.result };
    return { kind: "result", result: unknown(`This call was sent before the window was reloaded. ${ASKED_NOBODY}`) };
  }

  async signal(id: EventId): Promise<void> {
    this.#calls.get(id)?.cancel.abort();
  }

  async acknowledge(ids: readonly EventId[]): Promise<void> {
    for (const id of ids) this.#calls.delete(id);
  }

  async ping(): Promise<number> {
    const start = performance.now();
    await (await this.#connected()).ping();
    return performance.now() - start;
  }

  async close(): Promise<void> {
    await this.#close(false);
  }

  async destroy(): Promise<void> {
    await this.#close(true);
  }

  async #close(forGood: boolean): Promise<void> {
    this.#isClosed = true;
    await (await this.#connection).close(forGood);
  }

  #listenTo(connection: Connection): void {
    connection.onDidChangeTools(() => this.#ports.refresh(connection));
    connection.onDidLog((line) => this.#onlyRunning()?.print(line));
    connection.onDidClose((reason) => {
      if (this.#isClosed) return;
      if (this.#ports.reconnect !== undefined) return this.#linkChanged.fire(false);
      this.#lostReason = `${this.#ports.server} ended: ${reason}.`;
      this.#lost.fire(this.#lostReason);
    });
  }

  /** A line of the server's log belongs to no call; where one runs alone it is that one's. */
  #onlyRunning(): Running | undefined {
    const running = [...this.#calls.values()].filter(({ print }) => print !== ignore);
    return running.length === 1 ? running[0] : undefined;
  }

  #forgetPrinting(id: EventId): void {
    const running = this.#calls.get(id);
    if (running !== undefined) running.print = ignore;
  }

  async #connected(): Promise<Connection> {
    const connection = await this.#connection;
    const { reconnect } = this.#ports;
    // Asked first: of a call that meets a server which is just gone nobody knows whether it ran.
    if (connection.isOpen && connection.isDoubtful) await connection.ping().catch(() => connection.close());
    if (connection.isOpen) return connection;
    this.#throwIfClosed();
    if (reconnect === undefined) throw new ManyHandsError("hand_unavailable", "hand", this.#lostReason ?? "It ended.");
    this.#reconnecting ??= this.#connectAgain(reconnect).finally(() => (this.#reconnecting = null));
    return this.#reconnecting;
  }

  async #connectAgain(reconnect: () => Promise<Connection>): Promise<Connection> {
    const opened = await reconnect();
    if (this.#isClosed) await opened.close();
    this.#throwIfClosed();
    this.#connection = Promise.resolve(opened);
    this.#listenTo(opened);
    this.#linkChanged.fire(true);
    this.#ports.refresh(opened);
    return opened;
  }

  async #run(call: Call, signal: AbortSignal, printing: Printing): Promise<CallResult> {
    const tool = this.#ports.toolOf(call.name);
    if (tool === undefined) return notRun(`This MCP server has no tool "${call.name}" any more.`);
    const began = this.#ports.clock.now();
    const before = await this.#connection;
    for (let tries = 1; ; tries += 1) {
      let connection: Connection;
      try {
        connection = await this.#connected();
      } catch (thrown) {
        this.#throwIfClosed();
        if (!(thrown instanceof ManyHandsError)) throw thrown;
        if (thrown instanceof HandFailed) this.#failed.fire(thrown);
        return notRun(`${thrown.message} The call did not run.`);
      }
      try {
        const answer = await ask(connection, tool, call.input, signal, printing.line);
        const note = connection === before ? "" : NEW_SESSION;
        return await finished(answer, note, printing, this.#ports.clock.now() - began);
      } catch (thrown) {
        this.#throwIfClosed();
        if (signal.aborted) return unknown(`The call was stopped, and the server told so. ${ASKED_NOBODY}`);
        const fault = sessionFault(faultOf(thrown), thrown, connection);
        const isGone = fault.kind === "session_gone" && this.#ports.reconnect !== undefined;
        if (isGone) await connection.close();
        if (!isGone || tries > 1) return this.#failedResult(fault, printing);
      }
    }
  }

  #failedResult(fault: Fault, printing: Printing): CallResult {
    const { server } = this.#ports;
    if (fault.kind === "answered") {
      const result = { outcome: { kind: "exited", code: 1 }, text: fault.message, is_error: true } as const;
      return { ...result, output_bytes: printing.bytes(), truncated: false };
    }
    const type = fault.kind === "refused" ? "mcp_authentication_failed_error" : "mcp_connection_failed_error";
    const message = `${server.slice(0, 1).toUpperCase()}${server.slice(1)} failed in a call: ${fault.message}.`;
    if (fault.kind !== "timeout") this.#failed.fire(new HandFailed(type, message));
    if (fault.is_run === "no") return notRun(`${message} The call did not run.`);
    return { ...unknown(`${message} ${ASKED_NOBODY}`), output_bytes: printing.bytes() };
  }

  #throwIfClosed(): void {
    if (this.#isClosed) throw new ManyHandsError("hand_detached", "hand", "the hand was let go of");
  }
}

function ignore(): void {}

/** Some servers say with another status than that of the protocol that they do not know a session. */
function sessionFault(fault: Fault, thrown: unknown, { transport }: Connection): Fault {
  const data = isObject(thrown) && isObject(thrown["data"]) ? thrown["data"] : {};
  if (transport.sessionId !== undefined && data["status"] === 400 && /session/i.test(fault.message)) {
    return { kind: "session_gone", is_run: "no", message: fault.message };
  }
  if (isObject(thrown) && thrown["code"] === LOST_CODE) {
    return { kind: "lost", is_run: "unknown", message: "the connection was cut before it answered" };
  }
  return fault;
}

async function ask(
  { client }: Connection,
  { action, original }: RememberedTool,
  input: Json,
  signal: AbortSignal,
  print: (line: string) => void,
): Promise<Answer> {
  const members = isObject(input) ? input : {};
  const options = { signal, timeout: limits.mcpCallMs, maxTotalTimeout: limits.mcpCallMsMax };
  const fresh = { ...options, cacheMode: "bypass" as const };
  switch (action) {
    case "call": {
      // Given without its output's schema: a result that does not fit is a result all the same.
      const toolDefinition = { name: original, inputSchema: { type: "object" as const } };
      const onprogress = (progress: Progress): void => print(progressText(progress));
      const call = { name: original, arguments: members };
      const all = { ...options, toolDefinition, onprogress, resetTimeoutOnProgress: true };
      return answerOf(await client.callTool(call, all));
    }
    case "list_resources": {
      const { resources } = await client.listResources(undefined, fresh);
      const templates = await client.listResourceTemplates(undefined, fresh).catch(() => null);
      const resource_templates = templates?.resourceTemplates ?? [];
      return { items: [], structured: { resources, resource_templates }, is_error: false };
    }
    case "read_resource": {
      const { contents } = await client.readResource({ uri: String(members["uri"]) }, fresh);
      return { items: contents.map((resource) => ({ type: "resource", resource })), is_error: false };
    }
    case "get_prompt": {
      const values = isObject(members["arguments"]) ? (members["arguments"] as Record<string, string>) : {};
      const { messages } = await client.getPrompt({ name: String(members["name"]), arguments: values }, options);
      const said = messages.flatMap(({ role, content }) => [{ type: "text", text: `[${role}]` }, content]);
      return { items: said, is_error: false };
    }
    default:
      throw new Error(`no such action: ${String(action)}`);
  }
}

function answerOf({ content, structuredContent, isError }: CallToolResult): Answer {
  return { items: content, structured: structuredContent, is_error: isError === true };
}

interface Progress {
  readonly progress: number;
  readonly total?: number | undefined;
  readonly message?: string | undefined;
}

function progressText({ progress, total, message }: Progress): string {
  const part = total === undefined ? String(progress) : `${progress} of ${total}`;
  return message === undefined ? `progress: ${part}` : `progress: ${part}, ${message}`;
}

interface Printing {
  readonly line: (text: string) => void;
  readonly all: (bytes: Uint8Array) => Promise<void>;
  readonly bytes: () => number;
}

/** In order; who prints a line does not wait for it. */
function printer({ onOutput }: CallContext): Printing {
  let turn: Promise<void> = Promise.resolve();
  let bytes = 0;
  const all = (chunk: Uint8Array): Promise<void> => {
    bytes += chunk.byteLength;
    turn = turn.then(() => onOutput(chunk));
    return turn;
  };
  return { line: (text) => void all(Buffer.from(`${text}\n`)), all, bytes: () => bytes };
}

async function finished(answer: Answer, note: string, printing: Printing, took: number): Promise<CallResult> {
  const noted = note === "" ? answer.items : [{ type: "text", text: note }, ...answer.items];
  const { whole, ...said } = rendered({ ...answer, items: noted });
  await printing.all(whole);
  const outcome = { kind: "exited", code: said.is_error ? 1 : 0 } as const;
  return { outcome, ...said, output_bytes: printing.bytes(), duration_ms: Math.max(0, Math.round(took)) };
}
