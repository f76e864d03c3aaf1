/** The first part: look at the sample project, see its test fail, mend the bug, see the test pass. */
import { rehearsalPrompts } from "./prompts.ts";
import { act, call, say } from "./reply.ts";
import type { Reply } from "./reply.ts";
import { failingExample, lastWords, runningCallId, testSummary } from "./results.ts";
import type { DoneCall, Transcript } from "./transcript.ts";

const BUG = "trips=$((baskets / hands))";
const MENDED = "trips=$(((baskets + hands - 1) / hands))";
const waitMs = 60_000;

/** Said at the end; where it was said, "go on" means the second part. */
export const FIRST_PART_OVER = "That was the rehearsal's first part.";
const offer = `${FIRST_PART_OVER} Next you could ask: "${rehearsalPrompts.long.prompt}"`;

export function mendingPart(transcript: Transcript): Reply {
  const { calls } = transcript;
  const last = calls.at(-1);
  if (last === undefined) return look(transcript);
  switch (last.name) {
    case "glob":
      return open(transcript, last);
    case "read":
      return judge(transcript);
    case "edit":
      return last.isError
        ? stop("The file was not changed", last)
        : test(transcript, "Mended. Now the same test again:");
    default:
      return afterTest(transcript, last);
  }
}

function look(transcript: Transcript): Reply {
  const glob = call(transcript, "glob", { pattern: "**/*" });
  return act(
    "This is a rehearsal: the part is fixed, the files and the shell are real. First I look at what is here.",
    [glob],
    "A test is said to fail. I do not know the project yet, so I begin with its files, then read the test and what it tests.",
  );
}

function open(transcript: Transcript, listing: DoneCall): Reply {
  if (listing.isError) return stop("I could not look at the folder", listing);
  const paths = sampleFiles(listing);
  if (paths === undefined) return otherFolder;
  const reads = Object.values(paths).map((file_path) => call(transcript, "read", { file_path }));
  return act("A small shell project with a test. I read all three files at once.", reads);
}

/** Looks at what was read, not at what ought to be there. */
function judge(transcript: Transcript): Reply {
  const failed = transcript.calls.find(({ name, isError }) => name === "read" && isError);
  if (failed !== undefined) return stop("I could not read the files", failed);
  const source = fileRead(transcript, "orchard.sh");
  if (source === undefined || !(source.includes(BUG) || source.includes(MENDED))) return otherFolder;
  return test(transcript, "`orchard.sh` divides baskets by hands. Before I touch it, I run the test to see it fail:");
}

function test(transcript: Transcript, text: string): Reply {
  const path = pathOf(transcript, "test.sh");
  return act(text, [call(transcript, "bash", { command: `sh ${quoted(path)}` })]);
}

function afterTest(transcript: Transcript, last: DoneCall): Reply {
  const id = runningCallId(last);
  if (id !== undefined) {
    return act("The test is still running; I wait for it.", [
      call(transcript, "bash_output", { call_id: id, wait_ms: waitMs }),
    ]);
  }
  const summary = testSummary(last);
  if (summary === undefined) return stop("The test did not come to its end", last);
  const edited = transcript.calls.some(({ name, isError }) => name === "edit" && !isError);
  const { examples, failed } = summary;
  if (failed > 0) return edited ? stillFails(last, failed) : mend(transcript, last);
  if (!edited) {
    return say(
      `All ${examples} examples pass already, so there is nothing to mend: somebody, perhaps an earlier rehearsal, was here before. ${offer}`,
    );
  }
  return say(
    `Mended: all ${examples} examples pass now.\n\n` +
      "The division rounded down, so with 13 baskets and 4 hands one basket stayed in the orchard. " +
      "Adding `hands - 1` before dividing rounds up. One line of `orchard.sh` has changed; open the edit above to see it.\n\n" +
      offer,
  );
}

function mend(transcript: Transcript, last: DoneCall): Reply {
  const source = fileRead(transcript, "orchard.sh") ?? "";
  if (!source.includes(BUG)) return stop("The test fails, but not through the bug that this part is about", last);
  const example = failingExample(last) ?? "one example";
  const file_path = pathOf(transcript, "orchard.sh");
  return act(
    `It fails, with \`${example.replaceAll("`", "'")}\`. The shell's division drops the remainder: what does not fill a whole trip is left behind. ` +
      "The number of trips has to be rounded up:",
    [call(transcript, "edit", { file_path, old_string: BUG, new_string: MENDED })],
  );
}

function stillFails(last: DoneCall, failed: number): Reply {
  return say(
    `I changed the line, and still ${failed} of the examples fail: \`${lastWords(last)}\`. This part knows no other remedy, so I stop here.`,
  );
}

function stop(what: string, last: DoneCall): Reply {
  return say(
    `${what}. The answer to my call of \`${last.name}\` was: \`${lastWords(last)}\`. So I stop here and guess nothing. ` +
      `To play the part again, ask: "${rehearsalPrompts.fix.prompt}"`,
  );
}

const otherFolder = say(
  "This is a rehearsal, and its part is about the sample project, which is not in this folder. " +
    `Open the sample project for it. In any folder you can ask: "${rehearsalPrompts.long.prompt}"`,
);

type SampleFile = "README.md" | "orchard.sh" | "test.sh";

/** The paths of the sample's files, as the hand writes them; undefined where they do not stand beside each other. */
function sampleFiles(listing: DoneCall): Record<SampleFile, string> | undefined {
  const lines = new Set(listing.text.split("\n").map((line) => line.trim()));
  for (const line of lines) {
    const folder = /^(.*[\\/])?orchard\.sh$/.exec(line)?.[1] ?? "";
    if (folder + "orchard.sh" !== line) continue;
    const paths = { "README.md": `${folder}README.md`, "orchard.sh": line, "test.sh": `${folder}test.sh` };
    if (Object.values(paths).every((path) => lines.has(path))) return paths;
  }
  return undefined;
}

function pathOf({ calls }: Transcript, name: SampleFile): string {
  const listing = calls.find((each) => each.name === "glob");
  return (listing === undefined ? undefined : sampleFiles(listing)?.[name]) ?? name;
}

function fileRead({ calls }: Transcript, name: string): string | undefined {
  return calls.find((each) => each.name === "read" && String(each.input["file_path"]).endsWith(name))?.text;
}

function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
