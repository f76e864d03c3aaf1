/** The rehearsal's part, turn by turn: it goes by what the results say. */
import assert from "node:assert/strict";
import type { JsonObject } from "../../../../src/core/json.ts";
import { rehearse } from "../../../../src/brain/rehearsal/part.ts";
import { rehearsalPrompts } from "../../../../src/brain/rehearsal/prompts.ts";
import type { Reply } from "../../../../src/brain/rehearsal/reply.ts";
import { readTranscript } from "../../../../src/brain/rehearsal/transcript.ts";

const BUGGY = "trips=$((baskets / hands))\n";
const FAILS = "FAIL  13 baskets, 4 hands -> 3, expected 4\n\n4 examples, 1 failed";
const PASSES = "ok    13 baskets, 4 hands -> 4\n\n4 examples, 0 failed";
const LISTING = "README.md\norchard.sh\ntest.sh";
const names = ["glob", "read", "bash", "edit", "bash_output"];

type Answer = string | { readonly error: string };

/** A conversation in which the rehearsal speaks for itself and `answers` are given to its calls, one list for each turn. */
class Conversation {
  readonly messages: JsonObject[] = [];
  readonly replies: Reply[] = [];
  #ids = 0;
  readonly #tools: readonly JsonObject[];

  constructor(tools: readonly JsonObject[] = names.map((name) => ({ name, input_schema: { type: "object" } }))) {
    this.#tools = tools;
  }

  ask(prompt: string, ...answers: readonly (readonly Answer[])[]): Reply {
    this.messages.push({ role: "user", content: [{ type: "text", text: prompt }] });
    let reply = this.#turn();
    for (const given of answers) {
      assert.equal(reply.calls.length, given.length, `calls of "${reply.text}"`);
      reply = this.#answer(reply, given);
    }
    return reply;
  }

  #turn(): Reply {
    const body = { messages: this.messages, tools: this.#tools };
    const reply = rehearse(readTranscript(body), { lines: 30, secondsPerLine: 1 });
    this.replies.push(reply);
    const uses = reply.calls.map((call): JsonObject => ({ type: "tool_use", id: `t${(this.#ids += 1)}`, ...call }));
    this.messages.push({ role: "assistant", content: [{ type: "text", text: reply.text }, ...uses] });
    return reply;
  }

  #answer(reply: Reply, given: readonly Answer[]): Reply {
    const first = this.#ids - reply.calls.length + 1;
    const results = given.map((answer, index): JsonObject => {
      const text = typeof answer === "string" ? answer : answer.error;
      const content = [{ type: "text", text }];
      return { type: "tool_result", tool_use_id: `t${first + index}`, content, is_error: typeof answer !== "string" };
    });
    this.messages.push({ role: "user", content: results });
    return this.#turn();
  }
}

const fix = rehearsalPrompts.fix.prompt;
const long = rehearsalPrompts.long.prompt;
const firstSentence = (reply: Reply): string => /^.*?[.:;](\s|$)/s.exec(reply.text)?.[0] ?? reply.text;
const baskets = (count: number, from = 1): string =>
  Array.from({ length: count }, (_, index) => `Basket ${index + from} of 30`).join("\n");

describe("the rehearsal", () => {
  it("says in its first sentence what it is, whatever it is asked", () => {
    for (const prompt of [
      fix,
      long,
      "Hello",
      "What is 2 + 2?",
      "Schreib mir ein Gedicht",
      "",
      "go on",
      "Summarise the conversation.",
    ]) {
      assert.match(firstSentence(new Conversation().ask(prompt)), /rehearsal/, prompt);
      assert.match(firstSentence(new Conversation([]).ask(prompt)), /rehearsal/, `${prompt}, without tools`);
    }
  });

  it("says what it can show and how to set a key, where there is nothing to play", () => {
    const { text, calls } = new Conversation().ask("What is 2 + 2?");
    assert.equal(calls.length, 0);
    for (const words of [fix, long, "Many Hands: Set API Key", "manyHands.model.provider"]) {
      assert.ok(text.includes(words), words);
    }
  });

  it("says that it needs a hand where the session has none", () => {
    assert.match(new Conversation([]).ask(fix).text, /Open a folder/);
  });

  it("names a hand where hands have to be named", () => {
    const schema = {
      type: "object",
      properties: { hand: { type: "string", enum: ["far", "near"] } },
      required: ["pattern", "hand"],
    };
    const { calls } = new Conversation([{ name: "glob", input_schema: schema }]).ask(fix);
    assert.deepEqual(calls[0]?.input, { pattern: "**/*", hand: "far" });
  });
});

