/** What the model says in the crash sweep: parallel calls, calls that must be asked for, one that is interrupted. */
import type { Scenario } from "../../fixtures/messages/scenario.ts";
import { LONG_COMMAND_MARKER } from "./person.ts";

/** Each command adds its line to this file, so that a second run of any of them shows. */
export const COUNT_FILE = "count.txt";

function bash(command: string): { type: "tool_use"; name: string; input: { command: string } } {
  return { type: "tool_use", name: "bash", input: { command } };
}

export const sweepScenario: Scenario = {
  by: "transcript",
  turns: [
    {
      blocks: [
        { type: "thinking", thinking: "Two looks and a count." },
        "I look around.",
        { type: "tool_use", name: "glob", input: { pattern: "**/*.md" } },
        { type: "tool_use", name: "grep", input: { pattern: "nothing-has-this" } },
        bash(`echo one >> ${COUNT_FILE}; echo counted one`),
      ],
    },
    { blocks: ["Again.", bash(`echo two >> ${COUNT_FILE}; echo counted two; exit 3`)] },
    {
      blocks: [
        "And now I wait.",
        // The marker comes when the shell is certainly waiting for its child: a TERM just before leaves it waiting.
        bash(
          `echo long >> ${COUNT_FILE}; echo waiting; (sleep 0.4; touch ${LONG_COMMAND_MARKER}) & sleep 600; echo never >> ${COUNT_FILE}`,
        ),
      ],
    },
    { blocks: ["One more.", bash(`echo three >> ${COUNT_FILE}; echo counted three`)] },
    { blocks: ["All is done."] },
  ],
};

export const EXPECTED_COUNT = "one\ntwo\nlong\nthree\n";
