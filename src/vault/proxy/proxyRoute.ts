/** What the credential proxy gives to each of its routes (API, MCP, git, egress): one request of one hand. */
import type { IncomingMessage, ServerResponse } from "node:http";
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
