/** One request to a server: kept connections, verified certificates, and a deadline for every step. */
import http from "node:http";
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import https from "node:https";
import type { Readable } from "node:stream";
import { createSecureContext, getCACertificates } from "node:tls";
import type { SecureContext } from "node:tls";
import { messageOf } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";

/** A failure that the hand is told of, with a status for it. The message names the origin and no value. */
export class UpstreamError extends Error {
  readonly status: number;

  constructor(status: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "UpstreamError";
    this.status = status;
  }
}

interface Sending {
  readonly target: URL;
  readonly method: string;
  readonly headers: OutgoingHttpHeaders;
  /** null: none. A stream is only read as fast as the server takes it. */
  readonly body: Buffer | Readable | null;
  readonly signal: AbortSignal;
}

export interface Upstream {
  /** The answer as soon as its head is there. Rejects with UpstreamError, or whatever the signal was aborted with. */
  send(sending: Sending): Promise<IncomingMessage>;
  close(): void;
}

/** @param ca authorities beside the usual ones, as PEM */
export function createUpstream(ca?: string): Upstream {
  const kept = { keepAlive: true, timeout: limits.proxyKeptMs, maxFreeSockets: limits.proxyKeptMax };
  const agents = {
    http: new http.Agent(kept),
    https: new https.Agent(ca === undefined ? kept : { ...kept, secureContext: withAuthority(ca) }),
  };
  return {
    async send(sending) {
      try {
        return await sendOnce(sending, agents);
      } catch (thrown) {
        // The server closed a kept connection just then. Nothing of an answer was seen, and asking twice does no harm.
        const again = thrown instanceof UpstreamError && thrown.cause === LOST_KEPT && sending.body === null;
        if (!again || !["GET", "HEAD", "OPTIONS"].includes(sending.method)) throw thrown;
        return await sendOnce(sending, agents);
      }
    },
    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

/** Made once: an agent that is given a list of authorities goes through all of them at each request. */
function withAuthority(ca: string): SecureContext {
  return createSecureContext({ ca: [...getCACertificates("default"), ca] });
}

const LOST_KEPT = Symbol("a kept connection was lost");

function sendOnce(
  { target, method, headers, body, signal }: Sending,
  agents: { readonly http: http.Agent; readonly https: https.Agent },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const isSecure = target.protocol === "https:";
    // Looked up at each call: VS Code puts its own in place.
    const outgoing = (isSecure ? https : http).request({
      method,
      hostname: target.hostname.replaceAll(/[[\]]/g, ""),
      port: target.port,
      path: target.pathname + target.search,
      headers: { ...headers, host: target.host },
      agent: isSecure ? agents.https : agents.http,
      rejectUnauthorized: true,
      insecureHTTPParser: false,
      maxHeaderSize: limits.proxyAnswerHeadBytesMax,
      signal,
    });
    const stop = watch(outgoing, target, isSecure);
    outgoing.on("upgrade", (_, socket) => socket.destroy());
    outgoing.once("response", (response) => {
      stop();
      resolve(response);
    });
    // After the answer began, an error of the request is the server not wanting the rest of it.
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      stop();
      reject(signal.aborted ? (signal.reason as Error) : failure(error, outgoing, target));
    });
    outgoing.once("close", () => {
      stop();
      reject(new UpstreamError(502, `${target.origin} closed the connection without an answer.`));
    });
    if (body === null || Buffer.isBuffer(body)) outgoing.end(body ?? undefined);
    else pump(body, outgoing, target);
  });
}

/** The two deadlines of a request; the result takes them off. */
function watch(outgoing: ClientRequest, target: URL, isSecure: boolean): () => void {
  const cut = (what: string): void => {
    outgoing.destroy(new UpstreamError(504, `${target.origin} ${what} in time. Try again later.`));
  };
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => clearTimeout(timer);
  outgoing.once("socket", (socket) => {
    if (!socket.connecting) return;
    timer = setTimeout(() => cut("could not be reached"), limits.proxyConnectMs);
    socket.once(isSecure ? "secureConnect" : "connect", stop);
  });
  outgoing.once("finish", () => {
    stop();
    timer = setTimeout(() => cut("did not answer"), limits.proxyAnswerMs);
  });
  return stop;
}

function pump(body: Readable, outgoing: ClientRequest, target: URL): void {
  const stalled = setTimeout(() => {
    outgoing.destroy(new UpstreamError(504, `Nothing of the request's body went on to ${target.origin} for too long.`));
  }, limits.proxyStallMs);
  const stop = (): void => clearTimeout(stalled);
  body.on("data", () => stalled.refresh());
  body.once("end", stop);
  body.once("close", stop);
  body.once("error", (error) => outgoing.destroy(error));
  outgoing.once("close", () => {
    stop();
    body.unpipe(outgoing);
  });
  body.pipe(outgoing);
}

function failure(error: NodeJS.ErrnoException, outgoing: ClientRequest, target: URL): UpstreamError {
  if (error instanceof UpstreamError) return error;
  if (outgoing.reusedSocket && error.code === "ECONNRESET") {
    return new UpstreamError(502, `${target.origin} closed the connection.`, LOST_KEPT);
  }
  return new UpstreamError(502, `${target.origin} could not be asked: ${error.code ?? messageOf(error)}.`, error);
}
