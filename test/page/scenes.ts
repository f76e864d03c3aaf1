/** What a page can look like, one of each: for the looks of it in every theme. */
import type { NewEvent, StreamEvent } from "../../src/core/events.ts";
import { grantScenes } from "./grantScenes.ts";
import type { PageOptions } from "./pageHost.ts";
import { answer, call, created, numbering, person, result, resting, started, turn, working } from "./samples.ts";

type Scene = Pick<PageOptions, "history" | "changes" | "facts">;

const used = {
  input_tokens: 2_310,
  output_tokens: 840,
  cache_creation_input_tokens: 900,
  cache_read_input_tokens: 41_200,
};

const failingTest = `> orchard@1.0.0 test
> node --test

✖ counts the trees of every row (1.2ms)
  AssertionError: 11 !== 12
      at test/rows.test.js:9:10

ℹ tests 4
ℹ pass 3
ℹ fail 1`;

const report = `The test fails because \`countTrees\` stops one row early. I changed one line:

1. \`src/rows.js\` compares with \`<=\` now, so that the **last row** counts too.
2. The test passes, as do the other three.

\`\`\`js
export function countTrees(rows) {
  let count = 0; // trees in all rows
  for (let at = 0; at <= rows.last; at += 1) count += rows.get(at).trees;
  return count === 0 ? null : \`\${count} trees\`;
}
\`\`\`

| Command | Before | After |
| --- | --- | --- |
| \`npm test\` | 1 of 4 fails | all 4 pass |

> The readme still says that rows begin at 1. See [its source](https://example.invalid/rows) for why.`;

function logOf(...events: readonly NewEvent[]): Scene["history"] {
  return numbering()(...events);
}

function fixed(): NewEvent[] {
  const looks = call("bash", { command: "npm test" });
  const reads = call("read", { file_path: "/home/kim/orchard/src/rows.js" });
  const before = "  for (let at = 0; at < rows.last; at += 1)\n    count += rows.get(at).trees;";
  const after = "  for (let at = 0; at <= rows.last; at += 1)\n    count += rows.get(at).trees;";
  const file_path = "/home/kim/orchard/src/rows.js";
  const edits = call("edit", { file_path, old_string: before, new_string: after }, { permission: "ask" });
  const again = call("bash", { command: "npm test && git status --short && git diff --stat -- src test" });
  const blob = { sha256: "0".repeat(64), bytes: 300 };
  return [
    person("Find out why the test fails, and fix it."),
    working,
    { type: "hand.provisioned", hand: "local", kind: "local", instance: "local-1", description: shell },
    ...answer({
      thought: "I should look at the test first.\nThen at the code.",
      text: "I run the test first.",
      calls: [looks],
    }),
    started(looks),
    result(looks, failingTest, { is_error: true, outcome: { kind: "exited", code: 1 }, duration_ms: 1_240 }),
    ...answer({ calls: [reads] }),
    started(reads),
    result(reads, "     1\texport function countTrees(rows) {", { duration_ms: 6 }),
    ...answer({ text: "The last row is left out.", calls: [edits] }),
    { type: "user.tool_confirmation", tool_use_id: edits.id, result: "allow" },
    started(edits),
    { type: "hand.file_change", tool_use_id: edits.id, path: file_path, before: blob, after: blob },
    result(edits, "Replaced 1 place.", { duration_ms: 4 }),
    ...answer({ calls: [again] }),
    started(again),
    result(again, "ℹ tests 4\nℹ pass 4\nℹ fail 0\n M src/rows.js", {
      duration_ms: 71_000,
      output_ref: { sha256: "0".repeat(64), bytes: 5_400_000 },
      output_bytes: 5_400_000,
    }),
    ...answer({ text: report, usage: used }),
    resting,
  ];
}

function running(): Scene {
  const prints = call("bash", { command: 'for i in $(seq 1 30); do echo "step $i of 30"; sleep 1; done' });
  const waits = call("read", { file_path: "/home/kim/orchard/README.md" });
  const history = logOf(
    created,
    ...turn("What is in this folder?", "An orchard: `src/rows.js`, its test, and a readme."),
    person("Run the long build, and tell me what it printed."),
    working,
    ...answer({ text: "I start the build.", calls: [prints, waits], usage: used }),
    started(prints),
    person("And then look at the readme."),
  );
  const text = Array.from({ length: 14 }, (_, at) => `step ${at + 1} of 30\n`).join("");
  const output: StreamEvent = { type: "call_output", tool_use_id: prints.id, offset: 0, text };
  return { history, facts: { live: [output], rehearsal: true } };
}

