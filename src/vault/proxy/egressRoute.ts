/** The way out of a limited network: CONNECT and plain HTTP to allowed hosts, at the very address that was checked, without any credential. */
import { lookup } from "node:dns/promises";
import http from "node:http";
import type { IncomingMessage } from "node:http";
import { connect as connectTo, isIP } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { messageOf } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import { isPublicAddress } from "../publicAddress.ts";
import { isHostAllowed, parseDestination } from "./egressRules.ts";
import type { Destination } from "./egressRules.ts";
import { connectionHeaders } from "./proxyHeaders.ts";
import { answerText } from "./proxyRoute.ts";
import type { ProxyCall, ProxyCaller } from "./proxyRoute.ts";

/** All addresses of a name; rejects where there are none. */
export type Resolve = (host: string) => Promise<readonly string[]>;
/** A connection to an address, in the course of being made: `connect` or `error` follows. */
export type Dial = (address: string, port: number) => Duplex;

export interface EgressRouteOptions {
  readonly resolve?: Resolve;
  readonly dial?: Dial;
}

interface Tunnel {
  readonly caller: ProxyCaller;
  /** `host:port`. */
  readonly target: string;
  readonly connection: Duplex;
  /** What the hand sent after the head of its request. */
  readonly head: Buffer;
}

export interface EgressRoute {
  /** `path` of the call is the whole address. */
  get(call: ProxyCall): Promise<void>;
  connect(tunnel: Tunnel): Promise<void>;
}

/** What the hand reads in place of an answer. */
class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const systemResolve: Resolve = async (host) => (await lookup(host, { all: true })).map(({ address }) => address);
const systemDial: Dial = (address, port) => connectTo({ host: address, port, allowHalfOpen: true, noDelay: true });

export function createEgressRoute({ resolve = systemResolve, dial = systemDial }: EgressRouteOptions): EgressRoute {
  const open = async (caller: ProxyCaller, destination: Destination | undefined): Promise<Duplex> =>
    await dialFirst(await addressesOf(caller, destination, resolve), destination, dial);
  return {
    async connect({ caller, target, connection, head }) {
      try {
        const server = await open(caller, parseDestination(target));
        if (connection.destroyed) return void server.destroy();
        connection.write("HTTP/1.1 200 Connection Established\r\n\r\n");
        if (head.length > 0) server.write(head);
        join(connection, server);
      } catch (thrown) {
        if (!(thrown instanceof Refused)) throw thrown;
        const body = Buffer.from(`Many Hands: ${thrown.message}\n`);
        const status = `HTTP/1.1 ${thrown.status} ${http.STATUS_CODES[thrown.status] ?? ""}`;
        const type = `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}`;
        connection.write(`${status}\r\nConnection: close\r\n${type}\r\n\r\n`);
        connection.end(body, () => connection.destroy());
      }
    },
    async get(call) {
      try {
        const url = URL.canParse(call.path) ? new URL(call.path) : undefined;
        const port = url?.port === "" ? "80" : url?.port;
        const isPlain = url !== undefined && url.username === "" && url.password === "";
        const server = await open(call.caller, isPlain ? parseDestination(`${url.hostname}:${port}`) : undefined);
        if (isPlain) await exchange(call, url, server);
      } catch (thrown) {
        if (call.signal.aborted) return;
        if (thrown instanceof Refused) return answerText(call.response, thrown.status, thrown.message);
        answerText(call.response, 502, `The host could not be asked: ${messageOf(thrown)}.`);
      }
    },
  };
}

/** Looked up once: a name that points elsewhere a moment later changes nothing. */
async function addressesOf(
  caller: ProxyCaller,
  destination: Destination | undefined,
  resolve: Resolve,
): Promise<readonly string[]> {
  if (caller.egress === null) throw new Refused(403, "This hand's network is not limited: go straight there.");
  if (destination === undefined) throw new Refused(400, "The destination is not a host with a port.");
  const { host, port } = destination;
  if (!isHostAllowed(caller.egress.allowed_hosts, destination)) {
    throw new Refused(
      403,
      `${host}:${port} is not among this hand's allowed hosts. A person can add it in the settings.`,
    );
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Refused(504, `${host} was not found in time.`)), limits.proxyConnectMs);
  });
  try {
    const addresses = isIP(host) === 0 ? await Promise.race([resolve(host), late]) : [host];
    if (addresses.length === 0) throw new Refused(502, `${host} has no address.`);
    // One of them in a private network: the name is not to be trusted with the others either.
    if (addresses.every(isPublicAddress)) return addresses;
  } catch (thrown) {
    if (thrown instanceof Refused) throw thrown;
    throw new Refused(502, `${host} could not be found.`);
  } finally {
    clearTimeout(timer);
  }
  throw new Refused(403, `${host} is an address within a private network or on this computer, which no hand reaches.`);
}

async function dialFirst(
  addresses: readonly string[],
  destination: Destination | undefined,
  dial: Dial,
): Promise<Duplex> {
  const { host, port } = destination ?? { host: "", port: 0 };
  for (const address of addresses.slice(0, ADDRESSES_TRIED_MAX)) {
    const server = dial(address, port);
    const isOpen = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), limits.proxyConnectMs);
      const end = (result: boolean) => () => {
        clearTimeout(timer);
        resolve(result);
      };
      server.once("connect", end(true)).once("error", end(false)).once("close", end(false));
    });
    if (isOpen) return server;
    server.destroy();
  }
  throw new Refused(502, `${host}:${port} could not be reached.`);
}

const ADDRESSES_TRIED_MAX = 3;

/** Ends both where too much passed or nothing did for too long. */
function limit(hand: Duplex, server: Duplex, sources: readonly NodeJS.ReadableStream[]): () => void {
  const cut = (): void => {
    hand.destroy();
    server.destroy();
  };
  const idle = setTimeout(cut, limits.proxyTunnelIdleMs).unref();
  let bytes = 0;
  for (const source of sources) {
    source.on("data", (chunk: Buffer) => {
      idle.refresh();
      bytes += chunk.length;
      if (bytes > limits.proxyTunnelBytesMax) cut();
    });
  }
  return () => clearTimeout(idle);
}

function join(hand: Duplex, server: Duplex): void {
  const stop = limit(hand, server, [hand, server]);
  server.on("error", () => hand.destroy());
  hand.on("error", () => server.destroy());
  hand.once("close", () => {
    stop();
    server.destroy();
  });
  server.once("close", () => {
    if (!server.readableEnded) hand.destroy();
  });
  hand.pipe(server);
  server.pipe(hand);
}

/** One request over a connection of its own. */
async function exchange({ request, response, signal }: ProxyCall, url: URL, server: Duplex): Promise<void> {
  const outgoing = http.request({
    method: request.method,
    path: url.pathname + url.search,
    headers: { ...connectionHeaders(request), host: url.host, connection: "close" },
    createConnection: () => server,
    maxHeaderSize: limits.proxyAnswerHeadBytesMax,
    signal,
  });
  const stop = limit(request.socket, server, [request]);
  try {
    const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once("response", resolve);
      outgoing.once("error", reject);
      outgoing.on("upgrade", (_, socket) => socket.destroy());
      request.pipe(outgoing);
    });
    outgoing.on("error", () => {});
    limitAnswer(incoming, request.socket, server);
    response.writeHead(incoming.statusCode ?? 502, connectionHeaders(incoming));
    await pipeline(incoming, response);
  } finally {
    stop();
    server.destroy();
  }
}

function limitAnswer(incoming: IncomingMessage, hand: Duplex, server: Duplex): void {
  incoming.once("close", limit(hand, server, [incoming]));
}
