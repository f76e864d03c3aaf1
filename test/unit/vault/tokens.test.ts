/** What looks like a well-known kind of token is taken out of what hands print; ordinary output is left as it is. */
import { strict as assert } from "node:assert";
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { rules } from "@secretlint/secretlint-rule-preset-recommend";
import { generateKeyPairSync } from "node:crypto";
import { createRedactor } from "../../../src/vault/redactor.ts";
import type { Redactor } from "../../../src/vault/redactor.ts";
import { RULES_LEFT_OUT, RULE_HINTS, STARTS } from "../../../src/vault/tokenHints.ts";
import { root } from "../../../scripts/pinnedNode.mjs";

const fill = (length: number, from = "aZ09bY18"): string =>
  from.repeat(Math.ceil(length / from.length)).slice(0, length);

/** With a gap, so that no scanner takes this file for a leak. */
const SAMPLES: readonly (readonly [kind: string, token: string])[] = (
  [
    ["GitHub token", `gh p_${fill(36)}`],
    ["GitHub token", `github_ pat_${fill(82)}`],
    ["GitLab token", `glp at-${fill(20)}`],
    ["npm token", `npm _${fill(36)}`],
    ["Slack token", `xo xb-123456789012-1234567890123-${fill(24)}`],
    ["Anthropic key", `sk- ant-api03-${fill(93)}AA`],
    ["OpenAI key", `sk-${fill(20)}T3 BlbkFJ${fill(20)}`],
    ["Stripe key", `sk_ live_${fill(24)}`],
    ["Hugging Face token", `h f_${fill(34, "aZbY")}`],
    ["SendGrid key", `S G.${fill(22)}.${fill(43)}`],
    ["Docker token", `dckr_ pat_${fill(27)}`],
  ] as const
).map(([kind, token]) => [kind, token.replace(" ", "")]);

/** Cut at these places. */
function through(redactor: Redactor, text: string, cuts: readonly number[]): string {
  const bytes = Buffer.from(text);
  const stream = redactor.output();
  const edges = [0, ...cuts, bytes.length];
  const out = edges.slice(1).map((edge, at) => Buffer.from(stream.write(bytes.subarray(edges[at], edge))));
  return Buffer.concat([...out, stream.end()]).toString();
}

describe("the shapes of tokens", function () {
  this.timeout(60_000);
  const redactor = createRedactor({ detectTokens: () => true });
  before(() => redactor.ready());

  it("have a hint for each rule of the set, so that a new one is noticed", () => {
    const ids = rules.map(({ meta }) => meta.id.replace("@secretlint/secretlint-rule-", ""));
    assert.deepEqual(ids.toSorted(), [...Object.keys(RULE_HINTS), ...RULES_LEFT_OUT].toSorted());
    for (const start of STARTS) assert.ok(start.length >= 4, start);
  });

  it("are replaced by what they look like, at each split and byte by byte, with the rest as it was", () => {
    for (const [kind, token] of SAMPLES) {
      const text = `ü one\n  token: "${token}", two\nthree ${token}`;
      const clean = text.replaceAll(token, `[redacted: ${kind}]`);
      assert.equal(through(redactor, text, []), clean);
      const inTwo = (cut: number): string => through(redactor, text, [cut]);
      for (let cut = 1; cut < text.length; cut += 1) assert.equal(inTwo(cut), clean, `${kind} ${cut}`);
      assert.equal(
        through(
          redactor,
          text,
          Array.from(Buffer.from(text), (_byte, at) => at),
        ),
        clean,
      );
      assert.deepEqual(redactor.outputText(text), { text: clean, counts: [{ kind, count: 2 }] });
    }
  });

  it("leave the host of an address and the name of a setting", () => {
    const url = "git clone https://someone:s3cretW0rd@git.example.com/a/b.git";
    assert.equal(
      redactor.outputText(url).text,
      "git clone https://[redacted: password in a URL]@git.example.com/a/b.git",
    );
    const secret = fill(40, "wJa1rXUtnFEMI/K7MDENG");
    assert.equal(
      redactor.outputText(`export AWS_SECRET_ACCESS_KEY="${secret}"`).text,
      'export AWS_SECRET_ACCESS_KEY="[redacted: AWS key]"',
    );
  });

  it("take a private key out whole", () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pem = String(privateKey.export({ type: "pkcs8", format: "pem" }));
    const text = `before\n${pem}after\n`;
    assert.equal(through(redactor, text, [40, 700, 1_500]), "before\n[redacted: private key]\nafter\n");
  });

  it("find nothing in the sources and documents of this project", () => {
    const files = globSync(["src/**/*.ts", "*.md", "package-lock.json", "scripts/*"], { cwd: root });
    assert.ok(files.length > 100);
    for (const file of files) {
      const text = readFileSync(path.join(root, file), "utf8");
      assert.equal(redactor.outputText(text).text, text, file);
    }
  });

  it("are not looked for where the setting says so", () => {
    const off = createRedactor();
    const text = SAMPLES[0]?.[1] ?? "";
    assert.equal(off.outputText(text).text, text);
    assert.equal(redactor.text(text), text, "nor in what people and the model write");
  });
});
