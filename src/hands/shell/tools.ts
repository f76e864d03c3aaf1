/** The tools of a hand with a shell, with the hosted names and inputs. */
import type { JsonObject } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import type { ToolSpec } from "../../core/tools.ts";

function schema(properties: JsonObject, required: readonly string[]): JsonObject {
  return { type: "object", properties, required, additionalProperties: false };
}

const filePath = { type: "string", description: "Absolute, or relative to the hand's start directory." };

export const shellTools: readonly ToolSpec[] = [
  {
    name: "bash",
    description:
      "Runs a command in a shell. Working directory and exported variables carry over to the next call. Stdin is empty, so nothing can be asked. " +
      "A command that outlives timeout_ms is not ended: it goes on in the background, and bash_output follows it by its call_id.",
    input_schema: schema(
      {
        command: { type: "string", minLength: 1, description: "The command, as one would type it." },
        restart: { type: "boolean", description: "Begin anew, in the start directory and with a fresh environment." },
        timeout_ms: {
          type: "integer",
          minimum: 1,
          maximum: limits.bashTimeoutMsMax,
          description: `How long to wait for its end, in milliseconds. Default ${limits.bashTimeoutMs}.`,
        },
      },
      [],
    ),
    parallel: false,
    permission: "always_ask",
  },
  {
    name: "bash_output",
    description:
      "Shows the output and state of a bash call that went on in the background. It can wait for the end, and send a signal to the command and all it started.",
    input_schema: schema(
      {
        call_id: { type: "string", description: "The id that the bash result named (sevt_…)." },
        wait_ms: {
          type: "integer",
          minimum: 0,
          maximum: limits.bashOutputWaitMsMax,
          description: "How long to wait for its end, in milliseconds. Default 0.",
        },
        signal: { type: "string", enum: ["INT", "TERM", "KILL"], description: "Sent before waiting." },
      },
      ["call_id"],
    ),
    parallel: true,
    permission: "always_allow",
  },
  {
    name: "read",
    description: "Reads a text file, with line numbers. For long files give view_range.",
    input_schema: schema(
      {
        file_path: filePath,
        view_range: {
          type: "array",
          items: { type: "integer" },
          minItems: 2,
          maxItems: 2,
          description: "[first line, last line], counted from 1; -1 as the last is the end of the file.",
        },
      },
      ["file_path"],
    ),
    parallel: true,
    permission: "always_allow",
  },
  {
    name: "write",
    description:
      "Creates a file, or replaces the whole content of one. Folders are made. For a part of a file use edit.",
    input_schema: schema({ file_path: filePath, content: { type: "string" } }, ["file_path", "content"]),
    parallel: false,
    permission: "always_ask",
  },
  {
    name: "edit",
    description:
      "Replaces old_string by new_string in a file. old_string must be there exactly once, with its white space, unless replace_all is true.",
    input_schema: schema(
      {
        file_path: filePath,
        old_string: { type: "string", minLength: 1 },
        new_string: { type: "string" },
        replace_all: { type: "boolean" },
      },
      ["file_path", "old_string", "new_string"],
    ),
    parallel: false,
    permission: "always_ask",
  },
  {
    name: "glob",
    description: "Lists files by a pattern such as src/**/*.ts. Leaves out .git and node_modules.",
    input_schema: schema(
      { pattern: { type: "string", minLength: 1 }, path: { type: "string", description: "Where to look." } },
      ["pattern"],
    ),
    parallel: true,
    permission: "always_allow",
  },
  {
    name: "grep",
    description:
      "Searches file contents by a regular expression; gives file, line number and line. Leaves out .git and node_modules.",
    input_schema: schema(
      {
        pattern: { type: "string", minLength: 1 },
        path: { type: "string", description: "A file or folder. Default: the start directory." },
      },
      ["pattern"],
    ),
    parallel: true,
    permission: "always_allow",
  },
];
