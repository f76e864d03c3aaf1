/** What a confined local hand may write, may not change, and may not read: the lists, for one home folder and workspace. */
import { accessSync, constants } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import type { ConfinementRules, LocalSettings } from "./confinement.ts";

/** Below a home folder: keys, tokens, what was typed, and the state of programs that keep such things. */
const SECRETS = [
  ".ssh",
  ".gnupg",
  ".aws",
  ".azure",
  ".kube",
  ".docker",
  ".oci",
  ".terraform.d",
  ".terraformrc",
  ".netrc",
  "_netrc",
  ".git-credentials",
  ".npmrc",
  ".yarnrc",
  ".yarnrc.yml",
  ".pypirc",
  ".pgpass",
  ".my.cnf",
  ".vault-token",
  ".databrickscfg",
  ".boto",
  ".s3cfg",
  ".password-store",
  ".1password",
  ".cargo/credentials",
  ".cargo/credentials.toml",
  ".gem/credentials",
  ".bundle/config",
  ".composer/auth.json",
  ".m2/settings.xml",
  ".m2/settings-security.xml",
  ".gradle/gradle.properties",
  ".nuget/NuGet",
  ".config/gcloud",
  ".config/git/credentials",
  ".config/gh",
  ".config/glab-cli",
  ".config/hub",
  ".config/op",
  ".config/doctl",
  ".config/pip",
  ".config/containers",
  ".config/rclone",
  ".config/sops",
  ".config/age",
  ".config/configstore",
  ".config/composer/auth.json",
  ".config/pypoetry/auth.toml",
  ".config/netlify",
  ".config/github-copilot",
  ".claude",
  ".claude.json",
  ".codex",
  // Keyrings, and browsers, which keep passwords and sessions.
  ".local/share/keyrings",
  ".local/share/kwalletd",
  ".pki",
  ".config/chromium",
  ".config/google-chrome",
  ".config/BraveSoftware",
  ".config/microsoft-edge",
  ".mozilla",
  ".thunderbird",
  ".var/app",
  "snap",
  // What was typed.
  ".bash_history",
  ".bash_sessions",
  ".zsh_history",
  ".zsh_sessions",
  ".sh_history",
  ".histfile",
  ".python_history",
  ".node_repl_history",
  ".psql_history",
  ".mysql_history",
  ".sqlite_history",
  ".rediscli_history",
  ".lesshst",
  ".viminfo",
  ".wget-hsts",
  ".local/share/fish",
  ".local/state/bash",
  ".local/state/zsh",
  ".local/state/python_history",
  ".local/share/powershell",
  // VS Code and what is made from it: settings, storage, state.vscdb, logs.
  ".config/Code",
  ".config/Code - Insiders",
  ".config/Code - OSS",
  ".config/VSCodium",
  ".config/Cursor",
  ".config/code-server",
  ".local/share/code-server",
  ".vscode-server/data",
  ".vscode-server-insiders/data",
  ".vscode-remote/data",
  ".many-hands",
];

/** The same on macOS, below its Library. */
const SECRETS_MAC = [
  "Library/Keychains",
  "Library/Application Support/Code",
  "Library/Application Support/Code - Insiders",
  "Library/Application Support/VSCodium",
  "Library/Application Support/Cursor",
  "Library/Application Support/Google/Chrome",
  "Library/Application Support/Firefox",
  "Library/Application Support/com.apple.TCC",
  "Library/Cookies",
  "Library/Safari",
  "Library/Messages",
  "Library/Mail",
];

/** Of the computer: passwords and keys, which root can read; core dumps, which their owner can. */
const SECRETS_OF_SYSTEM = [
  "/etc/shadow",
  "/etc/shadow-",
  "/etc/gshadow",
  "/etc/gshadow-",
  "/etc/krb5.keytab",
  "/etc/ssl/private",
  "/etc/sudoers",
  "/etc/sudoers.d",
  "/var/lib/systemd/coredump",
  "/var/lib/apport/coredump",
  "/var/spool/abrt",
  "/var/spool/cron",
  "/var/crash",
];

/**
 * Below the start directory: what VS Code reads and carries out by itself outside of the hand, settings (these too),
 * tasks, MCP servers, git's configuration and hooks.
 */
const READ_ONLY = [".vscode", ".git/config", ".git/hooks"];

export interface RulesPorts {
  readonly startDirectory: string;
  /** The home folders of this user; there is more than one where HOME is set to another. */
  readonly homes: readonly string[];
  /** Storage, logs and user data of this extension and of the editor that it runs in. */
  readonly ownFolders: readonly string[];
  readonly settings: Pick<LocalSettings, "unreadable" | "writable">;
}

export function confinementRules({ startDirectory, homes, ownFolders, settings }: RulesPorts): ConfinementRules {
  const secrets = process.platform === "darwin" ? [...SECRETS, ...SECRETS_MAC] : SECRETS;
  const home = homes[0] ?? "/";
  const given = (paths: readonly string[]): string[] =>
    paths.map((path) => expanded(path, home)).filter((path) => path !== null);
  return {
    writable: [startDirectory, ...given(settings.writable)].map((path) => resolve(path)),
    readOnly: READ_ONLY.map((path) => join(startDirectory, path)),
    unreadable: [
      ...homes.flatMap((folder) => secrets.map((path) => join(folder, path))),
      ...ownFolders,
      ...given(settings.unreadable),
    ].map((path) => resolve(path)),
    covered: SECRETS_OF_SYSTEM.filter(isReadable),
  };
}

/** What this user cannot read a confined hand cannot either. */
function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** null: it is neither absolute nor below the home folder, so it names nothing. */
function expanded(path: string, home: string): string | null {
  if (path === "~" || path.startsWith("~/")) return join(home, path.slice(1));
  return isAbsolute(path) ? path : null;
}
