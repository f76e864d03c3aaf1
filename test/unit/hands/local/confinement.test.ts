/** What a confinement is made of: the mounts of a sandbox, the profile for macOS, the filter of system calls, the environment. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { ConfinedPlace, ConfinementRules } from "../../../../src/hands/local/confinement.ts";
import { systemCallFilter } from "../../../../src/hands/local/confinementFilter.ts";
import { mountArguments } from "../../../../src/hands/local/confinementMounts.ts";
import { confinementRules } from "../../../../src/hands/local/confinementRules.ts";
import { seatbeltCommand } from "../../../../src/hands/local/confinementSeatbelt.ts";
import { localEnvironment } from "../../../../src/hands/local/localEnvironment.ts";

describe("the rules of a confinement", () => {
  it("name the secrets of each home folder, those of a setting, and the folders of the editor", () => {
    const { unreadable, writable, readOnly } = confinementRules({
      startDirectory: "/home/a/work",
      homes: ["/home/a", "/root"],
      ownFolders: ["/data/editor/"],
      settings: { unreadable: ["~/mine", "/srv/keys", "nowhere"], writable: ["~/.cache"] },
    });
    for (const path of ["/home/a/.ssh", "/root/.ssh", "/home/a/mine", "/srv/keys", "/data/editor"]) {
      assert.ok(unreadable.includes(path), path);
    }
    assert.equal(
      unreadable.some((path) => path.includes("nowhere")),
      false,
    );
    assert.deepEqual(writable, ["/home/a/work", "/home/a/.cache"]);
    assert.deepEqual(readOnly, ["/home/a/work/.vscode", "/home/a/work/.git/config", "/home/a/work/.git/hooks"]);
  });
});

describe("the mounts of a sandbox", () => {
  let home: string;

  beforeEach(async () => {
    home = await realpath(await mkdtemp(join(homedir(), ".many-hands-mounts-")));
    for (const folder of ["work", "journal", "door", "tmp", ".config/git"]) {
      await mkdir(join(home, folder), { recursive: true });
    }
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  function mountsOf(unreadable: readonly string[], writable: readonly string[] = [join(home, "work")]): string {
    const rules: ConfinementRules = { writable, readOnly: [], unreadable, covered: [] };
    const [journal, door, temporary] = ["journal", "door", "tmp"].map((name) => join(home, name)) as [
      string,
      string,
      string,
    ];
    return mountArguments({ rules, journal, door, temporary, noFile: "/nothing", hasRights: true })
      .join(" ")
      .replaceAll(home, "~");
  }

  it("show a folder with secrets entry by entry, without those that are there and those that may come", async () => {
    await writeFile(join(home, ".netrc"), "");
    await symlink(".config", join(home, "link"));
    const mounts = mountsOf([join(home, ".netrc"), join(home, ".aws/credentials")]);
    assert.match(mounts, /--tmpfs ~ /);
    assert.match(mounts, /--ro-bind \/nothing ~\/\.netrc /);
    assert.match(mounts, /--ro-bind-try ~\/\.config ~\/\.config /);
    assert.match(mounts, /--symlink \.config ~\/link /);
    assert.match(mounts, /--remount-ro ~($| )/);
    assert.doesNotMatch(mounts, /\.aws/);
  });

  it("pin the folders on the way to a secret in what is writable", async () => {
    await writeFile(join(home, ".config/git/credentials"), "");
    const mounts = mountsOf([join(home, ".config/git/credentials")], [home]);
    assert.match(
      mounts,
      /--bind ~ ~ --bind ~\/\.config ~\/\.config --bind ~\/\.config\/git ~\/\.config\/git --ro-bind \/nothing ~\/\.config\/git\/credentials/,
    );
  });
});

describe("the profile for macOS", () => {
  it("denies the secrets, lets the start directory and the journal be written, and one port be reached", async () => {
    const place: ConfinedPlace = {
      rules: {
        writable: ["/Users/a/work"],
        readOnly: ["/Users/a/work/.vscode"],
        unreadable: ["/Users/a/.ssh", "/Users/a/storage"],
        covered: [],
      },
      folder: "/Users/a/storage/hand/confined",
      journal: "/Users/a/storage/hand/journal",
      shell: "/bin/sh",
      environment: { PATH: "/usr/bin", HOME: "/Users/it's" },
      onProgress: () => {},
    };
    const command = await seatbeltCommand(place, "/Users/a/storage/hand/confined/tmp", 4711);
    assert.match(command, /^exec env .*\/usr\/bin\/sandbox-exec -p /s);
    assert.match(command, /\(deny default/);
    assert.match(command, /\(deny file-read\*[^()]*(\([^()]*\)\s*)*\(subpath \\?"\/Users\/a\/\.ssh\\?"\)/s);
    assert.match(command, /\(allow file-write\*[^()]*(\([^()]*\)\s*)*\(subpath \\?"\/Users\/a\/work\\?"\)/s);
    assert.match(command, /\/Users\/a\/storage\/hand\/journal/);
    assert.match(command, /\(deny file-write\*[^()]*(\([^()]*\)\s*)*\(subpath \\?"\/Users\/a\/work\/\.vscode\\?"\)/s);
    assert.match(command, /network-outbound \(remote ip \\?"localhost:4711\\?"\)/);
    assert.doesNotMatch(command, /\(allow network\*\)/);
    assert.match(command, /exec env -i /);
    assert.doesNotMatch(await seatbeltCommand(place, "/tmp/x", null), /network-outbound \(remote ip/);
  });
});

describe("the filter of system calls", () => {
  it("is whole instructions that end in a decision, for the machines that it knows", () => {
    for (const machine of ["x64", "arm64"]) {
      const filter = systemCallFilter(machine);
      assert.ok(filter !== null && filter.length % 8 === 0);
      assert.deepEqual(
        [filter.readUInt16LE(filter.length - 8), filter.readUInt32LE(filter.length - 4)],
        [6, 0x7fff0000],
      );
    }
    assert.equal(systemCallFilter("mips"), null);
  });
});

describe("the environment of the local hand", () => {
  it("has what is listed, by name, and what a person adds", () => {
    const from = { PATH: "/bin", LC_ALL: "C", AWS_SECRET_ACCESS_KEY: "x", SSH_AUTH_SOCK: "y", MINE: "z", "A-B": "w" };
    assert.deepEqual(localEnvironment(from, ["MINE", "A-B"]), { PATH: "/bin", LC_ALL: "C", MINE: "z" });
  });
});