function streaming(): Scene {
  const start = "sevt_streams" as never;
  const [message, use] = ["sevt_streams_0" as never, "sevt_streams_1" as never];
  const history = logOf(created, person("Write a haiku into haiku.txt."), working, {
    type: "span.model_request_start",
    id: start,
    model: "m",
    purpose: "turn",
  });
  const input = '{"file_path":"/home/kim/orchard/haiku.txt","content":"Snow on the branches\\nA ladder le';
  const live: StreamEvent[] = [
    { type: "event_start", event: { id: message, type: "agent.message" } },
    { type: "event_delta", event_id: message, delta: { type: "text_delta", text: "Here is one about **winter**:" } },
    { type: "event_start", event: { id: use, type: "agent.tool_use", name: "write" } },
    { type: "event_delta", event_id: use, delta: { type: "input_json_delta", partial_json: input } },
  ];
  return { history, facts: { live } };
}

function approval(): Scene {
  const text = "export function pick(rows) {\n  return rows.map((row) => row.trees);\n}\n";
  const installs = call(
    "bash",
    { command: "npm install --save-exact left-pad@1.3.0 &&\n  npm test" },
    { permission: "ask" },
  );
  const writes = call("write", { file_path: "/home/kim/orchard/src/pick.js", content: text }, { permission: "ask" });
  const stop_reason = { type: "requires_action", event_ids: [installs.id, writes.id] } as const;
  const history = logOf(
    created,
    person("Add a picker."),
    working,
    ...answer({ text: "That needs a package and a new file.", calls: [installs, writes], usage: used }),
    { type: "session.status_idle", stop_reason },
  );
  return { history };
}

function troubled(): Scene {
  const kills = call("bash", { command: "make -j64" });
  const denied = call("bash", { command: "rm -rf build" }, { permission: "ask" });
  const lost = call("bash", { command: "./deploy.sh" });
  const back = call("bash", { command: "npm run watch" });
  const error = { type: "model_overloaded_error", message: "The model is overloaded." } as const;
  const history = logOf(
    created,
    person("Build it."),
    working,
    ...answer({ calls: [kills, denied, lost, back] }),
    ...[kills, lost, back].map(started),
    result(kills, "cc: internal error", { is_error: true, outcome: { kind: "signalled", signal: "SIGKILL" } }),
    { type: "user.tool_confirmation", tool_use_id: denied.id, result: "deny", deny_message: "Keep the cache." },
    result(denied, "The person denied this: Keep the cache.", { is_error: true, outcome: { kind: "not_run" } }),
    result(lost, "The hand was lost.", { is_error: true, outcome: { kind: "hand_lost" } }),
    result(back, "watching …", { outcome: { kind: "running" } }),
    { type: "session.error", error: { ...error, retry_status: "retrying", retry_after_ms: 8_000 } },
    { type: "session.error", error: { ...error, retry_status: "exhausted" } },
    {
      type: "session.error",
      error: {
        type: "model_request_failed_error",
        message: "The key was not accepted (invalid x-api-key). Run “Many Hands: Set API Key”.",
        retry_status: "terminal",
      },
    },
    { type: "session.status_idle", stop_reason: { type: "retries_exhausted" } },
  );
  return { history };
}

const holder = { epoch: 4, owner: "VS Code on birch, process 4711" };
const shell =
  "this computer (linux 6.1.0, x64), start directory /home/kim/orchard, confined: only the start directory and /tmp can be written";
const newer = "This log was written by a newer version of Many Hands. It can be read, not continued.";

export const scenes = {
  empty: () => ({ history: logOf(created) }),
  running,
  streaming,
  approval,
  finished: () => ({
    history: logOf(
      created,
      ...Array.from({ length: 12 }, (_, at) => turn(`Question ${at}`, report)).flat(),
      ...fixed(),
    ),
  }),
  troubled,
  ...grantScenes,
  damaged: () => ({
    history: logOf(created, ...turn("Hello", "Hello.")),
    changes: {
      damage: [
        { offset: 48_211, bytes: 312, reason: "the checksum does not fit" },
        { offset: 91_034, bytes: 64, reason: "no event" },
      ],
      paused: "The disk of the session's storage is full. It goes on by itself when there is room.",
    },
  }),
  elsewhere: () => ({
    history: approval().history,
    changes: { writer: { kind: "other", holder } } as const,
  }),
  readOnly: () => ({ history: logOf(created, ...turn("Hello", "Hello.")), changes: { read_only: newer } }),
  untrusted: () => ({ history: logOf(created, ...turn("Hello", "Hello.")), facts: { trusted: false } }),
} satisfies Record<string, () => Scene>;
