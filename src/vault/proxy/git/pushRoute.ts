/** A push: decided on with every ref that it would change, before a byte of it leaves. */
import type { AllowedUse, UseAuthority } from "../../../core/vault.ts";
import { answerText, BodyError } from "../proxyRoute.ts";
import type { ProxyCall } from "../proxyRoute.ts";
import type { GitRequest } from "./gitPath.ts";
import { gitUse } from "./gitUse.ts";
import { readPushBody } from "./pushBody.ts";
import type { PushBody } from "./pushBody.ts";
import { canReport, refusalReport } from "./reportStatus.ts";
import type { PushHead } from "./pushCommands.ts";

/** Options that make a server do no more than the push. Others merge, release or skip a check with the token's rights. */
const PLAIN_OPTION = /^(?:ci\.skip|integrations\.skip_ci)$/;

export interface PushParts {
  readonly authority: UseAuthority;
  /** Sends it on, with this body. */
  readonly send: (allowed: AllowedUse, body: PushBody) => Promise<void>;
}

export async function push(call: ProxyCall, git: GitRequest, { authority, send }: PushParts): Promise<void> {
  call.takeBody();
  let body: PushBody;
  try {
    body = await readPushBody(call.request);
  } catch (thrown) {
    if (!(thrown instanceof BodyError)) throw thrown;
    return answerText(call.response, thrown.status, thrown.message);
  }
  const { reading } = body;
  if (reading.state === "more") return;
  if (reading.state === "refused") {
    return await refuse(call, body, { changes: [], capabilities: reading.capabilities }, reading.message);
  }
  const { head } = reading;
  const option = head.options.find((text) => !PLAIN_OPTION.test(text));
  if (option !== undefined) {
    const message = `The push option ${JSON.stringify(option.slice(0, 100))} is not passed on: it can do more than a grant for refs says. Push without it.`;
    return await refuse(call, body, head, message);
  }
  const refs = head.changes.map(({ ref }) => ref);
  const use = gitUse(call, git, "/git-receive-pack", "push", refs.length === 0 ? undefined : refs);
  const decision = await authority.decide(use, call.signal);
  if (!decision.allowed) return await refuse(call, body, head, decision.message);
  await send(decision, body);
}

type Refused = Pick<PushHead, "changes" | "capabilities">;

/** In git's words where the client reads them, so that it names each ref and the reason. */
async function refuse(call: ProxyCall, body: PushBody, head: Refused, message: string): Promise<void> {
  await body.drain();
  if (!canReport(head.capabilities)) return answerText(call.response, 403, message);
  const report = refusalReport(head, message);
  call.response.writeHead(200, {
    "content-type": "application/x-git-receive-pack-result",
    "content-length": report.length,
    "cache-control": "no-cache",
  });
  call.response.end(report);
}
