/** A refusal of a push in git's own words, so that plain `git push` says which ref was refused and why. */
import { bandPackets, flushPacket, packet } from "./pktLine.ts";
import type { PushHead } from "./pushCommands.ts";

/** Of a reason that stands behind a ref; the whole text is shown above it, where the client shows such text. */
const REASON_CHARS_MAX = 160;
const TEXT_CHARS_MAX = 4_000;

/** True where the client waits for an answer that names refs. */
export function canReport(capabilities: ReadonlySet<string>): boolean {
  return capabilities.has("report-status") || capabilities.has("report-status-v2");
}

/**
 * The body of an answer (`application/x-git-receive-pack-result`) that refuses the whole push: `ng` for each of its refs.
 * Where the client has side-band-64k, the whole message is printed as `remote:` lines as well.
 */
export function refusalReport(head: Pick<PushHead, "changes" | "capabilities">, message: string): Buffer {
  const text = oneLine(`Many Hands: ${message}`).slice(0, TEXT_CHARS_MAX);
  const banded = head.capabilities.has("side-band-64k");
  const reason = banded ? shortened(text) : text;
  const lines = head.changes.map(({ ref }) => packet(`ng ${ref} ${reason}\n`));
  // Where no ref can be named, the reason stands where git says what went wrong with the pack.
  const unpack = packet(lines.length === 0 ? `unpack ${reason}\n` : "unpack ok\n");
  const report = Buffer.concat([unpack, ...lines, flushPacket]);
  if (!banded) return report;
  return Buffer.concat([bandPackets(2, `${text}\n`), bandPackets(1, report), flushPacket]);
}

/** What a fetch is refused with once it runs: git prints it as `fatal: remote error: …`. */
export function errorPacket(message: string): Buffer {
  return packet(`ERR ${oneLine(`Many Hands: ${message}`).slice(0, TEXT_CHARS_MAX)}`);
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
}

/** Its first sentence, or as much of it as fits. */
function shortened(text: string): string {
  const sentence = /^.*?[^.]{3}\.(?= [A-Z])/.exec(text)?.[0] ?? text;
  return sentence.length <= REASON_CHARS_MAX ? sentence : `${sentence.slice(0, REASON_CHARS_MAX - 1)}…`;
}
