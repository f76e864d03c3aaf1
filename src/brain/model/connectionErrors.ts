/** Names what kept a request from reaching the model: the network, a name, a certificate, an address that is no web server. */
import type { ModelError } from "../../core/model.ts";
import type { ModelEndpoint } from "../../core/modelEndpoint.ts";

/** What the words of an error depend on. */
export interface ErrorContext {
  readonly endpoint: ModelEndpoint;
  readonly model: string;
  /** Takes credentials out of a server's words (I9). */
  readonly redact: (text: string) => string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

interface Fault {
  /** Matches a code or name of Node's errors, or a code of Chromium's network stack, which VS Code may use. */
  readonly codes: RegExp;
  /** The sentence, without the hint about the address. */
  readonly says: (host: string) => string;
  readonly retryable: boolean;
  readonly hint: "address" | "network" | "certificate";
}

/** First match counts. */
const FAULTS: readonly Fault[] = [
  {
    codes: /^(ENOTFOUND|EAI_AGAIN|EAI_NODATA)$|ERR_NAME_(NOT_RESOLVED|RESOLUTION_FAILED)|ERR_INTERNET_DISCONNECTED/,
    says: (host) => `The name ${host} cannot be found.`,
    retryable: true,
    hint: "address",
  },
  {
    codes: /^ECONNREFUSED$|ERR_CONNECTION_REFUSED/,
    says: (host) => `Nothing answers at ${host}.`,
    retryable: true,
    hint: "address",
  },
  {
    codes: /^(ERR_SSL_|EPROTO)|ERR_SSL_PROTOCOL_ERROR|ERR_SSL_VERSION/,
    says: (host) => `${host} does not speak TLS as https wants it.`,
    retryable: false,
    hint: "address",
  },
  {
    codes: /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET)|HOSTNAME_MISMATCH|ERR_TLS/,
    says: (host) => `The certificate of ${host} cannot be trusted.`,
    retryable: false,
    hint: "certificate",
  },
  {
    codes: /^HPE_|HTTPParserError|ERR_INVALID_HTTP_RESPONSE|ERR_EMPTY_RESPONSE/,
    says: (host) => `${host} does not answer as a web server does.`,
    retryable: false,
    hint: "address",
  },
  {
    codes: /ERR_PROXY|ERR_TUNNEL/,
    says: (host) => `The proxy on the way to ${host} failed.`,
    retryable: true,
    hint: "network",
  },
  {
    codes: /TIMEOUT|TIMED_OUT|^ETIMEDOUT$/,
    says: (host) => `${host} did not answer in time.`,
    retryable: true,
    hint: "network",
  },
];

/** `chain` is what was thrown and its causes. What is not recognised is taken for a network that is down: retryable. */
export function connectionError(chain: readonly unknown[], context: ErrorContext): ModelError {
  const codes = chain.flatMap(codesOf);
  const fault = FAULTS.find((each) => codes.some((code) => each.codes.test(code)));
  const host = new URL(context.endpoint.origin).host;
  const message =
    fault === undefined
      ? `The connection to ${host} was lost. Check the network.`
      : `${fault.says(host)} ${hintOf(fault.hint, context)}`;
  const retryable = fault?.retryable ?? true;
  return { type: "model_request_failed_error", message, retryable, origin: "network" };
}

function hintOf(hint: Fault["hint"], { endpoint }: ErrorContext): string {
  if (hint === "certificate") return "Check the clock, VS Code's setting http.proxy, or NODE_EXTRA_CA_CERTS.";
  if (hint === "network" || endpoint.isDefault) return "Check the network.";
  return "Check the setting manyHands.model.baseUrl, and the network.";
}

/** A connection that tried several addresses fails with an AggregateError, whose parts have the codes. */
function codesOf(thrown: unknown): string[] {
  if (!(thrown instanceof Error)) return [];
  const code = (thrown as { code?: unknown }).code;
  const parts = thrown instanceof AggregateError ? thrown.errors.flatMap(codesOf) : [];
  const chromium = /net::(ERR_\w+)/.exec(thrown.message)?.[1];
  return [
    thrown.name,
    ...(typeof code === "string" ? [code] : []),
    ...parts,
    ...(chromium === undefined ? [] : [chromium]),
  ];
}
