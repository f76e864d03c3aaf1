/** Which headers pass between a hand and a server: end-to-end ones that neither authenticate nor reroute. */
import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";

/** Of one connection only (RFC 9110, 7.6.1), and what Node sets anew. */
const HOP = new Set([
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
]);

/**
 * Not from a hand: what authenticates it, what makes some servers see another path, method or host than the one that was
 * decided on, what would show the entrance's token (`referer`), and what cuts a value in pieces that cannot be found
 * (`range`: a server may always answer with the whole).
 */
const NOT_SENT = new Set([
  "authorization",
  "cookie",
  "cookie2",
  "x-many-hands",
  "host",
  "content-length",
  "expect",
  "accept-encoding",
  "range",
  "if-range",
  "referer",
  "origin",
  "via",
  "forwarded",
  "x-real-ip",
  "x-original-url",
  "x-original-uri",
  "x-original-host",
  "x-rewrite-url",
  "x-host",
  "x-http-host-override",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "max-forwards",
]);
const NOT_SENT_LIKE = /^(?:x-forwarded-|proxy-|sec-)/;

/** Not to a hand: what only makes sense between a browser and that server's own address. */
const NOT_RETURNED = new Set([
  "set-cookie",
  "set-cookie2",
  "alt-svc",
  "strict-transport-security",
  "public-key-pins",
  "clear-site-data",
  "refresh",
  "location",
  "content-length",
]);

/** What the proxy asks for and can decode. Not `deflate`: servers mean two different things by it. */
const DECODABLE = ["gzip", "br"] as const;

/** Names in small letters with all their values; an underscore counts as a hyphen, as CGI has it. */
function passed(message: IncomingMessage, drop: (name: string) => boolean): Record<string, string[]> {
  const listed = (message.headers.connection ?? "").toLowerCase().split(",");
  const dropped = new Set(listed.map((name) => name.trim()));
  const kept: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    const name = (message.rawHeaders[at] ?? "").toLowerCase();
    const plain = name.replaceAll("_", "-");
    if (HOP.has(plain) || dropped.has(name) || drop(plain)) continue;
    (kept[name] ??= []).push(message.rawHeaders[at + 1] ?? "");
  }
  return kept;
}

/** All but those of one connection: for what passes without anything added or searched for. */
export function connectionHeaders(message: IncomingMessage): Record<string, string[]> {
  return passed(message, (name) => name === "host");
}

/** What goes out to the server of a hand's headers; lengths and encodings are the caller's. `own`: names that are set after. */
export function requestHeaders(request: IncomingMessage, own: readonly string[]): OutgoingHttpHeaders {
  const replaced = new Set(own.map((name) => name.replaceAll("_", "-")));
  return passed(request, (name) => NOT_SENT.has(name) || NOT_SENT_LIKE.test(name) || replaced.has(name));
}

/** What goes back to the hand of a server's headers; `location` and `content-length` are the caller's. */
export function responseHeaders(response: IncomingMessage): Record<string, string[]> {
  return passed(response, (name) => NOT_RETURNED.has(name));
}

/** Of what the hand accepts, what the proxy can look into. */
export function acceptedEncoding(request: IncomingMessage): string {
  const header = request.headers["accept-encoding"];
  const offered = (Array.isArray(header) ? header.join(",") : (header ?? "")).toLowerCase().split(",");
  const accepted = new Set(
    offered.flatMap((part) => {
      const [name = "", quality = ""] = part.split(";").map((piece) => piece.trim());
      return /^q=0(?:\.0*)?$/.test(quality) ? [] : [name];
    }),
  );
  const common = DECODABLE.filter((name) => accepted.has(name));
  return common.length === 0 ? "identity" : common.join(", ");
}

/** The length that the message says its body has; undefined: none is said. */
export function lengthOf(message: IncomingMessage): number | undefined {
  const text = message.headers["content-length"];
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** True where a request brings a body, be it of length 0. */
export function hasBody(request: IncomingMessage): boolean {
  return request.headers["transfer-encoding"] !== undefined || request.headers["content-length"] !== undefined;
}
