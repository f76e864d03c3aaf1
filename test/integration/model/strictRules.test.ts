/** The strict server's rules, one by one: each row is a valid request with one thing wrong in it. */
import assert from "node:assert/strict";
import type { JsonObject } from "../../../src/core/json.ts";
import { validateRequest } from "../../fixtures/messages/validateRequest.ts";
import type { ValidationOptions } from "../../fixtures/messages/validateRequest.ts";
import { bashTool } from "./askServer.ts";

const text = (words: string, more: JsonObject = {}): JsonObject => ({ type: "text", text: words, ...more });
const use = (id: string, more: JsonObject = {}): JsonObject => ({
  type: "tool_use",
  id,
  name: "bash",
  input: {},
  ...more,
});
const result = (id: string, more: JsonObject = {}): JsonObject => ({
  type: "tool_result",
  tool_use_id: id,
  content: "ok",
  ...more,
});
const thinking = (signature = "signed"): JsonObject => ({ type: "thinking", thinking: "hm", signature });
const user = (...content: JsonObject[]): JsonObject => ({ role: "user", content });
const assistant = (...content: JsonObject[]): JsonObject => ({ role: "assistant", content });
const breakpoint: JsonObject = { cache_control: { type: "ephemeral" } };
const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const image = (source: JsonObject): JsonObject => ({ type: "image", source });
const picture = (data: string, media_type = "image/png"): JsonObject => image({ type: "base64", media_type, data });

function request(changes: JsonObject = {}): JsonObject {
  return {
    model: "claude-sonnet-5-5",
    max_tokens: 1024,
    stream: true,
    system: [text("You are an agent.", breakpoint)],
    tools: [bashTool],
    messages: [user(text("Hello"))],
    ...changes,
  };
}

const messages = (...list: JsonObject[]): JsonObject => request({ messages: list });
/** Hello, a tool use, and what comes after. */
const afterUse = (...list: JsonObject[]): JsonObject => messages(user(text("Hello")), assistant(use("t1")), ...list);
const tool = (changes: JsonObject): JsonObject => request({ tools: [{ ...(bashTool as JsonObject), ...changes }] });
const without = (name: string): JsonObject =>
  Object.fromEntries(Object.entries(request()).filter(([member]) => member !== name));

const valid: Readonly<Record<string, JsonObject>> = {
  "a plain request": request(),
  "text as a string": messages({ role: "user", content: "Hello" }),
  "parallel calls, each answered": messages(
    user(text("Hi")),
    assistant(thinking(), text("Now."), use("t1"), use("t2")),
    user(result("t2"), result("t1", { is_error: true }), text("And?")),
  ),
  "a result without content": afterUse(user({ type: "tool_result", tool_use_id: "t1" })),
  "a result with an image": afterUse(user(result("t1", { content: [text("See:"), picture(png)] }))),
  "four breakpoints": request({
    messages: [user(text("a", breakpoint), text("b", breakpoint)), assistant(text("c", breakpoint)), user(text("d"))],
  }),
  "an hour before five minutes": request({
    system: [text("a", { cache_control: { type: "ephemeral", ttl: "1h" } }), text("b", breakpoint)],
  }),
  "a model that takes a start of its answer": request({
    model: "claude-opus-4-5",
    messages: [user(text("Hi")), assistant(text("Well,"))],
  }),
  "adaptive thinking": request({ thinking: { type: "adaptive", display: "summarized" } }),
  "a budget for thinking": request({
    model: "claude-opus-4-5",
    max_tokens: 4096,
    thinking: { type: "enabled", budget_tokens: 2048 },
  }),
  "null where the API has it": messages(
    user(text("Hi")),
    assistant(text("Yes", { citations: null })),
    user(text("Go")),
  ),
  "a call with its caller": messages(
    user(text("Hi")),
    assistant(use("t1", { caller: { type: "direct" } })),
    user(result("t1")),
  ),
};

