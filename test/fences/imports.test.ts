/** The rooms of the house: which may import which. Reads the imports that the bundler resolves from every source file. */
import { strict as assert } from "node:assert";
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { build } from "esbuild";
import { root } from "../../scripts/pinnedNode.mjs";

interface Rule {
  /** Rooms besides its own. */
  readonly rooms: readonly string[];
  readonly node: boolean;
  readonly vscode: boolean;
  readonly packages: readonly string[];
}

const everything: Rule = {
  rooms: ["core", "session", "brain", "hands", "resources", "vault", "orchestrator", "vscode"],
  node: true,
  vscode: true,
  packages: [],
};
const coreOnly: Rule = { rooms: ["core"], node: true, vscode: false, packages: [] };

/** By folder of src; the longest match holds. */
const RULES: Readonly<Record<string, Rule>> = {
  "": everything,
  core: { rooms: [], node: false, vscode: false, packages: [] },
  session: coreOnly,
  brain: { ...coreOnly, packages: ["@anthropic-ai/sdk", "@cfworker/json-schema"] },
  hands: { ...coreOnly, packages: ["picomatch"] },
  "hands/docker": { ...coreOnly, packages: ["dockerode", "tar-stream"] },
  "hands/local": { ...coreOnly, packages: ["@anthropic-ai/sandbox-runtime"] },
  "hands/mcp": { ...coreOnly, packages: ["@modelcontextprotocol/client"] },
  "hands/ssh": { ...coreOnly, packages: ["ssh2"] },
  resources: coreOnly,
  vault: { ...coreOnly, packages: ["@secretlint/secretlint-rule-preset-recommend"] },
  "vault/oauth": { ...coreOnly, packages: ["@modelcontextprotocol/client"] },
  orchestrator: { ...coreOnly, node: false },
  vscode: { rooms: ["core", "orchestrator"], node: true, vscode: true, packages: [] },
  webview: {
    rooms: ["core"],
    node: false,
    vscode: false,
    packages: ["diff", "dompurify", "highlight.js", "markdown-it"],
  },
};

function ruleOf(file: string): Rule {
  const folders = Object.keys(RULES).filter((folder) => folder === "" || file.startsWith(`${folder}/`));
  return RULES[folders.toSorted((a, b) => b.length - a.length)[0] ?? ""] ?? everything;
}

function roomOf(file: string): string {
  return file.includes("/") ? (file.split("/")[0] ?? "") : "";
}

/** What is wrong with the imports of the files below `folder`, as sentences. */
async function faults(folder: string): Promise<string[]> {
  const files = globSync("**/*.ts", { cwd: folder });
  const { metafile } = await build({
    absWorkingDir: folder,
    entryPoints: files,
    outdir: "out",
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "node",
    packages: "external",
    logLevel: "silent",
    // Types are imports too: what a room knows of another is what it depends on.
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  });
  const found: string[] = [];
  for (const [file, { imports }] of Object.entries(metafile.inputs)) {
    for (const imported of imports) {
      const fault = faultOf(file, imported.path, imported.external === true, folder);
      if (fault !== null) found.push(fault);
    }
  }
  return found;
}

function faultOf(file: string, imported: string, external: boolean, folder: string): string | null {
  const rule = ruleOf(file);
  if (!external) {
    const target = relative(folder, join(folder, imported));
    const room = roomOf(target);
    const isAllowed = room === roomOf(file) || rule.rooms.includes(room);
    return isAllowed && room !== "" ? null : room === "" && roomOf(file) === "" ? null : `${file} imports ${target}`;
  }
  if (imported === "vscode") return rule.vscode ? null : `${file} imports vscode`;
  if (imported.startsWith("node:")) return rule.node ? null : `${file} imports ${imported}`;
  const isNamed = rule.packages.some((name) => imported === name || imported.startsWith(`${name}/`));
  return isNamed ? null : `${file} imports the package ${imported}`;
}

describe("the import fences", function () {
  this.timeout(60_000);

  it("hold for every source file", async () => {
    assert.deepEqual(await faults(join(root, "src")), []);
  });

  it("see what is forbidden", async () => {
    const folder = mkdtempSync(join(tmpdir(), "many-hands-fences-"));
    const planted: Readonly<Record<string, string>> = {
      "core/a.ts": 'import "node:fs"; export const a = 1;',
      "session/b.ts": 'import "../hands/c.ts"; import "@anthropic-ai/sdk"; export const b = 1;',
      "hands/c.ts": 'import "vscode"; import "ssh2"; export const c = 1;',
      "brain/d.ts": 'import "@anthropic-ai/sdk/client"; import "../core/a.ts"; export const d = 1;',
    };
    try {
      for (const [name, text] of Object.entries(planted)) {
        mkdirSync(dirname(join(folder, name)), { recursive: true });
        writeFileSync(join(folder, name), text);
      }
      const found = await faults(folder);
      assert.deepEqual(found.toSorted(), [
        "core/a.ts imports node:fs",
        "hands/c.ts imports the package ssh2",
        "hands/c.ts imports vscode",
        "session/b.ts imports hands/c.ts",
        "session/b.ts imports the package @anthropic-ai/sdk",
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
