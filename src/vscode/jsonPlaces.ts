/** Where in the text of a settings file a value is: reads JSON with comments and trailing commas, also while it is edited. */
import type { JsonPlace } from "./handSettings.ts";

interface TextRange {
  /** Offsets in UTF-16 units, the end not included. */
  readonly start: number;
  readonly end: number;
}

export interface JsonNode extends TextRange {
  /** What JSON.parse would give, as far as the text can be read. */
  readonly value: unknown;
  /** Members and items, by key. */
  readonly children: ReadonlyMap<string | number, JsonNode>;
}

const NO_CHILDREN: ReadonlyMap<string | number, JsonNode> = new Map();
const DEPTH_MAX = 200;

/** Null where the text has no value at all. Text after damage is not read. */
export function parseJsonPlaces(text: string): JsonNode | null {
  const reader = new Reader(text);
  return reader.value(0);
}

/** The settings in the text of a settings file, or of a workspace's file, whose path says that it is one. */
export function settingsNode(text: string, path: string): JsonNode | null {
  const root = parseJsonPlaces(text);
  return path.endsWith(".code-workspace") ? (root?.children.get("settings") ?? null) : root;
}

/** The node at a place; where it is missing, the last one on the way there. */
export function nodeAt(root: JsonNode, place: JsonPlace): JsonNode {
  let node = root;
  for (const key of place) {
    const child = node.children.get(key);
    if (child === undefined) return node;
    node = child;
  }
  return node;
}

/** Line and character of an offset, both from 0. */
export function positionAt(text: string, offset: number): { readonly line: number; readonly character: number } {
  const before = text.slice(0, offset);
  const line = before.split("\n").length - 1;
  return { line, character: offset - (before.lastIndexOf("\n") + 1) };
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): JsonNode | null {
    this.#skip();
    const start = this.#at;
    const char = this.#text[start];
    if (char === undefined || depth > DEPTH_MAX) return null;
    if (char === "{") return this.#object(start, depth);
    if (char === "[") return this.#array(start, depth);
    if (char === '"') return this.#leaf(start, this.#string());
    const word = /[^\s,:{}[\]"/]+/y;
    word.lastIndex = start;
    const found = word.exec(this.#text)?.[0];
    if (found === undefined) return null;
    this.#at += found.length;
    return this.#leaf(start, parsed(found));
  }

  #object(start: number, depth: number): JsonNode {
    const children = new Map<string, JsonNode>();
    this.#at += 1;
    for (;;) {
      this.#skip();
      if (this.#text[this.#at] !== '"') break;
      const key = this.#string();
      this.#skip();
      if (typeof key !== "string" || !this.#take(":")) break;
      const node = this.value(depth + 1);
      if (node === null) break;
      children.set(key, node);
      this.#skip();
      if (!this.#take(",")) break;
    }
    this.#take("}");
    const value = Object.fromEntries(Array.from(children, ([key, node]) => [key, node.value]));
    return { start, end: this.#at, value, children };
  }

  #array(start: number, depth: number): JsonNode {
    const children = new Map<number, JsonNode>();
    this.#at += 1;
    for (;;) {
      this.#skip();
      if (this.#text[this.#at] === "]") break;
      const node = this.value(depth + 1);
      if (node === null) break;
      children.set(children.size, node);
      this.#skip();
      if (!this.#take(",")) break;
    }
    this.#take("]");
    return { start, end: this.#at, value: Array.from(children.values(), (node) => node.value), children };
  }

  #leaf(start: number, value: unknown): JsonNode {
    return { start, end: this.#at, value, children: NO_CHILDREN };
  }

  #string(): unknown {
    const string = /"(?:[^"\\\n]|\\.)*"?/y;
    string.lastIndex = this.#at;
    const found = string.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return parsed(found);
  }

  #take(char: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== char) return false;
    this.#at += 1;
    return true;
  }

  /** White space and comments. */
  #skip(): void {
    const skipped = /(?:\s|\uFEFF|\/\/[^\n]*|\/\*[^]*?(?:\*\/|$))*/y;
    skipped.lastIndex = this.#at;
    this.#at += skipped.exec(this.#text)?.[0].length ?? 0;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
