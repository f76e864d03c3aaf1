/** What a harness is started with: the session's hands and their tools, with the policies that settings give them. */
import type { HarnessContext, OfferedTool } from "../core/effects.ts";
import type { HandProvider } from "../core/hand.ts";
import type { SessionState } from "../core/sessionState.ts";
import type { OrchestratorPorts } from "./ports.ts";

export async function harnessContext(
  state: SessionState,
  ports: Pick<OrchestratorPorts, "settings"> & { readonly providers: ReadonlyMap<string, HandProvider> },
): Promise<HarnessContext> {
  const settings = await ports.settings(state.model);
  const tools: OfferedTool[] = [];
  const hands: HarnessContext["hands"][number][] = [];
  for (const spec of state.hands) {
    const provider = ports.providers.get(spec.kind);
    if (provider === undefined) {
      hands.push({ spec, description: `not available: nothing provides hands of kind "${spec.kind}" at the moment` });
      continue;
    }
    hands.push({ spec, description: provider.describe(spec) });
    for (const tool of provider.tools(spec)) tools.push({ ...tool, hand: spec.name, policy: settings.policy(tool) });
  }
  return {
    state,
    model: settings.model,
    tools,
    hands,
    date: state.created_at.slice(0, 10),
    instructions: settings.instructions,
  };
}