describe("the rehearsal's first part", () => {
  const files = ["# The orchard", BUGGY, "sh test"];

  it("looks, reads, sees the test fail, mends the bug, sees it pass, and reports", () => {
    const conversation = new Conversation();
    const end = conversation.ask(fix, [LISTING], files, [FAILS], ["edited"], [PASSES]);
    assert.deepEqual(
      conversation.replies.map(({ calls }) => calls.map(({ name }) => name)),
      [["glob"], ["read", "read", "read"], ["bash"], ["edit"], ["bash"], []],
    );
    assert.match(conversation.replies[3]?.text ?? "", /13 baskets, 4 hands -> 3, expected 4/);
    assert.match(end.text, /all 4 examples pass now/);
  });

  it("uses the paths as the hand writes them, and quotes them for the shell", () => {
    const conversation = new Conversation();
    const folder = "/home/o'neil/my orchard";
    const listing = LISTING.split("\n").map((name) => `${folder}/${name}`);
    conversation.ask(fix, [listing.join("\n")], files, [FAILS], ["edited"]);
    assert.deepEqual(conversation.replies[2]?.calls[0]?.input, { command: `sh '/home/o'\\''neil/my orchard/test.sh'` });
    assert.equal(conversation.replies[3]?.calls[0]?.input["file_path"], `${folder}/orchard.sh`);
  });

  it("leads on to the second part", () => {
    const conversation = new Conversation();
    conversation.ask(fix, [LISTING], files, [FAILS], ["edited"], [PASSES]);
    assert.match(JSON.stringify(conversation.ask("Go on").calls), /sleep 1/);
  });

  const stops: readonly (readonly [string, readonly (readonly Answer[])[], RegExp])[] = [
    ["the folder cannot be read", [[{ error: "permission denied" }]], /could not look.*permission denied/s],
    ["the folder is another", [["main.py\nREADME.md"]], /rehearsal.*not in this folder/s],
    [
      "a file cannot be read",
      [[LISTING], ["# The orchard", { error: "no such file" }, "sh test"]],
      /could not read.*no such file/s,
    ],
    ["the file is another", [[LISTING], ["# x", "echo hello", "y"]], /not in this folder/],
    [
      "the test is denied",
      [[LISTING], files, [{ error: "Denied by the person: not now" }]],
      /did not come to its end.*Denied by the person: not now/s,
    ],
    ["the hand is lost", [[LISTING], files, [{ error: "The hand was lost while the command ran." }]], /hand was lost/],
    ["the edit is denied", [[LISTING], files, [FAILS], [{ error: "Denied" }]], /not changed.*Denied/s],
    ["the test still fails", [[LISTING], files, [FAILS], ["edited"], [FAILS]], /still 1 of the examples fail/],
    [
      "somebody has mended it before",
      [[LISTING], ["", "trips=$(((baskets + hands - 1) / hands))", ""], [PASSES]],
      /nothing to mend/,
    ],
  ];
  for (const [what, answers, says] of stops) {
    it(`stops and says why when ${what}`, () => {
      const end = new Conversation().ask(fix, ...answers);
      assert.deepEqual(end.calls, []);
      assert.match(end.text, says);
    });
  }

  it("begins anew when it is asked again", () => {
    const conversation = new Conversation();
    conversation.ask(fix, [LISTING], files, [{ error: "Denied" }]);
    assert.deepEqual(
      conversation.ask("Go on").calls.map(({ name }) => name),
      ["glob"],
    );
  });

  it("waits for a test that is still running", () => {
    const conversation = new Conversation();
    const running = "Still running after 120 s. Use bash_output with call_id sevt_abc_b2 to read on.";
    const waiting = conversation.ask(fix, [LISTING], files, [running]);
    assert.deepEqual(waiting.calls, [{ name: "bash_output", input: { call_id: "sevt_abc_b2", wait_ms: 60_000 } }]);
  });
});

describe("the rehearsal's second part", () => {
  const whole = `${baskets(30)}\nAll baskets are home.`;
  const running = (count: number): string => `${baskets(count)}\n\nThe command is still running (call_id: sevt_x1_b1).`;
  const cases: readonly (readonly [string, readonly (readonly Answer[])[], RegExp])[] = [
    [
      "a whole run",
      [[`${whole}\n\nexit status: 0`]],
      /to its end with exit status 0: 30 of 30 lines, each of them once/,
    ],
    ["a whole run that names no status", [[whole]], /to its end without an error: 30 of 30/],
    ["a run in two pieces", [[running(12)], [`${baskets(18, 13)}\nAll baskets are home.`]], /30 of 30 lines/],
    ["a run whose output comes whole each time", [[running(12)], [whole]], /30 of 30 lines, each of them once/],
    [
      "lines that came twice",
      [[`${baskets(30)}\n${baskets(2)}\nAll baskets are home.`]],
      /30 of 30 lines, some of them twice/,
    ],
    ["lines that are missing", [[`${baskets(20)}\nAll baskets are home.`]], /20 of 30 lines\. It came to its end/],
    [
      "a run that was stopped",
      [[{ error: `${baskets(7)}\nended by signal TERM` }]],
      /7 of 30 lines\. It did not come to its end.*signal TERM/,
    ],
    [
      "a hand that was lost",
      [[{ error: `${baskets(3)}\nThe hand was lost; whether the command ended is unknown.` }]],
      /3 of 30 lines.*unknown/,
    ],
    ["a denial", [[{ error: "Denied: too long" }]], /none of its lines.*Denied: too long/],
    [
      "a command that never ends",
      [[running(1)], ...Array.from({ length: 10 }, () => [running(2)])],
      /still running, with 2 of 30 lines.*no longer/,
    ],
  ];
  for (const [what, answers, says] of cases) {
    it(`reports what it was told: ${what}`, () => {
      const end = new Conversation().ask(long, ...answers);
      assert.deepEqual(end.calls, []);
      assert.match(end.text, says);
    });
  }

  it('is taken up again by a mere "go on"', () => {
    const conversation = new Conversation();
    conversation.ask(long, [{ error: "Interrupted by the person" }]);
    assert.match(JSON.stringify(conversation.ask("Go on.").calls), /sleep 1/);
  });

  it("takes half a minute, and asks for nothing else", () => {
    const { calls } = new Conversation().ask(long);
    assert.equal(calls.length, 1);
    assert.match(String(calls[0]?.input["command"]), /-le 30 .*sleep 1;/);
  });

  it("is not deceived by a result that repeats the command", () => {
    const conversation = new Conversation();
    const { calls } = conversation.ask(long);
    const echoed = `$ ${String(calls[0]?.input["command"])}\n${baskets(3)}`;
    assert.match(new Conversation().ask(long, [echoed]).text, /3 of 30 lines\. It did not come to its end/);
  });
});
