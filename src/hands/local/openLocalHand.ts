/** Opens the shell of a hand on this computer, and before it the way to the credential proxy. */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import type { Hand, ProvisionContext } from "../../core/hand.ts";
import { limits } from "../../core/limits.ts";
import type { Egress } from "../../core/vault.ts";
import { OpenedEntrance } from "../shell/handEntrance.ts";
import { journalOverShell } from "../shell/journalFiles.ts";
import { Link } from "../shell/link.ts";
import { filesOverShell } from "../shell/shellFiles.ts";
import { ShellHand } from "../shell/shellHand.ts";
import type { FarEnd } from "../shell/shellStream.ts";
import { localJournal } from "./localJournal.ts";

export interface OpenLocalHandPorts {
  readonly clock: Clock;
  readonly farEnd: FarEnd;
  readonly context: ProvisionContext;
  /** Both absolute; the journal's folder exists. */
  readonly journal: string;
  readonly startDirectory: string;
  /** Where this is, in words. */
  readonly place: string;
  /** null, the default: its network is not limited. */
  readonly egress?: Egress | null;
  /** What such a hand can write is read by itself alone: a link there would lead this program to what is secret. */
  readonly isConfined?: boolean;
}

export async function openLocalHand(ports: OpenLocalHandPorts): Promise<Hand> {
  const { clock, farEnd, context, journal, startDirectory, place, egress = null, isConfined = false } = ports;
  const entrance = await OpenedEntrance.open({ farEnd, context, egress });
  try {
    const instance = `local-${randomUUID()}`;
    const { callEnvironment } = entrance;
    const inlineBytes = isConfined ? limits.handInlineBytes : 0;
    const settings = { journal, journalName: "", startDirectory, instance, inlineBytes, callEnvironment };
    const link = await Link.open({ clock, farEnd, settings, signal: context.signal });
    entrance.linked(link);
    const { journal: there, startDirectory: start } = link.facts;
    const files = isConfined ? journalOverShell(link) : localJournal(there, start);
    const description = entrance.lacks === "" ? place : `${place}, ${entrance.lacks}`;
    return new ShellHand({ link, files, browse: filesOverShell(link), farEnd, clock, description, entrance });
  } catch (thrown) {
    entrance.close();
    throw thrown;
  }
}
