/** Why an MCP server did not answer, in words that say what to do, under the hosted API's names. */
import { ManyHandsError } from "../../core/errors.ts";
import { HandFailed } from "../../core/hand.ts";
import { isObject, messageOf } from "../../core/json.ts";

/** What a failed request leaves open. `not_run`: it is certain that the server has not acted on it. */
export interface Fault {
  readonly kind: "lost" | "session_gone" | "refused" | "answered" | "timeout";
  readonly is_run: "no" | "unknown";
  readonly message: string;
}

const CHARS_MAX = 600;

export function faultOf(thrown: unknown): Fault {
  const own = ownOf(thrown);
  if (own !== null) return { kind: "refused", is_run: "no", message: own.message };
  const status = statusOf(thrown);
  const code = isObject(thrown) ? thrown["code"] : undefined;
  if (status === 401 || status === 403) return { kind: "refused", is_run: "no", message: refusalText(status) };
  if (status === 404) return { kind: "session_gone", is_run: "no", message: "it does not know this session any more" };
  if (status !== undefined) {
    const is_run = status >= 400 && status < 500 ? "no" : "unknown";
    return { kind: "lost", is_run, message: `it answered with HTTP status ${status}${bodyOf(thrown)}` };
  }
  if (code === "REQUEST_TIMEOUT") return { kind: "timeout", is_run: "unknown", message: "it did not answer in time" };
  // A JSON-RPC error is an answer like another.
  if (typeof code === "number") return { kind: "answered", is_run: "no", message: cut(messageOf(thrown)) };
  const network = networkCode(thrown);
  if (network !== null) {
    const is_run = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/.test(network) ? "no" : "unknown";
    return { kind: "lost", is_run, message: NETWORK_WORDS[network] ?? `the connection failed (${network})` };
  }
  return { kind: "lost", is_run: "unknown", message: cut(messageOf(thrown)) };
}

/** For a connection that could not be made. `server`: what it is, in words. */
export function connectionFailed(server: string, thrown: unknown, said = ""): ManyHandsError {
  if (thrown instanceof ManyHandsError && !(thrown instanceof HandFailed)) {
    return new HandFailed(
      "mcp_connection_failed_error",
      `${capital(server)} cannot be used: ${thrown.message}`,
      thrown,
    );
  }
  const own = ownOf(thrown);
  if (own !== null) return own;
  const fault = faultOf(thrown);
  if (fault.kind === "refused") {
    return new HandFailed("mcp_authentication_failed_error", `${capital(server)} refused: ${fault.message}`, thrown);
  }
  const last = said === "" ? "" : ` It last said: ${said}`;
  const why =
    fault.kind === "session_gone" ? "there is no MCP server at that address (HTTP status 404)" : fault.message;
  return new HandFailed("mcp_connection_failed_error", `${capital(server)} cannot be reached: ${why}.${last}`, thrown);
}

/** The vault's own word, when a request was refused here, however the protocol's library has wrapped it. */
function ownOf(thrown: unknown): HandFailed | null {
  for (let at: unknown = thrown, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    if (at instanceof HandFailed) return at;
  }
  return null;
}

const REFUSAL = "Many Hands: ";

/** `send`, whose refusals by the credential proxy are errors that say so. */
export function withRefusals(server: string, send: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (input, init) => {
    const response = await send(input, init);
    if (response.status !== 403) return response;
    const text = await response.clone().text();
    if (!text.startsWith(REFUSAL)) return response;
    const message = `${capital(server)} was not asked: ${text.slice(REFUSAL.length)}`;
    throw new HandFailed("mcp_authentication_failed_error", message);
  };
}

function refusalText(status: number): string {
  const advice = "Store a credential for its address in the vault, or replace the one that is there.";
  return `it wants to know who asks (HTTP status ${status}). ${advice}`;
}

function statusOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error)) return undefined;
  if (thrown.name === "UnauthorizedError") return 401;
  if (thrown.name === "InsufficientScopeError") return 403;
  const { data, code } = thrown as { data?: unknown; code?: unknown };
  if (isObject(data) && typeof data["status"] === "number") return data["status"];
  // The SSE transport puts the status there.
  return thrown.name === "SseError" && typeof code === "number" ? code : undefined;
}

function textOfBody(thrown: unknown): string {
  const data = isObject(thrown) ? thrown["data"] : undefined;
  const text = isObject(data) ? data["text"] : undefined;
  return typeof text === "string" ? cut(text.trim()) : "";
}

function bodyOf(thrown: unknown): string {
  const text = textOfBody(thrown);
  return text === "" || text.startsWith("<") ? "" : `: ${text}`;
}

const NETWORK_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens at that address (is the server started?)",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "its name could not be looked up",
  ECONNRESET: "the connection was cut",
  UND_ERR_SOCKET: "the connection was cut",
};

function networkCode(thrown: unknown): string | null {
  for (let at: unknown = thrown, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string" && /^(E[A-Z]+|UND_ERR_[A-Z_]+)$/.test(code)) return code;
    if (at instanceof AggregateError && at.errors[0] instanceof Error) return networkCode(at.errors[0]);
  }
  return null;
}

function cut(text: string): string {
  return text.length <= CHARS_MAX ? text : `${text.slice(0, CHARS_MAX - 1).toWellFormed()}…`;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
