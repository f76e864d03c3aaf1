/** Finds what looks like a well-known kind of token, by the rules of secretlint, which are loaded when first needed. */
import { RULE_HINTS, RULES_LEFT_OUT } from "./tokenHints.ts";

export interface FoundToken {
  /** Places in the text; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
  readonly kind: string;
}

/** As much of a rule of the set as is used here. */
interface RuleCreator {
  readonly meta: { readonly id: string };
  create(context: RuleContext, options: object): { file?(source: object): void | Promise<void> };
}

interface Message {
  readonly messageId: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface RuleContext {
  readonly sharedOptions: object;
  createTranslator(messages: unknown): (messageId: string, data?: Message["data"]) => Message;
  report(found: { readonly message: Message; readonly range: readonly [number, number] }): void;
  ignore(found: unknown): void;
}

interface Rule {
  readonly kind: string;
  readonly hint: RegExp;
  readonly creator: RuleCreator;
}

const ID_PREFIX = "@secretlint/secretlint-rule-";

export class TokenShapes {
  readonly #rules: readonly Rule[];

  private constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  static async load(): Promise<TokenShapes> {
    const { rules } = await import("@secretlint/secretlint-rule-preset-recommend");
    return new TokenShapes(
      (rules as unknown as readonly RuleCreator[]).flatMap((creator) => {
        const name = creator.meta.id.slice(ID_PREFIX.length);
        const known = RULE_HINTS[name];
        if (RULES_LEFT_OUT.includes(name) || known === undefined) return [];
        return [{ kind: known.kind, hint: new RegExp(known.hint, "u"), creator }];
      }),
    );
  }

  /** In order, none overlapping another. `text`: a line or a few. */
  find(text: string): readonly FoundToken[] {
    const found: FoundToken[] = [];
    for (const rule of this.#rules) if (rule.hint.test(text)) runRule(rule, text, found);
    const ordered = found.toSorted((a, b) => a.start - b.start || b.end - a.end);
    let end = 0;
    return ordered.filter((token) => {
      const isFree = token.start >= end;
      if (isFree) end = token.end;
      return isFree;
    });
  }
}

function runRule({ kind, creator }: Rule, text: string, found: FoundToken[]): void {
  const context: RuleContext = {
    sharedOptions: {},
    // What it found comes with the message; the range of some rules is that of what stands around it.
    createTranslator: () => (messageId, data) => ({ messageId, data: data ?? {} }),
    report: ({ message, range }) => {
      const value = Object.values(message.data).find((part) => typeof part === "string" && part !== "");
      const token = placeOf(text, typeof value === "string" ? value : "", range);
      if (token.end > token.start) found.push({ ...token, kind });
    },
    ignore: () => {},
  };
  const source = { content: text, filePath: "", ext: "", contentType: "text" };
  // The rules that look at texts answer at once.
  void creator.create(context, {}).file?.(source);
}

/** Of a URL, only what stands between `//` and `@`. */
function placeOf(
  text: string,
  value: string,
  [from, to]: readonly [number, number],
): { readonly start: number; readonly end: number } {
  const at = value === "" ? -1 : text.indexOf(value, from);
  const [start, end] = at === -1 ? [from, to] : [at, at + value.length];
  const token = text.slice(start, end);
  const user = token.indexOf("://");
  const host = token.lastIndexOf("@");
  return user !== -1 && host > user ? { start: start + user + 3, end: start + host } : { start, end };
}
