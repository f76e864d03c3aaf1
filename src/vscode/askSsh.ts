/** What SSH asks a person: whether an unknown host is the right one, and for passphrases and passwords. */
import * as vscode from "vscode";

export interface AskSshPorts {
  readonly secrets: {
    get(name: string): Promise<string | undefined>;
    keep(name: string, value: string): Promise<void>;
    forget(name: string): Promise<void>;
    seen(value: string): void;
  };
  readonly report: (what: string, thrown?: unknown) => void;
}

interface HostQuestion {
  readonly host: string;
  readonly keyType: string;
  readonly fingerprint: string;
}

interface SecretQuestion {
  readonly prompt: string;
  readonly key: string;
  /** A kept one was refused. */
  readonly again: boolean;
}

interface AskSsh {
  hostKey(question: HostQuestion): Promise<boolean>;
  secret(question: SecretQuestion): Promise<string | null>;
}

const TRUST = "Trust and Remember";
const KEEP = "Keep It";

export function createAskSsh({ secrets, report }: AskSshPorts): AskSsh {
  return {
    hostKey: async ({ host, keyType, fingerprint }) => {
      const detail = `${fingerprint}\n\nCompare it with what the host's administrator says. It is written to your known_hosts, and a host that shows another key later is refused.`;
      const message = `The host ${host} is not known yet. Its ${keyType} key has this fingerprint:`;
      return (await vscode.window.showWarningMessage(message, { modal: true, detail }, TRUST)) === TRUST;
    },
    secret: async ({ prompt, key, again }) => {
      if (again) await secrets.forget(key);
      const kept = again ? undefined : await secrets.get(key).catch(() => undefined);
      if (kept !== undefined) return kept;
      const value = await vscode.window.showInputBox({
        title: again ? "That was refused. Once more:" : "Many Hands",
        prompt,
        password: true,
        ignoreFocusOut: true,
      });
      if (value === undefined) return null;
      secrets.seen(value);
      // Nobody waits for the answer: the host does not wait for ever.
      void offerToKeep(key, value).catch((thrown: unknown) => report("a secret could not be kept", thrown));
      return value;
    },
  };

  async function offerToKeep(key: string, value: string): Promise<void> {
    const question = `Keep it in VS Code's secret storage, so that you are not asked again? (${key})`;
    if ((await vscode.window.showInformationMessage(question, KEEP)) === KEEP) await secrets.keep(key, value);
  }
}
