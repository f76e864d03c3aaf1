/** Questions one after the other, with the way back: each fills in a part of a draft. */
import * as vscode from "vscode";

/** The person wants the question before. */
export const BACK = Symbol("back");

/** The draft with the answer in it; undefined: the person left. */
export type Step<D> = (draft: D, at: Place) => Promise<D | typeof BACK | undefined>;

export interface Place {
  readonly title: string;
  /** Whether there is a question to go back to. */
  readonly canGoBack: boolean;
}

/** `stepOf` names the question that a draft still has open; null: none. */
export async function walk<D>(title: string, start: D, stepOf: (draft: D) => Step<D> | null): Promise<D | undefined> {
  const past: D[] = [];
  let draft = start;
  for (let step = stepOf(draft); step !== null; step = stepOf(draft)) {
    const outcome = await step(draft, { title, canGoBack: past.length > 0 });
    if (outcome === undefined) return undefined;
    if (outcome === BACK) {
      draft = past.pop() ?? start;
      continue;
    }
    past.push(draft);
    draft = outcome;
  }
  return draft;
}

export interface TextQuestion {
  readonly prompt: string;
  readonly value?: string;
  readonly placeHolder?: string;
  readonly password?: boolean;
  /** An empty answer is one. */
  readonly canBeEmpty?: boolean;
  /** What is wrong, for the person; null: nothing. Asked while they type. */
  readonly problem: (text: string) => string | null;
}

export async function askText(question: TextQuestion, at: Place): Promise<string | typeof BACK | undefined> {
  const { problem, canBeEmpty = false } = question;
  const input = vscode.window.createInputBox();
  input.title = at.title;
  input.prompt = question.prompt;
  input.value = question.value ?? "";
  input.placeholder = question.placeHolder;
  input.password = question.password ?? false;
  input.ignoreFocusOut = true;
  input.buttons = at.canGoBack ? [vscode.QuickInputButtons.Back] : [];
  const show = (text: string): void => {
    input.validationMessage = text.trim() === "" ? undefined : (problem(text.trim()) ?? undefined);
  };
  return asked(input, (resolve) => {
    input.onDidChangeValue(show);
    input.onDidAccept(() => {
      const text = input.value.trim();
      if (text === "" && !canBeEmpty) return;
      show(text);
      if (text === "" || problem(text) === null) resolve(text);
    });
  });
}

export interface Choice<T> extends vscode.QuickPickItem {
  readonly value?: T;
}

export async function askChoice<T>(
  question: { readonly placeHolder: string; readonly items: readonly Choice<T>[] },
  at: Place,
): Promise<T | typeof BACK | undefined> {
  const pick = vscode.window.createQuickPick<Choice<T>>();
  pick.title = at.title;
  pick.placeholder = question.placeHolder;
  pick.items = question.items;
  pick.matchOnDescription = true;
  pick.ignoreFocusOut = true;
  pick.buttons = at.canGoBack ? [vscode.QuickInputButtons.Back] : [];
  return asked(pick, (resolve) => {
    pick.onDidAccept(() => {
      const chosen = pick.selectedItems[0]?.value;
      if (chosen !== undefined) resolve(chosen);
    });
  });
}

export function separator(label: string): vscode.QuickPickItem {
  return { label, kind: vscode.QuickPickItemKind.Separator };
}

async function asked<T>(
  input: vscode.QuickPick<Choice<T>> | vscode.InputBox,
  listen: (resolve: (answer: T) => void) => void,
): Promise<T | typeof BACK | undefined> {
  try {
    return await new Promise((resolve) => {
      listen(resolve);
      input.onDidTriggerButton(() => resolve(BACK));
      input.onDidHide(() => resolve(undefined));
      input.show();
    });
  } finally {
    input.dispose();
  }
}
