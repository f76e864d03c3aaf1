/** A program and its arguments as a person types them: words, quoted where they hold blanks, or a JSON list. Pure. */

export type ParsedArgv =
  { readonly ok: true; readonly argv: readonly string[] } | { readonly ok: false; readonly message: string };

/** As a POSIX shell would split it; nothing is expanded, and what only a shell could do is refused. */
export function parseArgv(text: string): ParsedArgv {
  if (text.trimStart().startsWith("[")) return parseList(text);
  const words: string[] = [];
  const token = /\s*((?:[^\s"'\\|&;<>()$`]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+)/y;
  let at = 0;
  const end = text.trimEnd().length;
  while (at < end) {
    token.lastIndex = at;
    const found = token.exec(text);
    if (found === null) return problemAt(text.slice(at).trimStart());
    at = token.lastIndex;
    words.push(unquoted(found[1] ?? ""));
  }
  return words[0] === undefined || words[0] === ""
    ? { ok: false, message: "A program is needed." }
    : { ok: true, argv: words };
}

function problemAt(rest: string): ParsedArgv {
  if (/^["'\\]/.test(rest)) return { ok: false, message: "A quote is not closed." };
  const message = `“${rest.slice(0, 1)}” means something to a shell only, and none reads this. Quote it, or use sh -c '…'.`;
  return { ok: false, message };
}

function unquoted(word: string): string {
  return word.replaceAll(
    /\\(.)|'([^']*)'|"((?:[^"\\]|\\.)*)"/g,
    (_whole, char?: string, single?: string, double?: string) => {
      if (char !== undefined) return char;
      return single ?? (double ?? "").replaceAll(/\\(["\\$`])/g, "$1");
    },
  );
}

function parseList(text: string): ParsedArgv {
  try {
    const value: unknown = JSON.parse(text);
    const isList = Array.isArray(value) && value.every((word) => typeof word === "string");
    if (isList && value.length > 0 && value[0] !== "") return { ok: true, argv: value };
  } catch {
    // Said below.
  }
  return { ok: false, message: 'A list of texts: ["program", "argument"].' };
}
