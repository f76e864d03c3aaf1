/** Which hand a command is about: the tree's item, its selection, or what the person picks. */
import * as vscode from "vscode";
import type { HandInfo } from "../core/handInfo.ts";
import type { SessionService } from "../core/service.ts";
import { describeHand, describeUse } from "./handText.ts";
import { handOfItem } from "./handsTree.ts";
import type { HandItem, HandsTree } from "./handsTree.ts";

/** One far end: that of a session, or one of the settings' own. */
export interface ChosenHand {
  readonly info: HandInfo;
  readonly sessionId: string | null;
}

export interface HandChoicePorts {
  readonly service: SessionService;
  readonly tree: HandsTree;
}

/** Undefined: the person picked none. `fits` limits what is offered. */
export async function chooseHand(
  { service, tree }: HandChoicePorts,
  target: unknown,
  title: string,
  fits: (info: HandInfo) => boolean = () => true,
): Promise<HandItem | undefined> {
  const given = handOfItem(target) ?? tree.selected;
  if (given !== null) return current(service, given);
  const infos = (await service.listHands()).filter(fits);
  if (infos.length === 0) throw new Error("There is no such hand. Add one, or open a folder.");
  if (infos.length === 1) return infos.map((info) => ({ info, use: null }))[0];
  const items = infos.map((info) => {
    const { label, description, icon } = describeHand(info);
    return { label: `$(${icon}) ${label}`, description, info };
  });
  const picked = await vscode.window.showQuickPick(items, { title, placeHolder: "Which hand?" });
  return picked === undefined ? undefined : { info: picked.info, use: null };
}

/** The far end that is meant: the one there is; where there are several, the person picks. */
export async function chooseFarEnd(
  ports: HandChoicePorts,
  target: unknown,
  title: string,
): Promise<ChosenHand | undefined> {
  const chosen = await chooseHand(ports, target, title);
  if (chosen === undefined) return undefined;
  const { info, use } = chosen;
  if (use !== null) return { info, sessionId: use.session_id };
  const [only] = info.uses;
  if (only === undefined) return { info, sessionId: null };
  if (info.uses.length === 1) return { info, sessionId: only.session_id };
  const sessions = await Promise.all(info.uses.map(async (each) => useItem(ports.service, each)));
  const own = { label: "$(person) None of a session", description: "one for you alone", sessionId: null };
  const items = info.configured ? [...sessions, own] : sessions;
  const picked = await vscode.window.showQuickPick(items, { title, placeHolder: "The hand of which session?" });
  return picked === undefined ? undefined : { info, sessionId: picked.sessionId };
}

async function useItem(
  service: SessionService,
  use: HandInfo["uses"][number],
): Promise<{ label: string; description: string; sessionId: string | null }> {
  const { state } = await service.getSession(use.session_id);
  const { label, description, icon } = describeUse(use, state.title);
  return { label: `$(${icon}) ${label}`, description, sessionId: use.session_id };
}

/** What the tree shows may be a moment old. */
async function current(service: SessionService, item: HandItem): Promise<HandItem> {
  const key = JSON.stringify(item.info.spec);
  const info = (await service.listHands()).find(({ spec }) => JSON.stringify(spec) === key) ?? item.info;
  return { info, use: item.use };
}
