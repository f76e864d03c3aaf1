/** The HTML of a session page: a frame for the bundled script, with a policy that lets nothing else in. */
import { randomBytes } from "node:crypto";

export interface PagePlace {
  /** The source that the page's own files come from, as a content security policy names it. */
  readonly cspSource: string;
  /** The address of a file of the extension, by its path in it. */
  readonly addressOf: (...path: string[]) => string;
}

export function pageHtml({ cspSource, addressOf }: PagePlace): string {
  const nonce = randomBytes(18).toString("base64");
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${cspSource}`,
    `font-src ${cspSource}`,
    `img-src ${cspSource} data:`,
  ].join("; ");
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>Many Hands session</title>
<link rel="stylesheet" href="${addressOf("media", "page.css")}">
</head>
<body>
<main id="app"></main>
<script nonce="${nonce}" src="${addressOf("dist", "webview", "page.js")}"></script>
</body>
</html>`;
}
