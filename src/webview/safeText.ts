/** Text from outside as what a person can trust to see: nothing hidden, nothing reordered, no terminal codes. */

/** Code points that show nothing or change the order of what is shown: controls, joiners, fillers, bidirectional marks, tags. */
const HIDDEN_RANGES: readonly (readonly [first: number, last: number])[] = [
  [0x00, 0x08],
  [0x0b, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x61c, 0x61c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x202a, 0x202e],
  [0x2060, 0x206f],
  [0x3164, 0x3164],
  [0xfe00, 0xfe0e],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffb],
  [0xe0000, 0xe0fff],
];

function isHidden(code: number): boolean {
  return HIDDEN_RANGES.some(([first, last]) => code >= first && code <= last);
}

/**
 * What a call is about to do, for the person who allows it: each hidden character is shown by its number, so that a
 * command cannot look like another one.
 */
export function plainly(text: string): string {
  // Most text is plain: one look says so.
  if (/^[\n\t\u0020-\u007e]*$/.test(text)) return text;
  let plain = "";
  for (const character of text.replaceAll("\r\n", "\n")) {
    const code = character.codePointAt(0) ?? 0;
    plain += isHidden(code) ? `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9` : character;
  }
  return plain;
}

const ESC = "\\u001b";
const CODES = new RegExp(
  [
    // Commands with parameters (colours, cursor), strings (titles, links), and what is left of the short ones.
    `${ESC}\\[[0-9;:?<=>!]*[ -/]*[@-~]`,
    `${ESC}[\\]PX^_][^\\u0007\\u001b]*(?:\\u0007|${ESC}\\\\|$)`,
    `${ESC}[ -/]*[0-~]`,
  ].join("|"),
  "g",
);
// oxlint-disable-next-line no-control-regex
const CONTROLS = new RegExp("[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f]", "g");

/** Output roughly as a terminal would have left it on the screen: no codes, progress lines overwritten. */
export function terminalText(output: string): string {
  return output
    .replaceAll(CODES, "")
    .replaceAll(/\r+\n/g, "\n")
    .replaceAll(/[^\n]*\r(?=[^\n])/g, "")
    .replaceAll("\r", "")
    .replaceAll(CONTROLS, "");
}
