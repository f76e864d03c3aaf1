/** What a push wants: the list of commands at the head of a receive-pack request, before its pack. */
import { limits } from "../../../core/limits.ts";
import { isRefName } from "./refNames.ts";
import { createPacketReader } from "./pktLine.ts";

interface RefChange {
  /** Object ids in hex; all zeros: the ref is not there. */
  readonly from: string;
  readonly to: string;
  /** Full name. */
  readonly ref: string;
}

export interface PushHead {
  /** Empty for the probe that git sends before a large push, and for a push of nothing. */
  readonly changes: readonly RefChange[];
  readonly capabilities: ReadonlySet<string>;
  /** `git push -o`. */
  readonly options: readonly string[];
}

export type PushReading =
  | { readonly state: "more" }
  | { readonly state: "whole"; readonly head: PushHead }
  /** `message` is for a person. */
  | { readonly state: "refused"; readonly message: string; readonly capabilities: ReadonlySet<string> };

export interface PushReader {
  /** Takes the next bytes of the request's body. After `whole` or `refused` nothing more is taken. */
  push(chunk: Uint8Array): PushReading;
}

const COMMAND = /^([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) ([^\0\n]+)$/;
const SHALLOW = /^shallow (?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const CERTIFICATE =
  "A signed push cannot be checked against what may be pushed. Push again with --no-signed (push.gpgSign=false).";
const TOO_MANY = "This push changes more refs than can be looked at. Push fewer at once.";
const DAMAGED = "This is not a push as git sends it; nothing was passed on.";

/**
 * Stricter than any server: what a server could read in another way than this (a packet of another kind, a line that is
 * no command, a ref with an odd name, a list beyond `limits.gitCommandsBytesMax`) is refused.
 */
export function createPushReader(): PushReader {
  const packets = createPacketReader();
  const changes: RefChange[] = [];
  const capabilities = new Set<string>();
  const options: string[] = [];
  let section: "commands" | "options" = "commands";
  let taken = 0;

  function note(text: string, end: number): void {
    if (end === -1) return;
    const names = text
      .slice(end + 1)
      .trim()
      .split(/\s+/);
    for (const name of names) capabilities.add(name);
  }

  function command(bytes: Buffer): string | undefined {
    const text = bytes.toString("utf8");
    const end = text.indexOf("\0");
    const line = (end === -1 ? text : text.slice(0, end)).replace(/\n$/, "");
    if (line.startsWith("push-cert")) {
      note(text, end);
      return CERTIFICATE;
    }
    if (SHALLOW.test(line) && end === -1) return undefined;
    const [, from = "", to = "", ref = ""] = COMMAND.exec(line) ?? [];
    if (from === "" || from.length !== to.length || !Buffer.from(text).equals(bytes)) return DAMAGED;
    if (!isRefName(ref)) return `${JSON.stringify(ref.slice(0, 200))} is no name that a ref can have.`;
    if (changes.some((change) => change.ref === ref)) return `${ref} is in one push twice.`;
    changes.push({ from, to, ref });
    note(text, end);
    return undefined;
  }

  function step(): PushReading | undefined {
    const next = packets.next();
    if (next === undefined) return { state: "more" };
    if (next.kind === "other") return { state: "refused", message: DAMAGED, capabilities };
    if (next.kind === "data") {
      const message = section === "commands" ? command(next.data) : undefined;
      if (message !== undefined) return { state: "refused", message, capabilities };
      if (section === "options") options.push(next.data.toString("utf8").replace(/\n$/, ""));
      return undefined;
    }
    if (section === "options" || changes.length === 0 || !capabilities.has("push-options")) {
      return { state: "whole", head: { changes, capabilities, options } };
    }
    section = "options";
    return undefined;
  }

  return {
    push(chunk) {
      taken += chunk.length;
      packets.push(chunk);
      for (;;) {
        const reading = step();
        if (reading === undefined) continue;
        if (reading.state !== "more" || taken <= limits.gitCommandsBytesMax) return reading;
        return { state: "refused", message: TOO_MANY, capabilities };
      }
    },
  };
}
