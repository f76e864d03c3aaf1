/** The guided way to a credential: what it is for, where it may go, its name, its value; then what comes next. */
import * as vscode from "vscode";
import { messageOf } from "../core/json.ts";
import type { CredentialInfo, CredentialInput, VaultService } from "../core/vault.ts";
import { signIn } from "./accounts.ts";
import { addressesOf, credentialWays, fullAddress, inputOf, questionOf, suggestName } from "./credentialWays.ts";
import type { CredentialDraft, CredentialQuestion, CredentialWay } from "./credentialWays.ts";
import { askChoice, askText, BACK, separator, walk } from "./steps.ts";
import type { Choice, Place, Step, TextQuestion } from "./steps.ts";
import { placeText } from "./vaultText.ts";

const TITLE = "Add Credential";

export interface AddCredentialPorts {
  readonly vault: VaultService;
  /** The normal form of what a person enters; throws with words for them. */
  readonly check: (input: CredentialInput) => CredentialInput;
  /** Leads through a server's sign-in in the browser; absent: no server can be signed in to. */
  readonly authorise?: (credentialId: string) => Promise<void>;
  readonly test: (info: CredentialInfo) => Promise<void>;
  readonly grant: (info: CredentialInfo) => Promise<void>;
}

export async function addCredential(ports: AddCredentialPorts): Promise<void> {
  const taken = (await ports.vault.listCredentials()).map(({ name }) => name);
  const steps = stepsOf(ports, taken);
  const draft = await walk<CredentialDraft>(TITLE, {}, (open) => {
    const question = questionOf(open);
    return question === null ? null : steps[question];
  });
  if (draft?.way === undefined) return;
  const account = draft.way.kind === "vscode_account" ? await accountOf(draft.way) : null;
  const info = await ports.vault.addCredential(inputOf(draft));
  if (info.kind === "mcp_oauth" && !(await signedIn(ports, info))) return;
  await sayStored(ports, info, account);
}

/** In the browser; what went wrong can be tried again, now or later. */
export async function signedIn(
  { authorise, vault }: Pick<AddCredentialPorts, "authorise" | "vault">,
  info: CredentialInfo,
): Promise<boolean> {
  if (authorise === undefined) throw new Error("Signing in to MCP servers is not possible in this window.");
  const title = `Signing in to ${info.places.map(placeText).join(", ")} in the browser`;
  for (;;) {
    try {
      const location = vscode.ProgressLocation.Notification;
      await vscode.window.withProgress({ location, title }, () => authorise(info.id));
      return true;
    } catch (thrown) {
      const message = `“${info.name}” is stored, but nobody is signed in yet: ${messageOf(thrown)}`;
      const choice = await vscode.window.showErrorMessage(message, "Try Again", "Remove Credential");
      if (choice === "Remove Credential") await vault.removeCredential(info.id);
      if (choice !== "Try Again") return false;
    }
  }
}

type Steps = Readonly<Record<CredentialQuestion, Step<CredentialDraft>>>;

function stepsOf({ check, authorise }: AddCredentialPorts, taken: readonly string[]): Steps {
  const problem = (draft: CredentialDraft): string | null => {
    try {
      check(inputOf(draft));
      return null;
    } catch (thrown) {
      return messageOf(thrown);
    }
  };
  const text =
    (question: (draft: CredentialDraft) => Omit<TextQuestion, "problem">, put: Put): Step<CredentialDraft> =>
    async (draft, at) => {
      const checked = (answer: string): string | null => {
        const filled = put(draft, answer);
        return typeof filled === "string" ? filled : problem(filled);
      };
      const answer = await askText({ ...question(draft), problem: checked }, at);
      if (answer === undefined || answer === BACK) return answer;
      const filled = put(draft, answer);
      return typeof filled === "string" ? undefined : filled;
    };
  return {
    way: (draft, at) => chooseWay(draft, at, authorise !== undefined),
    address: text(addressQuestion, (draft, answer) => ({ ...draft, addresses: [fullAddress(answer)] })),
    username: text(usernameQuestion, (draft, username) => ({ ...draft, username })),
    header_name: text(
      () => ({ prompt: "The name of the header that carries the key.", placeHolder: "x-api-key" }),
      (draft, header_name) => ({ ...draft, header_name }),
    ),
    name: text(
      (draft) => ({
        prompt: `How you, the agent and its code call it: $MANY_HANDS_PROXY/api/<name>/.`,
        value: suggestName(draft, taken),
      }),
      (draft, name) => (taken.includes(name) ? `There is a credential named “${name}” already.` : { ...draft, name }),
    ),
    value: text(valueQuestion, (draft, value) => ({ ...draft, value })),
  };
}

/** The draft with the answer, or what is wrong with it. */
type Put = (draft: CredentialDraft, answer: string) => CredentialDraft | string;

async function chooseWay(
  draft: CredentialDraft,
  at: Place,
  canSignIn: boolean,
): Promise<CredentialDraft | typeof BACK | undefined> {
  const ways = credentialWays.filter(({ kind }) => kind !== "mcp_oauth" || canSignIn);
  const items = ways.flatMap((way, index): Choice<CredentialWay>[] => {
    const { icon, label, description, section } = way;
    const item = { label: `$(${icon}) ${label}`, description, value: way };
    return ways[index - 1]?.section === section ? [item] : [separator(section), item];
  });
  const way = await askChoice({ placeHolder: "What is it for?", items }, at);
  return way === undefined || way === BACK ? way : { ...draft, way };
}

function addressQuestion({ way }: CredentialDraft): Omit<TextQuestion, "problem"> {
  const what = way?.kind === "git" ? "The host, and if you want the path of an owner below it" : "The address";
  return {
    prompt: `${what}: the credential is sent there and to nothing else, whatever is granted.`,
    placeHolder: way?.address_example ?? "https://api.example.com/v1",
  };
}

function usernameQuestion({ way }: CredentialDraft): Omit<TextQuestion, "problem"> {
  if (way?.asks_username === "needed") return { prompt: "The user name." };
  return { prompt: "The user name, if the host wants one beside the token. Enter: none.", canBeEmpty: true };
}

function valueQuestion(draft: CredentialDraft): Omit<TextQuestion, "problem"> {
  const hosts = addressesOf(draft).map((address) => URL.parse(address)?.host ?? address);
  const what = draft.way?.value_hint ?? "The token or key.";
  return {
    prompt: `${what} It is kept in VS Code's secret storage, sent to ${hosts.join(", ")} only, and never shown again.`,
    password: true,
  };
}

/** Signs in where that is needed, so that the first use need not fail; gives the account's name. */
async function accountOf({ provider = "", scopes = [] }: CredentialWay): Promise<string> {
  return (await signIn(provider, scopes)).label;
}

async function sayStored(ports: AddCredentialPorts, info: CredentialInfo, account: string | null): Promise<void> {
  const of = account === null ? "" : ` (the account ${account})`;
  const places = info.places.map(placeText).join(", ");
  const message = `“${info.name}”${of} is stored for ${places}. Nothing is granted yet: a session asks when it first needs it.`;
  const choice = await vscode.window.showInformationMessage(message, "Test", "Grant in Advance…");
  if (choice === "Test") await ports.test(info);
  if (choice === "Grant in Advance…") await ports.grant(info);
}
