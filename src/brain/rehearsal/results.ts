/** What a result of a call says, read by what the rehearsal's own commands print rather than by anybody's wording around it. */
import type { DoneCall } from "./transcript.ts";

/** The id by which a command that is still running is asked for, or undefined when none is. */
export function runningCallId(call: DoneCall): string | undefined {
  if (!/\bstill running\b|\bis running\b|\bkeeps running\b/i.test(call.text)) return undefined;
  return /\bsevt_[0-9A-Za-z_-]+/.exec(call.text)?.[0];
}

/** What the sample's test said of itself; undefined when it did not come to its end. */
export function testSummary(call: DoneCall): { readonly examples: number; readonly failed: number } | undefined {
  const found = /(\d+) examples, (\d+) failed/.exec(call.text);
  return found === null ? undefined : { examples: Number(found[1]), failed: Number(found[2]) };
}

/** The first line that a failing example printed. */
export function failingExample(call: DoneCall): string | undefined {
  return /^FAIL\s+(.*)$/m.exec(call.text)?.[1];
}

export interface Baskets {
  /** How many different lines "Basket 7 of 30" there are in all results together. */
  readonly seen: number;
  /** True when one and the same result has a line twice. */
  readonly doubled: boolean;
}

export function countBaskets(calls: readonly DoneCall[]): Baskets {
  const all = new Set<string>();
  let doubled = false;
  for (const { text } of calls) {
    const lines = Array.from(text.matchAll(/^Basket \d+ of \d+/gm), ([line]) => line);
    doubled ||= new Set(lines).size < lines.length;
    for (const line of lines) all.add(line);
  }
  return { seen: all.size, doubled };
}

/** What the result says of how the command ended, in words for a sentence. */
export function endingOf(call: DoneCall): string {
  const status = /\bexit(?:ed)?(?: with)?(?: code| status)?[:= ]+(\d+)/i.exec(call.text)?.[1];
  if (status !== undefined) return `with exit status ${status}`;
  return call.isError ? "with an error" : "without an error";
}

/** The end of what a result says, for quoting: one line, without backticks. */
export function lastWords(call: DoneCall): string {
  const lines = call.text.split("\n").filter((line) => line.trim() !== "");
  const line = (lines.at(-1) ?? "nothing at all").trim().replaceAll("`", "'");
  return line.length > 240 ? `${line.slice(0, 240)}…` : line;
}
