/** What a person is asked while a host is reached. */

export interface SshAsk {
  /** Whether an unknown host's key is the right one; `fingerprint` as OpenSSH prints it (SHA256:…). */
  hostKey(question: {
    readonly host: string;
    readonly keyType: string;
    readonly fingerprint: string;
  }): Promise<boolean>;
  /**
   * A passphrase or password; null: none is given. `key` names it for whoever keeps secrets. `again`: what was given for
   * this key before was refused, so a stored one is wrong.
   */
  secret(question: { readonly prompt: string; readonly key: string; readonly again: boolean }): Promise<string | null>;
}
