/** The stdio transport of MCP over a program in a hand: one JSON message a line. */
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import type { HandProcess } from "../../core/hand.ts";
import { limits } from "../../core/limits.ts";

export class ProcessTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: NonNullable<Transport["onmessage"]>;
  readonly #process: HandProcess;
  readonly #parse: (line: string) => JSONRPCMessage;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #isClosed = false;
  #said = "";

  constructor(process: HandProcess, parse: (line: string) => JSONRPCMessage) {
    this.#process = process;
    this.#parse = parse;
  }

  /** By these two the protocol's library knows that silence is no outage here, but an older server. */
  readonly stderr = null;
  readonly pid = null;

  /** What the program printed last on its error stream: why it ended, as a rule. */
  get said(): string {
    return this.#said.trim();
  }

  async start(): Promise<void> {
    const { stdout, stderr, stdin, ended } = this.#process;
    for (const each of [stdin, stdout, stderr]) each.on("error", () => {});
    stdout.on("data", (chunk: Buffer) => this.#take(chunk));
    stderr.on("data", (chunk: Buffer) => {
      this.#said = `${this.#said}${chunk.toString()}`.slice(-limits.handErrorCharsMax);
    });
    void ended.then(() => this.#end());
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#isClosed) throw new Error("the program has ended");
    const { stdin } = this.#process;
    if (stdin.write(`${JSON.stringify(message)}\n`)) return;
    await new Promise<void>((resolve) => {
      stdin.once("drain", resolve);
      void this.#process.ended.then(() => resolve());
    });
  }

  async close(): Promise<void> {
    this.#process.close();
    this.#end();
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.onclose?.();
  }

  #take(chunk: Buffer): void {
    let rest = chunk;
    for (let end = rest.indexOf(10); end >= 0 && !this.#isClosed; end = rest.indexOf(10)) {
      const line = Buffer.concat([...this.#pieces, rest.subarray(0, end)]).toString("utf8");
      this.#pieces = [];
      this.#bytes = 0;
      rest = rest.subarray(end + 1);
      this.#line(line.trim());
    }
    if (rest.length === 0 || this.#isClosed) return;
    this.#pieces.push(rest);
    this.#bytes += rest.length;
    if (this.#bytes <= limits.mcpMessageBytesMax) return;
    this.onerror?.(new Error(`a message of more than ${limits.mcpMessageBytesMax} bytes`));
    void this.close();
  }

  /** Programs print other things to their output too, in spite of the protocol: those lines are passed over. */
  #line(line: string): void {
    if (line === "") return;
    try {
      this.onmessage?.(this.#parse(line));
    } catch (thrown) {
      this.onerror?.(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  }
}
