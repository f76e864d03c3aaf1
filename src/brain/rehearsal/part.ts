/** Chooses which part the rehearsal plays for a message, and how it answers where there is nothing to play. */
import { longPart } from "./longPart.ts";
import type { LongCommand } from "./longPart.ts";
import { FIRST_PART_OVER, mendingPart } from "./mendingPart.ts";
import { rehearsalPrompts } from "./prompts.ts";
import { say } from "./reply.ts";
import type { Reply } from "./reply.ts";
import type { Transcript } from "./transcript.ts";

const LONG = /\b(long|reload|thirty|30)\b/i;
const MENDING = /\b(test|tests|fix|mend|bug|fails?|failing|repair|project|sample|orchard|begin|start|show|demo)\b/i;
const GO_ON = /^\W*(go( on| ahead)?|continue|next|more|yes|ok(ay)?|please|sure)\b/i;
const SUMMARY = /\bwrite a summary\b|^\W*summari[sz]e/i;

/** The next turn of the rehearsal, by the transcript alone. */
export function rehearse(transcript: Transcript, long: LongCommand): Reply {
  const { prompt, saidBefore } = transcript;
  if (SUMMARY.test(prompt)) return summary(transcript);
  if (LONG.test(prompt)) return longPart(transcript, long);
  if (GO_ON.test(prompt)) {
    const before = transcript.earlier.findLast((text) => !GO_ON.test(text)) ?? "";
    if (LONG.test(before) || saidBefore.includes(FIRST_PART_OVER)) return longPart(transcript, long);
  }
  if (GO_ON.test(prompt) || MENDING.test(prompt)) return mendingPart(transcript);
  return say(aboutItself);
}

const aboutItself = [
  "This is a rehearsal: no model reads what you write, and a fixed part is played against real files and a real shell.",
  "",
  "It can show you two things:",
  "",
  `- **${rehearsalPrompts.fix.prompt}** It looks at the sample project, runs its failing test, mends the bug and runs the test again.`,
  `- **${rehearsalPrompts.long.prompt}** A command that takes half a minute, so that you can reload the window in the middle of it.`,
  "",
  'For a real agent, run "Many Hands: Set API Key" and set `manyHands.model.provider` to `anthropic`.',
].join("\n");

/** Asked when a conversation outgrows its window: what was asked is all that this part can remember. */
function summary({ earlier }: Transcript): Reply {
  const asked = earlier.map((text) => `- ${text.split("\n")[0] ?? ""}`).join("\n");
  return say(`This is a rehearsal; what was asked so far:\n\n${asked === "" ? "- nothing" : asked}`);
}
