/** Says what a failed model request means: whether another try can help, and what the person can do about it. */
import { ManyHandsError } from "../../core/errors.ts";
import type { SessionErrorType } from "../../core/events.ts";
import { isObject } from "../../core/json.ts";
import type { ModelError } from "../../core/model.ts";
import { connectionError } from "./connectionErrors.ts";
import type { ErrorContext } from "./connectionErrors.ts";

/** An answer with a status that is not a success. */
interface Refusal {
  readonly status: number;
  /** The body as JSON; undefined where it is none. */
  readonly body: unknown;
  readonly headers: Headers;
}

const SET_KEY = 'set the key with "Many Hands: Set API Key"';
const MODEL_SETTING = "the setting manyHands.model.id";
const URL_SETTING = "the setting manyHands.model.baseUrl";
const quotedCharsMax = 300;

const SPEND_LIMITS = new Set(["contract_spend_limit_reached", "enforced_spend_limit_reached"]);
const BILLING = /credit balance|usage limits?\b|spend(ing)? limit|billing|purchase credits/i;
const TOO_LONG =
  /prompt is too long|exceeds? (the )?(available )?context|context (limit|length|window|size)|too many (total )?(text )?bytes|input is too long/i;
const STATUS_OF_TYPE: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  conflict_error: 409,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
};

/** The error for whatever was thrown on the way to the response's headers. */
export function errorOfThrown(thrown: unknown, context: ErrorContext): ModelError {
  const own = causes(thrown).find((cause) => cause instanceof ManyHandsError);
  if (own !== undefined) return failure(own.message, { origin: own.origin });
  if (isObject(thrown) && typeof thrown["status"] === "number") {
    const headers = thrown["headers"] instanceof Headers ? thrown["headers"] : new Headers();
    return errorOfRefusal({ status: thrown["status"], body: thrown["error"], headers }, context);
  }
  return connectionError(causes(thrown), context);
}

/** The error for a refusal, whether its body is the API's, a gateway's or a web page. */
function errorOfRefusal(refusal: Refusal, context: ErrorContext): ModelError {
  const { status, headers } = refusal;
  if (status >= 300 && status < 400) return redirected(headers, context);
  const error = errorIn(refusal.body);
  if (error === undefined) return notTheApi(status, headers, context);
  return errorOfStatus(status, error, headers, context);
}

/** The error for an `error` event in mid-stream: the response was a success until then, so its type alone says what it is. */
export function errorOfStream(body: unknown, context: ErrorContext): ModelError {
  const error = errorIn(body) ?? { type: "api_error", message: "", code: undefined };
  return errorOfStatus(STATUS_OF_TYPE[error.type] ?? 500, error, new Headers(), context);
}

/** The error for an answer with a success status that is not the protocol's stream. */
export function errorOfForeignAnswer(contentType: string | null, context: ErrorContext): ModelError {
  const kind = contentType === null || contentType === "" ? "something" : clean(contentType, context);
  return failure(
    `${context.endpoint.origin} answered with ${kind} in place of a Messages stream. Check ${URL_SETTING}.`,
  );
}

interface SaidError {
  readonly type: string;
  readonly message: string;
  readonly code: string | undefined;
}

/** The error that a JSON body holds: the API's form, or those of gateways and local servers ({error: "…"}, {message}). */
function errorIn(body: unknown): SaidError | undefined {
  if (!isObject(body)) return undefined;
  const error = isObject(body["error"]) ? body["error"] : body;
  const message = [error["message"], body["error"], body["detail"], body["message"]].find(
    (text) => typeof text === "string",
  );
  if (message === undefined) return undefined;
  const details = isObject(error["details"]) ? error["details"] : {};
  const code = typeof details["error_code"] === "string" ? details["error_code"] : undefined;
  return { type: typeof error["type"] === "string" ? error["type"] : "", message: message, code };
}

function errorOfStatus(status: number, error: SaidError, headers: Headers, context: ErrorContext): ModelError {
  const said = quoted(error.message, context);
  const timing = retryAfter(headers, context);
  if (
    status === 402 ||
    SPEND_LIMITS.has(error.code ?? "") ||
    ([400, 403, 429].includes(status) && BILLING.test(error.message))
  ) {
    return failure(`The account cannot pay for this request${said}. Look at its billing and limits.`, {
      type: "billing_error",
    });
  }
  switch (status) {
    case 401:
      return failure(`The key was not accepted${said}. To go on, ${SET_KEY}.`);
    case 403:
      return failure(`The key may not be used for this${said}. Change its permissions, or ${SET_KEY}.`);
    case 404:
      return notFound(error, said, context);
    case 413:
      return failure(`The request is larger than the endpoint takes${said}.`, { context_exceeded: true });
    case 429:
      return failure(`The rate limit of the model is reached${said}.`, {
        type: "model_rate_limited_error",
        retryable: true,
        ...timing,
      });
    case 503:
    case 529:
      return failure(`The model is overloaded${said}.`, { type: "model_overloaded_error", retryable: true, ...timing });
    default:
  }
  if (TOO_LONG.test(error.message)) {
    return failure(`The conversation is longer than the model can hold${said}.`, { context_exceeded: true });
  }
  if (status >= 500 || status === 408 || status === 409) {
    const retryable = headers.get("x-should-retry") !== "false";
    return failure(`The model's endpoint failed with status ${status}${said}.`, { retryable, ...timing });
  }
  const retryable = headers.get("x-should-retry") === "true";
  return failure(`The model's endpoint refused the request${said}.`, { retryable, ...timing });
}

