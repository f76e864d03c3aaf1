/** VS Code's language-model tools (`vscode.lm`) as a hand's tools. */
import * as vscode from "vscode";
import { isObject } from "../core/json.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { Listen } from "../core/listen.ts";

interface Tool {
  readonly name: string;
  readonly description: string;
  readonly input_schema: unknown;
}

export interface VscodeLanguageModelTools {
  list(): readonly Tool[];
  invoke(name: string, input: Json, signal: AbortSignal): Promise<readonly JsonObject[]>;
  readonly onDidChange: Listen<null>;
}

export function createLanguageModelTools(): VscodeLanguageModelTools {
  return {
    list: () =>
      vscode.lm.tools.map(({ name, description, inputSchema }) => ({ name, description, input_schema: inputSchema })),
    async invoke(name, input, signal) {
      const cancelling = new vscode.CancellationTokenSource();
      const cancel = (): void => cancelling.cancel();
      signal.addEventListener("abort", cancel, { once: true });
      if (signal.aborted) cancel();
      try {
        const options = { input: input as object, toolInvocationToken: undefined };
        const { content } = await vscode.lm.invokeTool(name, options, cancelling.token);
        return content.map(itemOf);
      } finally {
        signal.removeEventListener("abort", cancel);
        cancelling.dispose();
      }
    },
    // VS Code tells of no change of its tools; they come and go with extensions, as a rule.
    onDidChange: (listener) => vscode.extensions.onDidChange(() => listener(null)),
  };
}

function itemOf(part: unknown): JsonObject {
  if (part instanceof vscode.LanguageModelTextPart) return { type: "text", text: part.value };
  if (part instanceof vscode.LanguageModelPromptTsxPart) return { type: "text", text: textsIn(part.value).join("") };
  if (part instanceof vscode.LanguageModelDataPart) return dataItem(part);
  return { type: "text", text: JSON.stringify(part) ?? "" };
}

function dataItem({ data, mimeType }: vscode.LanguageModelDataPart): JsonObject {
  if (/^text\/|[/+]json$/.test(mimeType)) return { type: "text", text: new TextDecoder().decode(data) };
  const type = mimeType.startsWith("audio/") ? "audio" : "image";
  return { type, data: Buffer.from(data).toString("base64"), mimeType };
}

/** The rendered form of `@vscode/prompt-tsx` is a tree whose leaves hold the text. */
function textsIn(node: unknown, depth = 0): readonly string[] {
  if (depth > 100) return [];
  if (Array.isArray(node)) return node.flatMap((each) => textsIn(each, depth + 1));
  if (!isObject(node)) return [];
  const own = typeof node["text"] === "string" ? [node["text"]] : [];
  return [...own, ...textsIn(node["children"], depth + 1), ...textsIn(node["node"], depth + 1)];
}
