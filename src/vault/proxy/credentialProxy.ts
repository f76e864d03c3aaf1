/** The credential proxy: an HTTP server that never listens; each hand's connections come in through an entrance of its own. */
import http from "node:http";
import type { Duplex } from "node:stream";
import type { SessionId } from "../../core/ids.ts";
import { limits } from "../../core/limits.ts";
import type { Egress, UseAuthority } from "../../core/vault.ts";
import { createApiRoute } from "./apiRoute.ts";
import type { ApiDefinition } from "./apiRoute.ts";
import { Dispatch } from "./dispatch.ts";
import { createEgressRoute } from "./egressRoute.ts";
import type { Dial, Resolve } from "./egressRoute.ts";
import { Entrance } from "./entrance.ts";
import type { Deadlines } from "./entrance.ts";
import { createForwarder } from "./forward.ts";
import type { FindForms, Forwarder } from "./forward.ts";
import { createMcpRoute } from "./mcpRoute.ts";
import type { McpDefinition } from "./mcpRoute.ts";
import type { ProxyRoute } from "./proxyRoute.ts";

interface EntranceOptions {
  readonly session_id: SessionId;
  readonly hand: string;
  /** 32 random bytes, base64url; dies with the entrance. */
  readonly token: string;
  /** null: the hand's network is not limited. */
  readonly egress: Egress | null;
}

export interface ProxyEntrance {
  readonly token: string;
  /** Takes a connection that came from this hand and no other. */
  accept(connection: NodeJS.ReadWriteStream): void;
  /** Ends all that came in through it; what comes later is refused. */
  close(): void;
}

export interface CredentialProxy {
  openEntrance(options: EntranceOptions): ProxyEntrance;
  close(): void;
}

/** What a route is made of that is given to the proxy from outside: git's. */
export interface RouteParts {
  readonly authority: UseAuthority;
  readonly forwarder: Forwarder;
  readonly report: (what: string, thrown?: unknown) => void;
}

export type RouteFactory = (parts: RouteParts) => ProxyRoute;

export interface CredentialProxyOptions {
  readonly authority: UseAuthority;
  readonly findForms: FindForms;
  /** Asked at each request: settings change. */
  readonly apis: () => readonly ApiDefinition[];
  readonly mcpServers: () => readonly McpDefinition[];
  /** `/git/…`; without it there is no such path. */
  readonly git?: RouteFactory;
  /** For the operator's log; holds no value. */
  readonly report: (what: string, thrown?: unknown) => void;
  /** Authorities beside the usual ones, as PEM. */
  readonly ca?: string;
  /** How names of a limited network become addresses, and connections to them; by default the system's. */
  readonly resolve?: Resolve;
  readonly dial?: Dial;
  readonly deadlines?: Deadlines;
}

export function createCredentialProxy(options: CredentialProxyOptions): CredentialProxy {
  const { authority, report } = options;
  const forwarder = createForwarder(options);
  const parts = { authority, forwarder, report };
  const routes = {
    api: createApiRoute({ ...parts, apis: options.apis }),
    mcp: createMcpRoute({ ...parts, servers: options.mcpServers }),
    git: options.git?.(parts),
  };
  const dispatch = new Dispatch({ routes, egress: createEgressRoute(options), report });
  const entrances = new Set<Entrance>();
  const server = createServer();
  server.on("request", (request, response) => dispatch.request(request, response, false));
  server.on("checkContinue", (request, response) => dispatch.request(request, response, true));
  server.on("connect", (request, connection, head) => dispatch.tunnel(request, connection, head));
  server.on("clientError", (error, connection) => dispatch.malformed(error, connection));
  return {
    openEntrance({ session_id, hand, token, egress }) {
      const entrance = new Entrance({ session_id, hand, egress }, token, options.deadlines);
      entrances.add(entrance);
      return {
        token,
        accept(given) {
          const connection = given as Duplex;
          if (!entrance.add(connection)) return;
          dispatch.adopt(connection, entrance);
          server.emit("connection", connection);
        },
        close() {
          entrance.close();
          entrances.delete(entrance);
        },
      };
    },
    close() {
      for (const entrance of entrances) entrance.close();
      entrances.clear();
      forwarder.close();
    },
  };
}

function createServer(): http.Server {
  const server = http.createServer({
    insecureHTTPParser: false,
    maxHeaderSize: limits.proxyHeadBytesMax,
    requireHostHeader: true,
    // Deadlines are the entrance's: those of Node begin with listening.
    headersTimeout: 0,
    requestTimeout: 0,
    keepAliveTimeout: limits.proxyIdleMs,
    noDelay: true,
  });
  server.maxRequestsPerSocket = limits.proxyConnectionRequestsMax;
  // One more than may be: where Node drops the others silently, that is how they are noticed.
  server.maxHeadersCount = limits.proxyHeadersMax + 1;
  return server;
}
