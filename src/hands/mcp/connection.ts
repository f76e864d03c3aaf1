/** One connection to an MCP server: the protocol's client over the transport that the server speaks. */
import {
  Client,
  SSEClientTransport,
  StreamableHTTPClientTransport,
  deserializeMessage,
} from "@modelcontextprotocol/client";
import type { JSONRPCMessage, Tool, Transport } from "@modelcontextprotocol/client";
import { ManyHandsError } from "../../core/errors.ts";
import type { HandProcess } from "../../core/hand.ts";
import { messageOf } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import { Emitter } from "../../core/listen.ts";
import { connectionFailed, faultOf, withRefusals } from "./mcpFailure.ts";
import { describeTarget } from "./mcpSpec.ts";
import type { McpTarget } from "./mcpSpec.ts";
import type { McpOffer } from "./mcpTools.ts";
import { ProcessTransport } from "./processTransport.ts";

export interface ConnectionPorts {
  readonly target: McpTarget;
  /** For this server: adds what it wants to know, or refuses. */
  readonly fetch: typeof globalThis.fetch;
  /** Starts the program of a server that is one. */
  readonly openProcess: () => Promise<HandProcess>;
  readonly signal: AbortSignal;
  readonly report: (what: string, thrown?: unknown) => void;
}

/** An answer that will never come is given this code, which no server uses. */
export const LOST_CODE = -32_098;

type Era = "auto" | "legacy";
type Way = { readonly era: Era; readonly transport: "http" | "sse" | "program" };

/** What a program said before it ended. */
interface Words {
  said: string;
}

export class Connection {
  readonly client: Client;
  readonly transport: Transport;
  readonly #closed = new Emitter<string>();
  readonly #logged = new Emitter<string>();
  readonly #toolsChanged = new Emitter<null>();
  readonly #report: ConnectionPorts["report"];
  #isOpen = true;
  #isDoubtful = false;

  /** It is over: why, in words. */
  readonly onDidClose = this.#closed.listen;
  /** A line that the server wants to be seen. */
  readonly onDidLog = this.#logged.listen;
  readonly onDidChangeTools = this.#toolsChanged.listen;

