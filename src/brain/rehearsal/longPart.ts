/** The second part: a command of half a minute, to reload the window in the middle of, and a report of what became of it. */
import { rehearsalPrompts } from "./prompts.ts";
import { act, call, say } from "./reply.ts";
import type { Reply } from "./reply.ts";
import { countBaskets, endingOf, lastWords, runningCallId } from "./results.ts";
import type { DoneCall, Transcript } from "./transcript.ts";

export interface LongCommand {
  readonly lines: number;
  readonly secondsPerLine: number;
}

const END = "All baskets are home.";
const END_LINE = new RegExp(`^${END.replaceAll(".", "\\.")}$`, "m");
const waitMs = 60_000;
/** Afterwards the part gives up waiting, and says so. */
const waitsMax = 10;

export function longPart(transcript: Transcript, long: LongCommand): Reply {
  const last = transcript.calls.at(-1);
  if (last === undefined) return begin(transcript, long);
  const id = runningCallId(last);
  const waits = transcript.calls.filter(({ name }) => name === "bash_output").length;
  if (id !== undefined && waits < waitsMax) {
    const { seen } = countBaskets(transcript.calls);
    const text = `The command is still running, ${seen} of ${long.lines} lines so far. I wait for the rest.`;
    return act(text, [call(transcript, "bash_output", { call_id: id, wait_ms: waitMs })]);
  }
  return report(transcript, last, long, id !== undefined);
}

function begin(transcript: Transcript, { lines, secondsPerLine }: LongCommand): Reply {
  const command =
    `i=1; while [ "$i" -le ${lines} ]; do echo "Basket $i of ${lines}"; sleep ${secondsPerLine}; i=$((i + 1)); done; ` +
    `echo "${END}"`;
  const seconds = Math.round(lines * secondsPerLine);
  return act(
    `This is a rehearsal: a command that takes ${seconds} seconds and prints ${lines} lines. ` +
      "Reload the window while it runs: the command goes on, and this session with it.",
    [call(transcript, "bash", { command })],
    "The point of this part is to outlive the window. I count the lines afterwards, so that a lost or a doubled one shows.",
  );
}

/** Says what the results show, and no more. */
function report({ calls }: Transcript, last: DoneCall, { lines }: LongCommand, running: boolean): Reply {
  const { seen, doubled } = countBaskets(calls);
  const count = `${seen} of ${lines} lines`;
  if (running) return say(`The command is still running, with ${count} so far. I wait no longer; ask me again.`);
  const ended = calls.some(({ text }) => END_LINE.test(text));
  if (ended && seen === lines && !doubled) {
    return say(
      `The command ran to its end ${endingOf(last)}: ${count}, each of them once, and "${END}" behind them. ` +
        "If you reloaded the window meanwhile, the command did not notice.",
    );
  }
  const again = `To try again, ask: "${rehearsalPrompts.long.prompt}"`;
  const told = `The last thing I was told is: \`${lastWords(last)}\`.`;
  if (seen === 0) return say(`The command printed none of its lines. ${told} ${again}`);
  const end = ended ? `It came to its end ${endingOf(last)}` : "It did not come to its end";
  return say(`I saw ${count}${doubled ? ", some of them twice" : ""}. ${end}. ${told} ${again}`);
}