/** The API's own words name the model; "Not Found" alone is about the address, or a gateway's about either. */
function notFound(error: SaidError, said: string, context: ErrorContext): ModelError {
  const model = clean(context.model, context);
  if (/model/i.test(error.message)) {
    return failure(`The endpoint does not know the model "${model}"${said}. Check ${MODEL_SETTING}.`);
  }
  const { origin } = context.endpoint;
  return failure(
    `${origin} has no Messages API at this address, or no model "${model}"${said}. Check ${URL_SETTING}, and ${MODEL_SETTING}.`,
  );
}

/** A web page, or an empty answer: from a proxy on the way, or because the address is not an API's. */
function notTheApi(status: number, headers: Headers, context: ErrorContext): ModelError {
  const { origin, isDefault } = context.endpoint;
  const timing = retryAfter(headers, context);
  if (status === 429) {
    return failure("The rate limit of the model is reached.", {
      type: "model_rate_limited_error",
      retryable: true,
      ...timing,
    });
  }
  if (status >= 500 || status === 408) {
    const overloaded = status === 529 || status === 503;
    const type = overloaded ? "model_overloaded_error" : "model_request_failed_error";
    return failure(`${origin} failed with status ${status}.`, { type, retryable: true, origin: "network", ...timing });
  }
  if (status === 401) return failure(`${origin} wants a key, or another one: ${SET_KEY}.`);
  if (status === 407) {
    const message = "The proxy wants a name and password (status 407). Check VS Code's setting http.proxy.";
    return failure(message, { origin: "network" });
  }
  const check = isDefault
    ? "A proxy on the way may have answered: check VS Code's setting http.proxy"
    : `Check ${URL_SETTING}`;
  return failure(`${origin} answered with status ${status}, but not as the Messages API does. ${check}.`);
}

/** Redirects are not followed: the key belongs to the configured address and to no other. */
function redirected(headers: Headers, context: ErrorContext): ModelError {
  let target = "elsewhere";
  try {
    target = `to ${new URL(headers.get("location") ?? "", context.endpoint.baseUrl).origin}`;
  } catch {
    // An address that cannot be parsed is "elsewhere".
  }
  return failure(
    `${context.endpoint.origin} redirects ${target}. Put the address that it leads to into ${URL_SETTING}.`,
  );
}

/** When the server wants the next try: `retry-after-ms`, or `retry-after` in seconds or as a date. */
function retryAfter(headers: Headers, context: ErrorContext): { retry_after_ms?: number } {
  const exact = Number.parseFloat(headers.get("retry-after-ms") ?? "");
  if (exact >= 0) return { retry_after_ms: exact };
  const text = headers.get("retry-after")?.trim() ?? "";
  if (text === "") return {};
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - context.now();
  return Number.isFinite(ms) ? { retry_after_ms: Math.max(0, Math.round(ms)) } : {};
}

interface FailureDetails {
  readonly type?: SessionErrorType;
  readonly retryable?: boolean;
  readonly retry_after_ms?: number;
  readonly origin?: ModelError["origin"];
  readonly context_exceeded?: boolean;
}

/** A model error; not retryable and from the brain's side of the world where nothing else is said. */
export function failure(message: string, details: FailureDetails = {}): ModelError {
  return { type: "model_request_failed_error", retryable: false, origin: "brain", ...details, message };
}

/** The server's words in brackets, or nothing. */
function quoted(message: string, context: ErrorContext): string {
  const text = clean(message, context).replace(/[.\s]+$/, "");
  return text === "" ? "" : ` (${text})`;
}

/** One line without credentials, control characters or excess. */
function clean(text: string, context: ErrorContext): string {
  const line = context
    .redact(text)
    .replace(/[\p{Cc}\s]+/gu, " ")
    .trim();
  return line.length > quotedCharsMax ? `${line.slice(0, quotedCharsMax)}…` : line;
}

/** What was thrown and its causes, outermost first. */
function causes(thrown: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let cause = thrown; isError(cause) && chain.length < 8; cause = cause.cause) chain.push(cause);
  return chain.length === 0 ? [thrown] : chain;
}

function isError(value: unknown): value is Error {
  return value instanceof Error;
}