const refused: Readonly<Record<string, readonly [unknown, RegExp]>> = {
  "no object": [[], /not a JSON object/],
  "a member that it does not know": [request({ foo: 1 }), /^foo: Extra inputs/],
  "sampling, which this version has no more": [request({ temperature: 1 }), /^temperature: Extra inputs/],
  "no model": [without("model"), /^model: Field required/],
  "a model that it does not know": [request({ model: "claude-0" }), /^model: claude-0$/],
  "no max_tokens": [without("max_tokens"), /^max_tokens: Field required/],
  "max_tokens of nothing": [request({ max_tokens: 0 }), /greater than or equal to 1/],
  "max_tokens below nothing": [request({ max_tokens: -5 }), /greater than or equal to 1/],
  "max_tokens with a fraction": [request({ max_tokens: 1.5 }), /valid integer/],
  "max_tokens over the model's": [request({ max_tokens: 128_001 }), /128001 > 128000/],
  "no messages": [without("messages"), /^messages: Field required/],
  "an empty list of messages": [messages(), /at least one message/],
  "an assistant first": [messages(assistant(text("Hi"))), /first message must use the "user" role/],
  "a role that it does not know": [
    messages({ role: "developer", content: [text("Hi")] }),
    /Unexpected role "developer"/,
  ],
  "two users in a row": [messages(user(text("a")), user(text("b"))), /alternate/],
  "two assistants in a row": [
    messages(user(text("a")), assistant(text("b")), assistant(text("c")), user(text("d"))),
    /alternate/,
  ],
  "a member of a message that it does not know": [
    messages({ role: "user", content: [text("a")], id: "m" }),
    /messages\.0\.id: Extra inputs/,
  ],
  "a message without content": [messages(user()), /non-empty content/],
  "empty text": [messages(user(text(""))), /must be non-empty/],
  "an empty string": [messages({ role: "user", content: "" }), /must be non-empty/],
  "blank text": [messages(user(text(" \n"))), /non-whitespace/],
  "blank text of the assistant": [messages(user(text("a")), assistant(text(" ")), user(text("b"))), /non-whitespace/],
  "half a character": [messages(user(text("\ud83d"))), /well-formed/],
  "empty system text": [request({ system: [text("")] }), /^system: .*non-empty/],
  "a member of a block that it does not know": [messages(user(text("a", { id: "x" }))), /text\.id: Extra inputs/],
  "a block that it does not know": [messages(user({ type: "video" })), /Input tag 'video'/],
  "citations in a user's text": [messages(user(text("a", { citations: [{}] }))), /citations are not permitted/],
  "a start of the answer, where the model takes none": [messages(user(text("a")), assistant(text("b"))), /prefill/],
  "a start of the answer that ends blank": [
    request({ model: "claude-opus-4-5", messages: [user(text("a")), assistant(text("b "))] }),
    /trailing whitespace/,
  ],
  "a tool use without an answer": [afterUse(user(text("Go on"))), /without `tool_result` blocks immediately after: t1/],
  "a tool use at the end": [messages(user(text("Hello")), assistant(use("t1"))), /without `tool_result`/],
  "one of two tool uses without an answer": [
    messages(user(text("a")), assistant(use("t1"), use("t2")), user(result("t1"))),
    /immediately after: t2/,
  ],
  "an answer behind text": [afterUse(user(text("So:"), result("t1"))), /without `tool_result`/],
  "an answer one message late": [
    afterUse(user(text("a")), assistant(text("b")), user(result("t1"))),
    /unexpected `tool_use_id`|without `tool_result`/,
  ],
  "two answers to one tool use": [afterUse(user(result("t1"), result("t1"))), /single result/],
  "an answer to nothing": [messages(user(result("t9"))), /unexpected `tool_use_id`.*t9/],
  "an answer to another's tool use": [afterUse(user(result("t1"), result("t2"))), /unexpected `tool_use_id`.*t2/],
  "one id for two tool uses": [
    messages(user(text("a")), assistant(use("t1")), user(result("t1")), assistant(use("t1")), user(result("t1"))),
    /ids must be unique/,
  ],
  "a tool use by the user": [messages(user(use("t1"))), /can only be in `assistant`/],
  "a result by the assistant": [
    messages(user(text("a")), assistant(result("t1")), user(text("b"))),
    /can only be in `user`/,
  ],
  "an image by the assistant": [
    messages(user(text("a")), assistant(picture(png)), user(text("b"))),
    /can only be in `user`/,
  ],
  "tool blocks without tools": [{ ...afterUse(user(result("t1"))), tools: [] }, /must define tools/],
  "an input that is no object": [
    messages(user(text("a")), assistant(use("t1", { input: "ls" })), user(result("t1"))),
    /input: Input should be a valid dictionary/,
  ],
  "an id with odd characters": [
    messages(user(text("a")), assistant(use("t 1")), user(result("t 1"))),
    /id: String should match/,
  ],
  "an error without content": [
    afterUse(user(result("t1", { content: "", is_error: true }))),
    /cannot be empty if `is_error`/,
  ],
  "an error with an image": [
    afterUse(user(result("t1", { content: [picture(png)], is_error: true }))),
    /all content must be type "text"/,
  ],
  "an empty text in a result": [afterUse(user(result("t1", { content: [text("")] }))), /non-empty/],
  "thinking that nobody signed": [
    messages(user(text("a")), assistant(thinking(""), text("b")), user(text("c"))),
    /Invalid `signature`/,
  ],
  "thinking without a signature": [
    messages(user(text("a")), assistant({ type: "thinking", thinking: "hm" }, text("b")), user(text("c"))),
    /signature: Field required/,
  ],
  "thinking at the end of a message": [
    messages(user(text("a")), assistant(text("b"), thinking()), user(text("c"))),
    /final block/,
  ],
  "no thinking before a tool use, where it is on": [
    {
      ...afterUse(user(result("t1"))),
      model: "claude-opus-4-5",
      max_tokens: 4096,
      thinking: { type: "enabled", budget_tokens: 2048 },
    },
    /Expected `thinking`/,
  ],
  "a breakpoint on thinking": [
    messages(user(text("a")), assistant({ ...thinking(), ...breakpoint }, text("b")), user(text("c"))),
    /thinking\.cache_control: Extra inputs/,
  ],
  "a breakpoint on empty text": [messages(user(text("", breakpoint))), /cannot be set for empty text/],
  "five breakpoints": [
    messages(user(text("a", breakpoint), text("b", breakpoint), text("c", breakpoint), text("d", breakpoint))),
    /maximum of 4.*Found 5/,
  ],
  "a breakpoint of another kind": [
    messages(user(text("a", { cache_control: { type: "forever" } }))),
    /should be 'ephemeral'/,
  ],
  "a time to live that there is not": [
    messages(user(text("a", { cache_control: { type: "ephemeral", ttl: "1d" } }))),
    /'5m' or '1h'/,
  ],
  "an hour after five minutes": [
    messages(user(text("a", { cache_control: { type: "ephemeral", ttl: "1h" } }))),
    /must not come after/,
  ],
  "a tool's name with a dot": [tool({ name: "a.b" }), /should match pattern/],
  "a tool's name of 65 characters": [tool({ name: "a".repeat(65) }), /should match pattern/],
  "two tools of one name": [request({ tools: [bashTool, bashTool] }), /names must be unique/],
  "a tool without a schema": [request({ tools: [{ name: "bash" }] }), /input_schema: Field required/],
  "a schema that is no object's": [tool({ input_schema: { type: "string" } }), /should be 'object'/],
  "a schema without a type": [tool({ input_schema: { properties: {} } }), /type: Field required/],
  "a schema with alternatives at its top": [
    tool({ input_schema: { type: "object", anyOf: [{}] } }),
    /at the top level/,
  ],
  "a schema with a type that there is not": [
    tool({ input_schema: { type: "object", properties: { a: { type: "text" } } } }),
    /draft 2020-12/,
  ],
  "a schema that requires no list": [tool({ input_schema: { type: "object", required: "a" } }), /draft 2020-12/],
  "a member of a tool that it does not know": [tool({ parallel: true }), /parallel: Extra inputs/],
  "a tool of another type": [tool({ type: "bash_20250124" }), /Input tag 'bash_20250124'/],
  "a choice without tools": [request({ tools: [], tool_choice: { type: "auto" } }), /while providing `tools`/],
  "a choice of a tool that there is not": [
    request({ tool_choice: { type: "tool", name: "nope" } }),
    /'nope' not found/,
  ],
  "adaptive thinking, where the model has none": [
    request({ model: "claude-opus-4-5", thinking: { type: "adaptive" } }),
    /"thinking\.type\.adaptive" is not supported/,
  ],
  "a budget, where thinking is adaptive": [
    request({ thinking: { type: "enabled", budget_tokens: 2048 } }),
    /"thinking\.type\.enabled" is not supported/,
  ],
  "a budget that is too small": [
    request({ model: "claude-opus-4-5", thinking: { type: "enabled", budget_tokens: 100 } }),
    /1024/,
  ],
  "a budget over max_tokens": [
    request({ model: "claude-opus-4-5", thinking: { type: "enabled", budget_tokens: 2048 } }),
    /must be greater than `thinking/,
  ],
  "an image that is no base64": [messages(user(picture("%%%"))), /Invalid base64/],
  "an image of another kind than it says": [messages(user(picture(png, "image/jpeg"))), /appears to be a image\/png/],
  "an image that is none": [messages(user(picture("AAAA"))), /Could not process image/],
  "a type of image that there is not": [messages(user(picture(png, "image/bmp"))), /media_type/],
  "a document that is no PDF": [
    messages(user({ type: "document", source: { type: "base64", media_type: "application/pdf", data: "AAAA" } })),
    /PDF/,
  ],
};

describe("the strict server's rules", () => {
  for (const [what, body] of Object.entries(valid)) {
    it(`let pass: ${what}`, () => assert.equal(validateRequest(body), null));
  }

  for (const [what, [body, says]] of Object.entries(refused)) {
    it(`refuse: ${what}`, () => {
      const problem = validateRequest(body);
      assert.match(problem?.message ?? "", says);
      const [status, type] =
        what === "a model that it does not know" ? [404, "not_found_error"] : [400, "invalid_request_error"];
      assert.deepEqual([problem?.status, problem?.type], [status, type]);
    });
  }

  it("refuse a prompt that is longer than the window, with both numbers", () => {
    const problem = validateRequest(messages(user(text("word ".repeat(2_000)))), { contextWindow: 1_000 });
    assert.match(problem?.message ?? "", /^prompt is too long: \d+ tokens > 1000 maximum$/);
  });

  it("refuse thinking of the turn in progress that is not as the server sent it", () => {
    const sent = [thinking("a"), { type: "redacted_thinking", data: "b" }];
    const own: ValidationOptions["own"] = {
      signed: () => true,
      sent: () => false,
      thinkingOf: (id) => (id === "t1" ? sent : undefined),
    };
    const turn = (...blocks: JsonObject[]): JsonObject[] => [
      user(text("a")),
      assistant(...blocks, use("t1")),
      user(result("t1")),
    ];
    const problemOf = (...list: JsonObject[]): string | undefined =>
      validateRequest(messages(...list), { own })?.message;
    assert.equal(problemOf(...turn(...sent)), undefined);
    assert.match(problemOf(...turn(sent[0]!)) ?? "", /cannot be modified/);
    assert.match(problemOf(...turn(sent[1]!, sent[0]!)) ?? "", /cannot be modified/);
    assert.match(problemOf(...turn()) ?? "", /cannot be modified/);
    assert.equal(
      problemOf(...turn(), assistant(text("Done")), user(text("Next"))),
      undefined,
      "a turn that is over may go without",
    );
  });
});
