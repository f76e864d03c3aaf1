/** Takes known secret values out of text, in every form in which they are likely to appear there. */

export interface Redactor {
  /** From now on `value` is taken out of texts. It stays known: what was a key yesterday may be in an error today. */
  add(value: string): void;
  redact(text: string): string;
}

const REDACTED = "[redacted]";
/** Shorter values are not taken out: they would be found by chance. */
const valueCharsMin = 8;

export function createRedactor(): Redactor {
  const forms = new Set<string>();
  /** Longest first, so that a form that holds another is taken out whole. */
  let ordered: readonly string[] = [];
  return {
    add(value) {
      if (value.length < valueCharsMin) return;
      for (const form of formsOf(value)) forms.add(form);
      ordered = Array.from(forms).toSorted((a, b) => b.length - a.length);
    },
    redact: (text) => ordered.reduce((rest, form) => rest.replaceAll(form, REDACTED), text),
  };
}

/** The value as it is, URL-encoded, JSON-escaped, and in base64 at each of the three places where it can begin in a group. */
function formsOf(value: string): string[] {
  const escaped = JSON.stringify(value).slice(1, -1);
  const forms = [value, encodeURIComponent(value), escaped, JSON.stringify(escaped).slice(1, -1)];
  for (const before of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(before), Buffer.from(value)]);
    // Only the characters whose six bits belong to the value alone.
    const [from, to] = [Math.ceil((before * 8) / 6), Math.floor((padded.length * 8) / 6)];
    forms.push(padded.toString("base64").slice(from, to), padded.toString("base64url").slice(from, to));
  }
  return forms;
}
