/** What an MCP server answered, as the model reads it: text, images, and a word on what is neither. */
import type { ResultBlock } from "../../core/events.ts";
import type { CallResult } from "../../core/hand.ts";
import { isObject } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import { OutputWindow } from "../shell/outputText.ts";

/** An item of a result's content, a resource's contents, a prompt's message: whatever the server sent. */
type Item = Readonly<Record<string, unknown>>;

export interface Answer {
  readonly items: readonly unknown[];
  readonly structured?: unknown;
  readonly is_error: boolean;
}

type Rendered = Pick<CallResult, "text" | "content" | "is_error" | "truncated"> & { readonly whole: Buffer };

/** `whole`: all text, for the log, where `text` is cut. */
export function rendered(answer: Answer): Rendered {
  const texts: string[] = [];
  const images: ResultBlock[] = [];
  const seen = { bytes: 0 };
  for (const item of answer.items) {
    const image = isObject(item) ? imageOf(item) : null;
    if (image === null) texts.push(textOf(item));
    else if (fits(image, images, seen)) images.push(image);
    else texts.push(`(an image, ${image.source.media_type}: too large to be shown here)`);
  }
  const structured = structuredText(answer.structured, texts);
  if (structured !== null) texts.push(structured);
  const whole = Buffer.from(texts.join("\n").toWellFormed());
  const window = new OutputWindow();
  window.add(whole);
  const text = window.bytes === 0 ? (images.length === 0 ? "(no output)" : "") : window.text();
  const block: readonly ResultBlock[] = text.trim() === "" ? [] : [{ type: "text", text }];
  const content = images.length === 0 ? {} : { content: [...block, ...images] };
  const shown = text.trim() === "" ? "(no text)" : text;
  return { text: shown, ...content, is_error: answer.is_error, truncated: window.isTruncated, whole };
}

type ImageBlock = Extract<ResultBlock, { type: "image" }>;

function imageOf(item: Item): ImageBlock | null {
  const { type, data, mimeType } = item;
  if (type === "resource" && isObject(item["resource"])) {
    const { blob, mimeType: media } = item["resource"];
    return imageOf({ type: "image", data: blob, mimeType: media });
  }
  if (type !== "image" || typeof data !== "string" || typeof mimeType !== "string") return null;
  if (!/^image\/(png|jpeg|gif|webp)$/.test(mimeType) || !/^[A-Za-z0-9+/]+={0,2}$/.test(data)) return null;
  return { type: "image", source: { type: "base64", media_type: mimeType, data } };
}

function fits(image: ImageBlock, images: readonly ResultBlock[], seen: { bytes: number }): boolean {
  const bytes = image.source.data.length;
  if (images.length >= limits.resultImagesMax || bytes > limits.resultImageBytesMax) return false;
  if (seen.bytes + bytes > limits.resultImagesBytesMax) return false;
  seen.bytes += bytes;
  return true;
}

function textOf(item: unknown): string {
  if (!isObject(item)) return JSON.stringify(item) ?? "";
  const word = (name: string): string => (typeof item[name] === "string" ? item[name] : "");
  switch (item["type"]) {
    case "text":
      return word("text");
    case "image":
    case "audio":
      return `(${word("type")}, ${word("mimeType")}, about ${Math.floor(word("data").length * 0.75)} bytes: not shown)`;
    case "resource_link": {
      const about = [word("title") || word("name"), word("description"), word("mimeType")].filter(
        (part) => part !== "",
      );
      return `[resource ${word("uri")}${about.length === 0 ? "" : `: ${about.join(", ")}`}]`;
    }
    case "resource":
      return isObject(item["resource"]) ? resourceText(item["resource"]) : "";
    default:
      return JSON.stringify(item);
  }
}

function resourceText({ uri, text, blob, mimeType }: Item): string {
  const head = `[resource ${String(uri)}${typeof mimeType === "string" ? `, ${mimeType}` : ""}]`;
  if (typeof text === "string") return `${head}\n${text}`;
  const bytes = typeof blob === "string" ? Math.floor(blob.length * 0.75) : 0;
  return `${head} (binary, about ${bytes} bytes: not shown)`;
}

/** Servers should send it as text too; where one did, it is not told twice. */
function structuredText(structured: unknown, texts: readonly string[]): string | null {
  if (structured === undefined || structured === null) return null;
  const compact = JSON.stringify(structured);
  return texts.some((text) => compactJson(text) === compact) ? null : compact;
}

function compactJson(text: string): string | null {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return null;
  }
}
