/** The forms in which programs print a value: raw, base64, hex, escaped for URLs, JSON, HTML and shells. */

import { limits } from "../core/limits.ts";

/**
 * Every form as bytes, each once, the value itself first; none for a value that is too short. In base64 a form is what
 * depends on the value alone, wherever in a longer text the value stands.
 */
export function findForms(value: string): readonly Uint8Array[] {
  if (value.length < limits.redactedCharsMin) return [];
  const forms = new Set<string>(textForms(value));
  // Of a value with several lines, each is found on its own as well: tools number and indent them.
  const lines = value
    .split(/\r?\n/)
    .filter((line) => line.length >= limits.redactedLineCharsMin && !line.startsWith("-----"));
  if (value.includes("\n")) for (const line of lines) for (const form of textForms(line)) forms.add(form);
  const wide = Buffer.from(value, "utf16le");
  return [...Array.from(forms, (form) => Buffer.from(form)), wide];
}

function textForms(value: string): readonly string[] {
  const json = JSON.stringify(value).slice(1, -1);
  const ascii = json.replaceAll(/[\u0080-\uffff]/g, (char) => `\\u${hexOf(char.charCodeAt(0), 4)}`);
  const slashed = json.replaceAll("/", String.raw`\/`);
  const hex = Buffer.from(value).toString("hex");
  const everyByte = hex.replaceAll(/../g, "%$&");
  const html = value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const base64 = base64Forms(value);
  return [
    value,
    ...[json, ascii, slashed].flatMap((escaped) => [escaped, JSON.stringify(escaped).slice(1, -1)]),
    ...percentForms(value),
    everyByte,
    everyByte.toUpperCase(),
    hex,
    hex.toUpperCase(),
    html,
    html.replaceAll('"', "&quot;"),
    html.replaceAll('"', "&quot;").replaceAll("'", "&#39;"),
    value.replaceAll("'", String.raw`'\''`),
    ...base64,
    ...base64.flatMap(percentForms),
  ];
}

function percentForms(text: string): readonly string[] {
  // What has no UTF-8 form has no URL form either.
  const strict = encodeURIComponent(text.toWellFormed()).replaceAll(
    /[!'()*]/g,
    (char) => `%${hexOf(char.charCodeAt(0), 2)}`,
  );
  const forms = [encodeURIComponent(text.toWellFormed()), strict.replaceAll(/%../g, (code) => code.toUpperCase())];
  const lower = forms.map((form) => form.replaceAll(/%../g, (code) => code.toLowerCase()));
  return [...forms, ...lower, ...[...forms, ...lower].map((form) => form.replaceAll("%20", "+"))];
}

/** At each of the three places where the value can begin in a group of three bytes. */
function base64Forms(value: string): readonly string[] {
  return [0, 1, 2].flatMap((before) => {
    const padded = Buffer.concat([Buffer.alloc(before), Buffer.from(value)]);
    // Only the characters whose six bits belong to the value alone.
    const [from, to] = [Math.ceil((before * 8) / 6), Math.floor((padded.length * 8) / 6)];
    return [padded.toString("base64").slice(from, to), padded.toString("base64url").slice(from, to)];
  });
}

function hexOf(number: number, digits: number): string {
  return number.toString(16).padStart(digits, "0");
}
