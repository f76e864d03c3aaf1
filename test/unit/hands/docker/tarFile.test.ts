/** The one file of a tar, however its bytes come. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";
import type { Header } from "tar-stream";
import { TarFile } from "../../../../src/hands/docker/tarFile.ts";

async function tarOf(content: Buffer, more: Partial<Header> = {}): Promise<Buffer> {
  const archive = pack();
  archive.entry({ name: "file", ...more }, content);
  archive.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of archive) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

async function taken(tar: Buffer, step: number): Promise<{ readonly bytes: Buffer; readonly isWhole: boolean }> {
  const pieces: Buffer[] = [];
  const file = new TarFile(async (piece) => void pieces.push(Buffer.from(piece)));
  const chunks: Buffer[] = [];
  for (let at = 0; at < tar.length; at += step) chunks.push(tar.subarray(at, at + step));
  await pipeline(Readable.from(chunks), file);
  return { bytes: Buffer.concat(pieces), isWhole: file.isWhole };
}

describe("the file of a tar", () => {
  it("is given whole, wherever its pieces are cut", async () => {
    for (const length of [0, 1, 511, 512, 513, 5_000]) {
      const content = Buffer.alloc(length, "many hands ");
      for (const pax of [undefined, { "SCHILY.xattr.user.note": "x".repeat(600) }]) {
        const tar = await tarOf(content, pax === undefined ? {} : { pax });
        for (const step of [1, 100, 512, 1_000_000]) {
          const { bytes, isWhole } = await taken(tar, step);
          assert.ok(bytes.equals(content), `${length} in steps of ${step}`);
          assert.equal(isWhole, true);
        }
      }
    }
  });

  it("is known not to be whole when the tar breaks off", async () => {
    const tar = await tarOf(Buffer.alloc(5_000, "x"));
    assert.equal((await taken(tar.subarray(0, 3_000), 700)).isWhole, false);
    assert.equal((await taken(tar.subarray(0, 100), 700)).isWhole, false);
  });

  it("has the length that records beside its header say", async () => {
    const folder = await mkdtemp(join(tmpdir(), "many-hands-tar-"));
    const content = Buffer.alloc(3_000, "y");
    await writeFile(join(folder, "file"), content);
    const tar = execFileSync("tar", ["--format=pax", "-cf", "-", "-C", folder, "file"]);
    assert.ok((await taken(tar, 300)).bytes.equals(content));
    await rm(folder, { recursive: true });
  });

  it("ends with the reason where it is not taken", async () => {
    const file = new TarFile(() => Promise.reject(new Error("no room here")));
    await assert.rejects(pipeline(Readable.from([await tarOf(Buffer.from("content"))]), file), /no room here/);
  });
});
