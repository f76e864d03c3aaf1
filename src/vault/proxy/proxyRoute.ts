/** What the credential proxy gives to each of its routes (API, MCP, git, egress): one request of one hand. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { limits } from "../../core/limits.ts";
import type { SessionId } from "../../core/ids.ts";
import type { Egress } from "../../core/vault.ts";

/** Whose connection it is. */
export interface ProxyCaller {
  readonly session_id: SessionId;
  readonly hand: string;
  /** null: the hand's network is not limited, and the proxy lets it nowhere. */
  readonly egress: Egress | null;
}

/** A request whose token was right. Nothing of it has left for anywhere yet. */
export interface ProxyCall {
  readonly caller: ProxyCaller;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** What follows the route's name, in normal form, without a query: `/github.com/owner/name.git/info/refs`. */
  readonly path: string;
  /** The query with its `?`, or the empty string; as the hand sent it. */
  readonly search: string;
  /** What comes before `path` in the hand's view: `/git`, `/<token>/api`. For addresses that are given back to the hand. */
  readonly prefix: string;
  /** Aborted when the hand's connection is gone or its entrance was closed. To be given to `decide` and `forward`. */
  readonly signal: AbortSignal;
  /** Tells a hand that holds its body back (`Expect: 100-continue`) to send it. Before the first byte is read; again is no error. */
  takeBody(): void;
}

/** Answers one request. A rejection becomes a 502 without details, and is reported. */
export type ProxyRoute = (call: ProxyCall) => Promise<void>;

/** Answers with a line of text that the hand's program shows: `Many Hands: <message>`. No value may be in it. */
export function answerText(
  response: ServerResponse,
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const body = Buffer.from(`Many Hands: ${message}\n`);
  response.writeHead(status, {
    ...headers,
    "content-type": "text/plain; charset=utf-8",
    "content-length": body.length,
  });
  response.end(body);
}

/** A body that was longer than its limit, or came too slowly. `status` is for the hand. */
export class BodyError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "BodyError";
    this.status = status;
  }
}

/** The whole body. Rejects with BodyError where it has more than `bytesMax` or stalls, else with what ended it. */
export async function readBody(source: Readable, bytesMax: number, signal: AbortSignal): Promise<Buffer> {
  signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const take = (chunk: Buffer): void => {
      stalled.refresh();
      bytes += chunk.length;
      if (bytes > bytesMax) end(new BodyError(413, `The request's body has more than ${bytesMax} bytes.`));
      else chunks.push(chunk);
    };
    const finish = (): void => end(null);
    const cut = (): void => end(new BodyError(400, "The request's body was not sent whole."));
    const abort = (): void => end(signal.reason as Error);
    const end = (error: Error | null): void => {
      clearTimeout(stalled);
      signal.removeEventListener("abort", abort);
      source.off("data", take).off("end", finish).off("close", cut);
      if (error === null) resolve(Buffer.concat(chunks));
      else reject(error);
    };
    const stalled = setTimeout(
      () => end(new BodyError(408, "Nothing of the request's body came for too long.")),
      limits.proxyStallMs,
    );
    signal.addEventListener("abort", abort);
    source.on("data", take).once("end", finish).once("close", cut).once("error", end);
  });
}
