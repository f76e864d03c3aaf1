/** Markdown of the agent as safe DOM: no raw HTML, links only through the host, code highlighted and copied by a button. */
import DOMPurify from "dompurify";
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import markdown from "highlight.js/lib/languages/markdown";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import MarkdownIt from "markdown-it";
import { button, h } from "./dom.ts";

const languages = {
  bash,
  c,
  css,
  diff,
  go,
  java,
  javascript,
  json,
  markdown,
  python,
  rust,
  sql,
  typescript,
  xml,
  yaml,
};
for (const [name, language] of Object.entries(languages)) hljs.registerLanguage(name, language);

/** Code longer than this is shown plain: highlighting it would hold up the page. */
const HIGHLIGHT_CHARS_MAX = 20_000;

const renderer = new MarkdownIt({
  html: false,
  linkify: true,
  highlight: (code, language) =>
    code.length <= HIGHLIGHT_CHARS_MAX && hljs.getLanguage(language) !== undefined
      ? hljs.highlight(code, { language, ignoreIllegals: true }).value
      : "",
});
renderer.disable("image");

export interface MarkdownActions {
  readonly openLink: (href: string) => void;
  readonly copy: (text: string) => void;
}

export function renderMarkdown(text: string, actions: MarkdownActions): HTMLElement {
  const element = h("div", { class: "markdown" });
  element.append(
    DOMPurify.sanitize(renderer.render(text), {
      RETURN_DOM_FRAGMENT: true,
      FORBID_TAGS: ["style", "img", "svg", "math", "form", "input", "button"],
      FORBID_ATTR: ["style", "id", "name", "srcset", "target"],
    }),
  );
  for (const link of element.querySelectorAll("a")) {
    const href = link.getAttribute("href") ?? "";
    link.title = href;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      actions.openLink(href);
    });
  }
  for (const block of element.querySelectorAll("pre")) {
    const code = block.textContent ?? "";
    block.tabIndex = 0;
    const frame = h("div", { class: "code" });
    block.replaceWith(frame);
    frame.append(
      block,
      button("Copy", "copy", () => actions.copy(code), "Copy this code"),
    );
  }
  for (const table of element.querySelectorAll("table")) {
    const frame = h("div", { class: "table" });
    table.replaceWith(frame);
    frame.append(table);
  }
  return element;
}
