/** From a request of a hand to the route that answers it: its token, its head and its path are checked before anything else. */
import http from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { hasCode } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import type { EgressRoute } from "./egressRoute.ts";
import type { Entrance } from "./entrance.ts";
import { parseProxyPath } from "./proxyPath.ts";
import { answerText } from "./proxyRoute.ts";
import type { ProxyCall, ProxyRoute } from "./proxyRoute.ts";

export interface DispatchOptions {
  /** By the name in the path. */
  readonly routes: Readonly<Record<string, ProxyRoute | undefined>>;
  readonly egress: EgressRoute;
  readonly report: (what: string, thrown?: unknown) => void;
}

type PlainCall = Omit<ProxyCall, "path" | "search" | "prefix">;

/** What is done with what Node's server brings. */
export class Dispatch {
  readonly #options: DispatchOptions;
  /** Whose a connection is, is known from where it came in. */
  readonly #entranceOf = new WeakMap<Duplex, Entrance>();

  constructor(options: DispatchOptions) {
    this.#options = options;
  }

  adopt(connection: Duplex, entrance: Entrance): void {
    this.#entranceOf.set(connection, entrance);
  }

  /** @param isHeldBack the hand waits with its body until it is told to send it */
  request(request: IncomingMessage, response: ServerResponse, isHeldBack: boolean): void {
    const entrance = this.#entranceOf.get(request.socket);
    if (entrance === undefined) return void response.destroy();
    const hasRoom = entrance.begin(request.socket);
    const gone = new AbortController();
    response.on("error", () => {});
    response.once("close", () => {
      entrance.end(request.socket);
      if (!response.writableFinished) gone.abort(new Error("The hand's connection has ended."));
    });
    const wrong = faultOf(request) ?? (hasRoom ? undefined : BUSY);
    if (wrong !== undefined) return answerText(response, ...wrong);
    let isHeld = isHeldBack;
    const takeBody = (): void => {
      if (isHeld) response.writeContinue();
      isHeld = false;
    };
    const plain = { caller: entrance.caller, request, response, signal: gone.signal, takeBody };
    this.#route(entrance, plain).catch((thrown: unknown) => {
      if (hasCode(thrown, "secrets_unavailable")) return answerText(response, 503, thrown.message);
      if (!gone.signal.aborted) this.#options.report("A request to the credential proxy failed", thrown);
      answerText(response, 502, "This request could not be handled. See the log of Many Hands.");
    });
  }

  async #route(entrance: Entrance, plain: PlainCall): Promise<void> {
    const { request, response } = plain;
    const target = request.url ?? "";
    if (/^http:\/\//i.test(target)) {
      if (!entrance.isToken(proxyTokenOf(request))) return refuseProxy(response);
      return await this.#options.egress.get({ ...plain, path: target, search: "", prefix: "" });
    }
    const parsed = parseProxyPath(target);
    if (parsed === undefined) return answerText(response, 400, "The request's path can be read in more than one way.");
    const [, first = "", second = ""] = parsed.path.split("/");
    const isBare = first === "git";
    const header = request.headers["x-many-hands"];
    const token = isBare ? (typeof header === "string" ? header : "") : first;
    if (!entrance.isToken(token)) return answerText(response, 401, "The token is not one of this entrance.");
    const name = isBare ? first : second;
    const prefix = isBare ? "/git" : `/${first}/${second}`;
    const { routes } = this.#options;
    const found = Object.hasOwn(routes, name) ? routes[name] : undefined;
    if (found === undefined) return answerText(response, 404, "There is no such path: /<token>/api, mcp or git.");
    await found({ ...plain, path: parsed.path.slice(prefix.length) || "/", search: parsed.search, prefix });
  }

  tunnel(request: IncomingMessage, connection: Duplex, head: Buffer): void {
    const entrance = this.#entranceOf.get(connection);
    if (entrance === undefined || entrance.isBusy(connection)) return void connection.destroy();
    entrance.release(connection);
    if (!entrance.isToken(proxyTokenOf(request))) return endPlainly(connection, 407);
    const { egress, report } = this.#options;
    egress
      .connect({ caller: entrance.caller, target: request.url ?? "", connection, head })
      .catch((thrown: unknown) => {
        report("A tunnel failed", thrown);
        connection.destroy();
      });
  }

  /** What Node's parser did not take. */
  malformed(error: NodeJS.ErrnoException, connection: Duplex): void {
    // In the middle of an answer there is no place for another one.
    const isAnswering = this.#entranceOf.get(connection)?.isBusy(connection) !== false;
    if (isAnswering || !connection.writable) return void connection.destroy();
    endPlainly(connection, error.code === "HPE_HEADER_OVERFLOW" ? 431 : 400);
  }
}

type Fault = readonly [status: number, message: string];
const BUSY: Fault = [503, `More than ${limits.proxyRequestsMax} requests are under way. Try again later.`];

/** What is wrong with a head that Node's parser took. */
function faultOf({ rawHeaders, headers, method }: IncomingMessage): Fault | undefined {
  if (rawHeaders.length > 2 * limits.proxyHeadersMax) return [431, "The request has too many headers."];
  const names = rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
  const isTwice = (name: string): boolean => names.indexOf(name) !== names.lastIndexOf(name);
  if (["host", "content-length", "transfer-encoding", "x-many-hands"].some(isTwice)) {
    return [400, "A header that may be there once is there twice."];
  }
  const coding = headers["transfer-encoding"];
  if (coding !== undefined && (headers["content-length"] !== undefined || coding.toLowerCase() !== "chunked")) {
    return [400, "The length of the request's body can be read in more than one way."];
  }
  // It makes a server send back all that it was sent.
  return method === "TRACE" ? [405, "TRACE is not forwarded."] : undefined;
}

/** The password of `Proxy-Authorization: Basic`, or the empty string. */
function proxyTokenOf(request: IncomingMessage): string {
  const [, encoded = ""] = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(request.headers["proxy-authorization"] ?? "") ?? [];
  return /:(.*)$/s.exec(Buffer.from(encoded, "base64").toString())?.[1] ?? "";
}

const REALM = 'Basic realm="Many Hands"';

function refuseProxy(response: ServerResponse): void {
  answerText(response, 407, "The token is not one of this entrance.", { "proxy-authenticate": REALM });
}

/** An answer outside of Node's own, after which the connection ends. */
function endPlainly(connection: Duplex, status: number): void {
  const body = `Many Hands: ${http.STATUS_CODES[status] ?? ""}.\n`;
  const authenticate = status === 407 ? `Proxy-Authenticate: ${REALM}\r\n` : "";
  const head = `HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? ""}\r\nConnection: close\r\n${authenticate}`;
  connection.end(`${head}Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`, () => {
    connection.destroy();
  });
}
