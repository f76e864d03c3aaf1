/** The page of a session in a real Chromium, with a host that speaks its protocol and notes what it is asked. */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { root } from "../../scripts/pinnedNode.mjs";
import type { FromPage, ToPage } from "../../src/core/pageProtocol.ts";
import type { SessionInfo } from "../../src/core/service.ts";
import { EMPTY_STATE, foldSession } from "../../src/core/sessionState.ts";
import type { AnyEvent, SessionState } from "../../src/core/sessionState.ts";

/** Never asked: what the page loads is given to it. A secure context, as a webview is. */
const ORIGIN = "http://localhost";
const NONCE = "bm9uY2U";

/** Colours of VS Code's default light theme, as far as the page uses them. */
const THEME = `body { --vscode-editor-background: #fff; --vscode-foreground: #3b3b3b; --vscode-font-family: sans-serif;
  --vscode-font-size: 13px; --vscode-editor-font-family: monospace; --vscode-focusBorder: #005fb8; }`;

const HTML = `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'nonce-${NONCE}'; style-src ${ORIGIN}; img-src data:">
<title>Many Hands session</title><link rel="stylesheet" href="${ORIGIN}/page.css"></head>
<body><main id="app"></main><script nonce="${NONCE}" src="${ORIGIN}/page.js"></script></body></html>`;

export interface PageHost {
  readonly page: Page;
  /** All that the page has sent. */
  readonly sent: readonly FromPage[];
  /** Appends to the log and tells the page. */
  append(events: readonly AnyEvent[]): Promise<void>;
  /** Appends to the log and does not tell the page. */
  appendUnheard(events: readonly AnyEvent[]): void;
  post(message: ToPage): Promise<void>;
  info(): SessionInfo;
  close(): Promise<void>;
}

function infoOf(state: SessionState, changes: Partial<SessionInfo>): SessionInfo {
  const writer = { kind: "this" } as const;
  const id = "sesn_page" as SessionInfo["id"];
  return { id, state, writer, read_only: null, paused: null, unreadable: null, damage: [], ...changes };
}

export async function openPage(
  browser: Browser,
  history: readonly AnyEvent[],
  changes: Partial<SessionInfo> = {},
): Promise<PageHost> {
  const page = await browser.newPage({ viewport: { width: 800, height: 700 } });
  const log = [...history];
  const sent: FromPage[] = [];
  let state = log.reduce(foldSession, EMPTY_STATE);
  const facts = (): Pick<Extract<ToPage, { type: "info" }>, "info" | "rehearsal" | "model" | "trusted"> => ({
    info: infoOf(state, changes),
    rehearsal: false,
    model: "claude-sonnet-5-5",
    trusted: true,
  });
  const post = async (message: ToPage): Promise<void> => {
    await page.evaluate((data) => window.postMessage(data, "*"), message as unknown);
  };
  const take = (events: readonly AnyEvent[]): void => {
    log.push(...events);
    state = events.reduce(foldSession, state);
  };
  const receive = async (message: FromPage): Promise<void> => {
    sent.push(message);
    const last_seq = log.length;
    if (message.type === "ready") await post({ type: "init", ...facts(), last_seq, live: [] });
    if (message.type !== "slice") return;
    const { request_id, from = 1, to = last_seq, limit, order } = message;
    const range = log.slice(from - 1, to);
    const events = order === "desc" ? range.slice(-limit) : range.slice(0, limit);
    await post({ type: "slice", request_id, events, last_seq });
  };
  await page.exposeFunction("toHost", receive);
  await page.addInitScript(() => {
    let saved: unknown;
    Object.assign(window, {
      acquireVsCodeApi: () => ({
        postMessage: (message: unknown) => (window as unknown as { toHost: (m: unknown) => void }).toHost(message),
        getState: () => saved,
        setState: (value: unknown) => (saved = value),
      }),
    });
  });
  await page.route(`${ORIGIN}/**`, (route) => {
    const { pathname } = new URL(route.request().url());
    const read = (...file: string[]): string => readFileSync(path.join(root, ...file), "utf8");
    if (pathname === "/page.js") {
      return route.fulfill({ contentType: "text/javascript", body: read("dist", "webview", "page.js") });
    }
    if (pathname === "/page.css") {
      return route.fulfill({ contentType: "text/css", body: THEME + read("media", "page.css") });
    }
    return route.fulfill({ contentType: "text/html", body: HTML });
  });
  await page.goto(`${ORIGIN}/`);
  return {
    page,
    sent,
    post,
    info: () => infoOf(state, changes),
    append: async (events) => {
      take(events);
      await post({ type: "appended", events });
      await post({ type: "info", ...facts() });
    },
    appendUnheard: take,
    close: () => page.close(),
  };
}
