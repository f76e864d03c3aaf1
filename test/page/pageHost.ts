/** The page of a session in a real Chromium, with a host that speaks its protocol and notes what it is asked. */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { root } from "../../scripts/pinnedNode.mjs";
import type { FromPage, PageImage, ToPage } from "../../src/core/pageProtocol.ts";
import type { SessionInfo } from "../../src/core/service.ts";
import { EMPTY_STATE, foldSession } from "../../src/core/sessionState.ts";
import type { AnyEvent, SessionState } from "../../src/core/sessionState.ts";
import { pageHtml } from "../../src/vscode/pageHtml.ts";
import themes from "./themes.json" with { type: "json" };

/** Never asked: what the page loads is given to it. A secure context, as a webview is. */
const ORIGIN = "http://localhost";

export type Theme = keyof typeof themes;

/** What VS Code gives each webview before the page's own style, as far as this page could be changed by it. */
const WEBVIEW_STYLE = `@layer vscode-default {
  body { padding: 0 20px; color: var(--vscode-editor-foreground); }
  a, a code { color: var(--vscode-textLink-foreground); }
  code { color: var(--vscode-textPreformat-foreground); background-color: var(--vscode-textPreformat-background); }
  input:focus, textarea:focus { outline: 1px solid -webkit-focus-ring-color; outline-offset: -1px; }
}`;

export interface PageOptions {
  readonly history: readonly AnyEvent[];
  readonly changes?: Partial<SessionInfo>;
  readonly facts?: Partial<Pick<Extract<ToPage, { type: "init" }>, "rehearsal" | "trusted" | "live">>;
  /** What the images of an event are where they are asked for. */
  readonly images?: (seq: number) => readonly PageImage[];
  readonly theme?: Theme;
  readonly size?: { readonly width: number; readonly height: number };
}

export interface PageHost {
  readonly page: Page;
  /** All that the page has sent. */
  readonly sent: readonly FromPage[];
  /** Appends to the log and tells the page. */
  append(events: readonly AnyEvent[]): Promise<void>;
  /** Appends to the log and does not tell the page. */
  appendUnheard(events: readonly AnyEvent[]): void;
  post(...messages: readonly ToPage[]): Promise<void>;
  close(): Promise<void>;
}

function infoOf(state: SessionState, changes: Partial<SessionInfo>): SessionInfo {
  const writer = { kind: "this" } as const;
  const id = "sesn_page" as SessionInfo["id"];
  return { id, state, writer, read_only: null, paused: null, unreadable: null, damage: [], ...changes };
}

function themeStyle(theme: Theme): string {
  const variables = Object.entries(themes[theme].variables).map(([name, value]) => `${name}: ${value};`);
  return `html { ${variables.join(" ")} }\n${WEBVIEW_STYLE}\n`;
}

/** Stands in for the webview that VS Code would make: its API, its files, its policy, its colours. */
async function makeWebview(page: Page, theme: Theme, receive: (message: FromPage) => Promise<void>): Promise<void> {
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
  const read = (...file: string[]): string => readFileSync(path.join(root, ...file), "utf8");
  const addressOf = (...file: string[]): string => [ORIGIN, ...file].join("/");
  const html = pageHtml({ cspSource: ORIGIN, addressOf }).replace(
    "<body>",
    `<body class="${themes[theme].bodyClass}">`,
  );
  await page.route(`${ORIGIN}/**`, (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname === "/dist/webview/page.js") {
      return route.fulfill({ contentType: "text/javascript", body: read("dist", "webview", "page.js") });
    }
    if (pathname === "/media/page.css") {
      return route.fulfill({ contentType: "text/css", body: themeStyle(theme) + read("media", "page.css") });
    }
    return route.fulfill({ contentType: "text/html", body: html });
  });
}

export async function openPage(browser: Browser, options: PageOptions): Promise<PageHost> {
  const page = await browser.newPage({ viewport: options.size ?? { width: 800, height: 700 } });
  const log = [...options.history];
  const sent: FromPage[] = [];
  let state = log.reduce(foldSession, EMPTY_STATE);
  const facts = (): Pick<Extract<ToPage, { type: "info" }>, "info" | "rehearsal" | "model" | "trusted"> => ({
    info: infoOf(state, options.changes ?? {}),
    rehearsal: options.facts?.rehearsal ?? false,
    model: "claude-sonnet-5-5",
    trusted: options.facts?.trusted ?? true,
  });
  const post = async (...messages: readonly ToPage[]): Promise<void> => {
    await page.evaluate((all) => {
      for (const data of all) window.postMessage(data, "*");
    }, messages as unknown[]);
  };
  const take = (events: readonly AnyEvent[]): void => {
    log.push(...events);
    state = events.reduce(foldSession, state);
  };
  await makeWebview(page, options.theme ?? "light", async (message) => {
    sent.push(message);
    const last_seq = log.length;
    if (message.type === "ready") {
      await post({ type: "init", ...facts(), last_seq, live: options.facts?.live ?? [] });
    }
    if (message.type === "images") {
      await post({ type: "images", seq: message.seq, images: options.images?.(message.seq) ?? [] });
    }
    if (message.type !== "slice") return;
    const { request_id, from = 1, to = last_seq, limit, order } = message;
    const range = log.slice(from - 1, to);
    const events = order === "desc" ? range.slice(-limit) : range.slice(0, limit);
    await post({ type: "slice", request_id, events, last_seq });
  });
  await page.goto(`${ORIGIN}/`);
  return {
    page,
    sent,
    post,
    append: async (events) => {
      take(events);
      await post({ type: "appended", events }, { type: "info", ...facts() });
    },
    appendUnheard: take,
    close: () => page.close(),
  };
}
