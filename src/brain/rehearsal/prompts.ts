/** What a person can ask the rehearsal; for whoever offers it. */

export interface RehearsalPrompt {
  readonly label: string;
  readonly prompt: string;
}

export const rehearsalPrompts = {
  fix: { label: "Mend the sample project", prompt: "Find out why the test fails, and fix it." },
  long: { label: "Run a long command", prompt: "Run the long command." },
} as const satisfies Record<string, RehearsalPrompt>;

/** The id under which the rehearsal stands where a model's id is wanted. */
export const REHEARSAL_MODEL = "rehearsal";
