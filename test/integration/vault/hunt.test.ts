/** The hunt for canaries sees them wherever they are planted, in every encoding; so that finding none means something. */
import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { describeSightings, huntFor, makeCanaries } from "../../fixtures/canaries.ts";
import { skipUnless } from "../../vscode/host/skip.ts";

const lines = (text: string, width: number, end = "\n"): string =>
  text.replaceAll(new RegExp(`.{${width}}`, "g"), `$&${end}`);
const percent = (text: string): string =>
  Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");

/** By name: how a value can be hidden from a plain search. */
const ENCODINGS: Readonly<Record<string, (value: string) => string | Uint8Array>> = {
  raw: (value) => value,
  "base64 at place 0": (value) => Buffer.from(value).toString("base64"),
  "base64 at place 1": (value) => Buffer.from(`x${value}y`).toString("base64"),
  "base64 at place 2": (value) => Buffer.from(`xy${value}z`).toString("base64"),
  "base64 after other text": (value) => `Authorization=Basic ${Buffer.from(`user:${value}`).toString("base64")}`,
  base64url: (value) => Buffer.from(`??>${value}`).toString("base64url"),
  "base64 in lines": (value) => lines(Buffer.from("#".repeat(50) + value + "#".repeat(90)).toString("base64"), 76),
  "base64 in lines, in JSON": (value) => JSON.stringify(lines(Buffer.from(value.repeat(2)).toString("base64"), 60)),
  hex: (value) => Buffer.from(value).toString("hex"),
  "hex in capitals": (value) => Buffer.from(value).toString("hex").toUpperCase(),
  "hex with spaces": (value) => Buffer.from(value).toString("hex").replaceAll(/../g, "$& "),
  "URL component": (value) => `https://example.com/?q=${encodeURIComponent(value)}`,
  "every byte percent": percent,
  "percent twice": (value) => percent(percent(value)),
  JSON: (value) => JSON.stringify({ value }),
  "JSON twice": (value) => JSON.stringify(JSON.stringify({ value: `"${value}"` })),
  "JSON by code": (value) => Array.from(value, (char) => `\\u00${char.charCodeAt(0).toString(16)}`).join(""),
  reversed: (value) => Array.from(value).toReversed().join(""),
  "UTF-16": (value) => Buffer.from(value, "utf16le"),
  "UTF-16, the other way": (value) => Buffer.from(value, "utf16le").swap16(),
  capitals: (value) => value.toUpperCase(),
  gzip: (value) => gzipSync(`before ${value} after`),
  "gzip within a file": (value) => Buffer.concat([Buffer.from("head"), gzipSync(value), Buffer.from("tail")]),
  zlib: (value) => deflateSync(value.repeat(3)),
  zstd: (value) => zstdCompressSync(Buffer.from(value)),
  "base64 of gzip": (value) => gzipSync(value).toString("base64"),
  "base64 of base64": (value) => Buffer.from(Buffer.from(`  ${value}`).toString("base64")).toString("base64"),
  "cut in two": (value) => `${value.slice(0, -20)}\n[… left out …]`,
};

describe("the hunt for canaries", function () {
  this.timeout(60_000);
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "many-hands-hunt-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  for (const [name, encode] of Object.entries(ENCODINGS)) {
    it(`sees one that is ${name}, in a file and in a text`, async () => {
      const canaries = makeCanaries();
      const [planted, ...others] = canaries;
      assert.ok(planted !== undefined);
      const content = encode(planted.value);
      await mkdir(path.join(folder, "a", "b"), { recursive: true });
      await writeFile(path.join(folder, "a", "b", "file"), content);
      const sightings = await huntFor(canaries, { folders: [folder], texts: { request: content } });
      assert.deepEqual([...new Set(sightings.map(({ kind }) => kind))], [planted.kind]);
      const places = new Set(sightings.map(({ where }) => where));
      assert.deepEqual(places, new Set(["request", path.join(folder, "a", "b", "file")]));
      assert.deepEqual(await huntFor(others, { folders: [folder], texts: { request: content } }), []);
    });
  }

  it("sees one in the name of a file", async () => {
    const canaries = makeCanaries(["header"]);
    await writeFile(path.join(folder, encodeURIComponent(canaries[0]?.value ?? "")), "");
    assert.match(
      describeSightings(await huntFor(canaries, { folders: [folder] })),
      /header as percent of raw in the name/,
    );
  });

  it("sees those in the command line and the environment of a process", async function () {
    skipUnless(this, process.platform === "linux", "command lines and environments are read from /proc");
    const canaries = makeCanaries(["git_token", "static_bearer"]);
    const [argument, variable] = canaries.map(({ value }) => value);
    const child = spawn("sh", ["-c", "echo up; read line", argument ?? ""], {
      env: { ...process.env, TOKEN: variable },
    });
    try {
      await once(child.stdout, "data");
      const sightings = await huntFor(canaries, { processes: true });
      const seen = sightings.filter(({ where, form }) => where.startsWith(`/proc/${child.pid}/`) && form === "raw");
      assert.deepEqual(seen.map(({ kind, where }) => `${kind} ${path.basename(where)}`).toSorted(), [
        "git_token cmdline",
        "static_bearer environ",
      ]);
    } finally {
      child.stdin.end();
      await once(child, "exit");
    }
  });

  it("passes over places that may hold them", async () => {
    const canaries = makeCanaries(["model_key"]);
    const texts = { upstream: canaries[0]?.value ?? "", log: "nothing" };
    assert.deepEqual(await huntFor(canaries, { texts, except: (where) => where === "upstream" }), []);
  });
});