  private constructor(transport: Transport, era: Era, report: ConnectionPorts["report"]) {
    this.#report = report;
    this.transport = transport;
    const changed = { autoRefresh: false, onChanged: () => this.#toolsChanged.fire(null) };
    this.client = new Client(
      { name: "many-hands", version: "1" },
      {
        // No roots, no sampling, no elicitation: a server that asks in spite of that is told that there is no such method.
        capabilities: {},
        versionNegotiation: { mode: era, probe: { timeoutMs: PROBE_MS } },
        inputRequired: { autoFulfill: false },
        listChanged: { tools: changed, prompts: changed },
        // A result is passed on as it came, whatever the server's own schema says of it: the call has happened.
        jsonSchemaValidator: {
          getValidator: () => (data) => ({ valid: true, data: data as never, errorMessage: undefined }),
        },
      },
    );
    this.client.onerror = (error) => this.#failed(error);
    this.client.onclose = () => this.#end("the connection ended");
    this.client.setNotificationHandler("notifications/message", ({ params }) => {
      const text = typeof params.data === "string" ? params.data : JSON.stringify(params.data);
      this.#logged.fire(`${params.level}: ${text}`);
    });
  }

  /** Rejects with HandFailed, whose message says what to do. */
  static async open(ports: ConnectionPorts): Promise<Connection> {
    const { target } = ports;
    const remote: readonly Way[] = [
      { era: "auto", transport: "http" },
      { era: "legacy", transport: "http" },
      { era: "legacy", transport: "sse" },
    ];
    const program: readonly Way[] = [
      { era: "auto", transport: "program" },
      { era: "legacy", transport: "program" },
    ];
    const ways = target.kind === "program" ? program : target.transport === "sse" ? remote.slice(2) : remote;
    let first: unknown = null;
    const words: Words = { said: "" };
    for (const way of ways) {
      try {
        return await Connection.#openWay(ports, way, words);
      } catch (thrown) {
        ports.signal.throwIfAborted();
        first ??= thrown;
        if (!mayTryNext(thrown)) {
          first = thrown;
          break;
        }
      }
    }
    throw connectionFailed(describeTarget(target), first, words.said);
  }

  static async #openWay(ports: ConnectionPorts, { era, transport: kind }: Way, words: Words): Promise<Connection> {
    const transport = await openTransport(ports, kind);
    const connection = new Connection(transport, era, ports.report);
    try {
      await connection.client.connect(transport, { signal: ports.signal, timeout: limits.mcpConnectMs });
    } catch (thrown) {
      await connection.close();
      if (transport instanceof ProcessTransport && transport.said !== "") words.said = transport.said;
      throw thrown;
    }
    if (transport instanceof StreamableHTTPClientTransport) endUnanswered(transport);
    return connection;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** A stream of it was lost since the last round trip: the server may have been started anew, and know nothing of it. */
  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  async offer(signal: AbortSignal): Promise<McpOffer> {
    const { client } = this;
    const options = { signal, timeout: limits.mcpConnectMs, cacheMode: "refresh" as const };
    const has = client.getServerCapabilities() ?? {};
    const tools: readonly Tool[] = has.tools === undefined ? [] : (await client.listTools(undefined, options)).tools;
    const prompts = has.prompts === undefined ? null : (await client.listPrompts(undefined, options)).prompts;
    return { tools, resources: has.resources !== undefined, prompts };
  }

  /** One round trip. */
  async ping(): Promise<void> {
    const options = { timeout: limits.handStepMs };
    await (this.client.getProtocolEra() === "modern" ? this.client.discover(options) : this.client.ping(options));
    this.#isDoubtful = false;
  }

  /** With `forGood`, the server may forget what it keeps for this session. */
  async close(forGood = false): Promise<void> {
    const { transport } = this;
    if (forGood && this.#isOpen && transport instanceof StreamableHTTPClientTransport) {
      await transport
        .terminateSession()
        .catch((thrown: unknown) => this.#report("an MCP session was not ended", thrown));
    }
    this.#isOpen = false;
    await this.client.close().catch(() => {});
    await transport.close().catch(() => {});
  }

  #failed(error: Error): void {
    if (!this.#isOpen) return;
    this.#report("an MCP connection", error);
    this.#isDoubtful = true;
    // Its one stream is gone, and with it all answers; a later one is another session.
    if (this.transport instanceof SSEClientTransport && error.name === "SseError") {
      this.#end("the connection was cut");
      void this.close();
    }
  }

  #end(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const said = this.transport instanceof ProcessTransport ? this.transport.said : "";
    this.#closed.fire(said === "" ? reason : `${reason}; it last said: ${said}`);
  }
}

/** How long an older server may take to say that it does not know the newer protocol's first question, in milliseconds. */
const PROBE_MS = 5_000;

/** Nobody there, or one who refuses, is the same whatever way is tried. */
function mayTryNext(thrown: unknown): boolean {
  if (thrown instanceof ManyHandsError || faultOf(thrown).kind === "refused") return false;
  return !/ECONNREFUSED|ENOTFOUND|EAI_AGAIN/.test(deepText(thrown));
}

function deepText(thrown: unknown): string {
  let text = "";
  for (let at: unknown = thrown, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    text += ` ${messageOf(at)} ${String((at as { code?: unknown }).code ?? "")}`;
  }
  return text;
}

async function openTransport(ports: ConnectionPorts, kind: Way["transport"]): Promise<Transport> {
  const { target } = ports;
  if (target.kind === "program") return new ProcessTransport(await ports.openProcess(), deserializeMessage);
  const fetch = withRefusals(describeTarget(target), ports.fetch);
  return kind === "sse"
    ? new SSEClientTransport(target.url, { fetch })
    : new StreamableHTTPClientTransport(target.url, { fetch });
}

/**
 * A stream that ends without the answer to its request, and cannot be resumed, leaves the request waiting until its time is
 * over: it is answered here at once.
 */
function endUnanswered(transport: StreamableHTTPClientTransport): void {
  const send = transport.send.bind(transport);
  const waiting = new Set<unknown>();
  const receive = transport.onmessage;
  transport.onmessage = (message: JSONRPCMessage) => {
    if ("id" in message && !("method" in message)) waiting.delete(message.id);
    receive?.(message);
  };
  transport.send = (message, options) => {
    if (!("id" in message) || !("method" in message)) return send(message, options);
    const { id } = message;
    waiting.add(id);
    const onRequestStreamEnd = (): void => {
      options?.onRequestStreamEnd?.();
      if (!waiting.has(id)) return;
      transport.onmessage?.({ jsonrpc: "2.0", id, error: { code: LOST_CODE, message: "the connection was cut" } });
    };
    return send(message, { ...options, onRequestStreamEnd });
  };
}
