/** Counts the points at which a crash could fall, and kills this process for real (SIGKILL) at the chosen one. */
import type { Harness } from "../../../src/core/effects.ts";
import type { Hand, HandProvider } from "../../../src/core/hand.ts";
import type { SessionLog, SessionStore } from "../../../src/core/sessionLog.ts";

export interface CrashPoints {
  /** Passes one point; at the chosen one it does not return. */
  pass(name: string): void;
  count(): number;
}

/** With `crashAt` 0 nothing happens but the counting. */
export function createCrashPoints(crashAt: number): CrashPoints {
  let passed = 0;
  return {
    pass: (name) => {
      passed += 1;
      if (passed !== crashAt) return;
      process.stderr.write(`crash at point ${passed}: ${name}\n`);
      process.kill(process.pid, "SIGKILL");
    },
    count: () => passed,
  };
}

/** A point before each effect is performed and one after each reply. */
export function crashyHarness(harness: Harness, points: CrashPoints): Harness {
  return async function* (context) {
    const steps = harness(context);
    let step = await steps.next();
    while (step.done !== true) {
      points.pass(`before the effect ${step.value.kind}`);
      const reply = yield step.value;
      points.pass(`after the effect ${step.value.kind}`);
      step = await steps.next(reply);
    }
  };
}

/** A point before each append and one after it, once it is durable. */
export function crashyStore(store: SessionStore, points: CrashPoints): SessionStore {
  return overriding(store, {
    create: async (id, first) => crashyLog(await store.create(id, first), points),
    open: async (id) => crashyLog(await store.open(id), points),
  });
}

function crashyLog(log: SessionLog, points: CrashPoints): SessionLog {
  return overriding(log, {
    append: async (events) => {
      const types = events.map((event) => event.type).join(", ");
      points.pass(`before the append of ${types}`);
      const stored = await log.append(events);
      points.pass(`after the append of ${types}`);
      return stored;
    },
  });
}

/** Points around what reaches the hand, and in the middle of it: the command has begun, nobody knows its result. */
export function crashyProvider(provider: HandProvider, points: CrashPoints): HandProvider {
  return overriding(provider, {
    provision: async (spec, context) => {
      points.pass("before a hand is provisioned");
      const hand = await provider.provision(spec, context);
      points.pass("after a hand was provisioned");
      return crashyHand(hand, points);
    },
  });
}

function crashyHand(hand: Hand, points: CrashPoints): Hand {
  return overriding(hand, {
    execute: async (call, context) => {
      points.pass(`before ${call.name} is executed`);
      const result = hand.execute(call, context);
      points.pass(`while ${call.name} is executed`);
      const settled = await result;
      points.pass(`after ${call.name} was executed`);
      return settled;
    },
    attach: async (call, context) => {
      points.pass(`before ${call.name} is attached to`);
      const attached = await hand.attach(call, context);
      points.pass(`after ${call.name} was attached to`);
      return attached;
    },
  });
}

/** `target` with some methods replaced; the others keep `target` as their `this`. */
function overriding<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get: (object, name) => {
      if (Object.hasOwn(methods, name)) return methods[name as keyof T];
      const value: unknown = Reflect.get(object, name, object);
      return typeof value === "function" ? value.bind(object) : value;
    },
  });
}
