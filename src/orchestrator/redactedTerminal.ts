/** A terminal of a hand for a person, without stored credentials in what it shows; what is typed goes through as it is. */
import type { Clock } from "../core/clock.ts";
import type { HandTerminal } from "../core/hand.ts";
import { limits } from "../core/limits.ts";
import { Emitter } from "../core/listen.ts";
import type { Redaction } from "../core/redaction.ts";

export interface RedactedTerminalPorts {
  readonly redaction: Redaction;
  readonly clock: Clock;
  readonly report: (what: string, thrown?: unknown) => void;
}

/**
 * What could be the beginning of a credential waits a moment for the rest, then it is shown: an echo of what a person
 * types must not wait for the next key.
 */
export function redactedTerminal(terminal: HandTerminal, ports: RedactedTerminalPorts): HandTerminal {
  const { redaction, clock, report } = ports;
  const written = new Emitter<string>((thrown) => report("a listener of a terminal failed", thrown));
  const ended = new Emitter<number | null>((thrown) => report("a listener of a terminal failed", thrown));
  const encoder = new TextEncoder();
  let decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let stream = redaction.bytes();
  let waiting = new AbortController();

  const show = (bytes: Uint8Array, isWhole: boolean): void => {
    const text = decoder.decode(bytes, { stream: !isWhole });
    if (text !== "") written.fire(text);
  };
  const flush = (): void => {
    waiting.abort();
    show(stream.end(), true);
    stream = redaction.bytes();
    decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  };
  terminal.onDidWrite((text) => {
    waiting.abort();
    show(stream.write(encoder.encode(text)), false);
    if (stream.held === 0) return;
    waiting = new AbortController();
    clock.sleep(limits.terminalHoldMs, waiting.signal).then(flush, () => {});
  });
  terminal.onDidEnd((status) => {
    flush();
    ended.fire(status);
  });
  return {
    onDidWrite: written.listen,
    onDidEnd: ended.listen,
    write: (text) => terminal.write(text),
    resize: (columns, rows) => terminal.resize(columns, rows),
    close: () => {
      waiting.abort();
      terminal.close();
    },
  };
}
