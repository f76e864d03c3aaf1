/** MCP servers by name: `/<token>/mcp/<name>`, over streamable HTTP or SSE, with the credential that is for them. */
import { Transform } from "node:stream";
import type { UseAuthority } from "../../core/vault.ts";
import type { Forwarder } from "./forward.ts";
import { answerText } from "./proxyRoute.ts";
import type { ProxyRoute } from "./proxyRoute.ts";

/** A remote MCP server as hands call it. */
export interface McpDefinition {
  /** `^[a-z0-9][a-z0-9._-]{0,63}$`. */
  readonly name: string;
  /** Its endpoint. http only for loopback addresses. */
  readonly url: string;
}

export interface McpRouteOptions {
  readonly authority: UseAuthority;
  readonly forwarder: Forwarder;
  readonly servers: () => readonly McpDefinition[];
}

/**
 * `/<token>/mcp/<name>` is the endpoint itself; `/<token>/mcp/<name>/<path>` another path of its origin, which a server over
 * SSE names for what the client posts. Each is decided on by itself.
 */
export function createMcpRoute({ authority, forwarder, servers }: McpRouteOptions): ProxyRoute {
  return async (call) => {
    const [, name = ""] = call.path.split("/");
    const server = servers().find((one) => one.name === name);
    if (server === undefined || !URL.canParse(server.url)) {
      return answerText(call.response, 404, `There is no MCP server "${name}". A person can name it in the settings.`);
    }
    const endpoint = new URL(server.url);
    const rest = call.path.slice(name.length + 1);
    const search = rest === "" && call.search === "" ? endpoint.search : call.search;
    const target = new URL((rest === "" ? endpoint.pathname : rest) + search, endpoint.origin);
    if (target.origin !== endpoint.origin || (rest !== "" && target.pathname !== rest)) {
      return answerText(call.response, 400, "The request's path can be read in more than one way.");
    }
    const decision = await authority.decide(
      {
        session_id: call.caller.session_id,
        hand: call.caller.hand,
        // Not `mcp`: that is the harness, each of whose calls a person may have to confirm.
        kind: "http",
        origin: target.origin,
        path: target.pathname,
        method: call.request.method ?? "GET",
      },
      call.signal,
    );
    if (!decision.allowed) return answerText(call.response, 403, decision.message);
    const relocate = (location: URL): string => `${call.prefix}/${name}${location.pathname}${location.search}`;
    await forwarder.forward({
      call,
      target,
      allowed: decision,
      relocate,
      change: (_, headers) =>
        call.request.method === "GET" && /^text\/event-stream\b/i.test(headers["content-type"] ?? "")
          ? relocateEndpoint(target, relocate)
          : undefined,
    });
  };
}

const ENDPOINT = "event:endpoint";
/** How much of a stream is looked at for its first event. */
const firstEventCharsMax = 8_192;

/** In a stream whose first event is `endpoint`: its address becomes the one at the proxy. All else passes as it is, at once. */
function relocateEndpoint(target: URL, relocate: (location: URL) => string): Transform {
  let head: string | null = "";
  return new Transform({
    transform(chunk: Buffer, _, done) {
      if (head === null) return done(null, chunk);
      head += chunk.toString("latin1");
      const start = head.replace(/^event: ?/, "event:");
      const isOther = !start.startsWith(ENDPOINT) && !ENDPOINT.startsWith(start);
      const isWhole = isOther || /\r?\n\r?\n/.test(head) || head.length > firstEventCharsMax;
      if (!isWhole) return done();
      const changed = head.replace(/^(event: ?endpoint\r?\ndata: ?)(\S+)/, (whole, start: string, address: string) => {
        if (!URL.canParse(address, target.href)) return whole;
        const url = new URL(address, target.href);
        return url.origin === target.origin ? start + relocate(url) : whole;
      });
      head = null;
      done(null, Buffer.from(changed, "latin1"));
    },
    flush(done) {
      done(null, head === null ? undefined : Buffer.from(head, "latin1"));
    },
  });
}
