/**
 * The project's own senders and receiver under every order of their atomic
 * steps, on lanes of two messages, with a sender that stops for good at any of
 * them.
 */
import { declareTest } from "./support/runner.ts";
import { assertEquals } from "@std/assert";
import { explore, type Party } from "./lane_explorer.ts";
import {
  ModelMailbox,
  ModelReceiver,
  type ModelSender,
  type ReceiverPlan,
} from "./mailbox_model.ts";

/** Explores, and checks wherever nobody can go on. */
function exploreAll(
  model: ModelMailbox,
  plan: ReceiverPlan,
  mortal: readonly ModelSender[],
  check: (receiver: ModelReceiver, dead: Party | null) => void,
): void {
  const receiver = new ModelReceiver(model, plan);
  explore({
    memory: model.mailbox.address.mailbox,
    world: model.kernel,
    parties: [...model.senders, receiver],
    mortal,
    atEnd(dead) {
      for (const sender of model.senders) {
        const { after } = sender.plan;
        const mayGoOn = sender !== dead &&
          (after === undefined || after === dead);
        const isStuck = mayGoOn && !sender.isDone();
        assertEquals(isStuck, false, `${sender.name} is stuck`);
      }
      check(receiver, dead);
    },
  });
}

/** What a sender posted has arrived; of one that is dead, what it had published at the least. */
function assertArrived(
  receiver: ModelReceiver,
  sender: ModelSender,
  dead: Party | null,
): void {
  const arrived = receiver.arrived(sender);
  if (sender !== dead) return assertEquals(arrived, sender.plan.messages);
  receiver.takeRest();
  assertPrefixArrived(receiver, sender);
  // Nobody else has to wait because of what it left behind.
  if (receiver.arrived(sender) > arrived) {
    assertEquals(receiver.countsAsAsleep(), true);
  }
}

/** All that a dead sender's posts have returned for has arrived; the one that it died in may have. */
function assertPrefixArrived(receiver: ModelReceiver, dead: ModelSender): void {
  const possible = [dead.posted, dead.posted + 1];
  assertEquals(possible.includes(receiver.arrived(dead)), true);
}

function assertAllArrived(receiver: ModelReceiver, dead: Party | null): void {
  for (const sender of receiver.model.senders) {
    assertArrived(receiver, sender, dead);
  }
}

declareTest(
  "two senders of three messages, one of which dies anywhere, lose nothing and hold nobody up",
  () => {
    const model = new ModelMailbox(2);
    const mortal = model.sender({ messages: 3 });
    model.sender({ messages: 3 });
    exploreAll(model, {}, [mortal], assertAllArrived);
  },
);

declareTest(
  "a post that waits for room goes on whenever the receiver makes some",
  () => {
    const model = new ModelMailbox(2);
    model.sender({ messages: 3, waits: true });
    const mortal = model.sender({ messages: 1 });
    exploreAll(model, {}, [mortal], assertAllArrived);
  },
);

declareTest(
  "a sender that dies while it waits for room leaves a lane that works",
  () => {
    const model = new ModelMailbox(1);
    const first = model.sender({ messages: 3, waits: true });
    const plan = { messages: 2, waits: true, opens: true, after: first };
    const second = model.sender(plan);
    exploreAll(model, {}, [first], (receiver, dead) => {
      if (dead === null) return;
      assertEquals(receiver.arrived(second), 2);
      assertPrefixArrived(receiver, first);
    });
  },
);

declareTest(
  "the lane of a sender that dies anywhere is taken over, after its messages",
  () => {
    const model = new ModelMailbox(1);
    const first = model.sender({ messages: 2, opens: true, closes: true });
    const second = model.sender({ messages: 2, opens: true, after: first });
    exploreAll(model, {}, [first], (receiver, dead) => {
      if (dead === null) return assertEquals(model.kernel.open, []);
      assertEquals(receiver.arrived(second), 2);
      assertPrefixArrived(receiver, first);
    });
  },
);

declareTest("who takes over a lane has what is in it delivered", () => {
  const model = new ModelMailbox(1);
  const first = model.sender({ messages: 2 });
  model.sender({ messages: 0, opens: true, after: first });
  exploreAll(model, {}, [first], (receiver, dead) => {
    if (dead === null) return;
    const arrived = receiver.arrived(first);
    receiver.takeRest();
    assertEquals(receiver.arrived(first), arrived);
    // The descriptor of the one that is dead is the other's now.
    assertEquals(model.kernel.open.length, 1);
  });
});

declareTest("two senders that open at the same time get a lane each", () => {
  const model = new ModelMailbox(2);
  const mortal = model.sender({ messages: 1, opens: true });
  model.sender({ messages: 1, opens: true, closes: true });
  exploreAll(model, {}, [mortal], assertAllArrived);
});

declareTest("a lane that is given back can be claimed at once", () => {
  const model = new ModelMailbox(1);
  const plan = { messages: 1, opens: true, closes: true, mayFindNone: true };
  model.sender(plan);
  model.sender(plan);
  exploreAll(model, {}, [], (receiver) => {
    for (const sender of model.senders) {
      assertEquals(receiver.arrived(sender), sender.posted);
    }
    assertEquals(model.kernel.open, []);
  });
});

declareTest(
  "of two senders that would take over the same lane, one gets it",
  () => {
    const model = new ModelMailbox(1);
    const first = model.sender({ messages: 1, opens: true });
    const plan = { messages: 1, opens: true, after: first, mayFindNone: true };
    const others = [model.sender(plan), model.sender(plan)];
    exploreAll(model, {}, [first], (receiver, dead) => {
      if (dead === null) return;
      const counts = others.map((other) => receiver.arrived(other));
      assertEquals(counts.toSorted(), [0, 1]);
      assertPrefixArrived(receiver, first);
    });
  },
);

declareTest("a notification is never lost, whoever dies", () => {
  const model = new ModelMailbox(2);
  const mortal = model.sender({ messages: 1, notifies: true });
  const other = model.sender({ messages: 1, notifies: true });
  exploreAll(model, {}, [mortal], (receiver, dead) => {
    assertArrived(receiver, other, dead);
    assertEquals(receiver.notifications > 0, true);
  });
});

declareTest("wake-ups go on when the eventfd's counter is at its limit", () => {
  const model = new ModelMailbox(2, 1);
  model.sender({ messages: 2 });
  model.sender({ messages: 2 });
  exploreAll(model, {}, [], assertAllArrived);
});

declareTest(
  "no wake-up is lost to the read that sets the eventfd's counter back",
  () => {
    const model = new ModelMailbox(2, 100);
    model.sender({ messages: 2 });
    const mortal = model.sender({ messages: 2 });
    exploreAll(model, { wakeupsMax: 1 }, [mortal], assertAllArrived);
  },
);

declareTest("an epoll set around the engine's learns of every message", () => {
  const model = new ModelMailbox(2);
  const mortal = model.sender({ messages: 2 });
  model.sender({ messages: 2 });
  exploreAll(model, { isNested: true }, [mortal], assertAllArrived);
});

declareTest("an inbox that closes anywhere leaves no sender waiting", () => {
  const model = new ModelMailbox(2);
  const mortal = model.sender({ messages: 2 });
  model.sender({ messages: 4, waits: true });
  exploreAll(model, { closesAfter: 1 }, [mortal], (receiver, dead) => {
    const everyoneIsDone = dead === null && receiver.isDone();
    if (everyoneIsDone) assertEquals(model.kernel.open, []);
  });
});

declareTest(
  "a sender that opens while the inbox closes touches no other file",
  () => {
    const model = new ModelMailbox(2);
    model.sender({ messages: 1 });
    const other = model.sender({ messages: 2, opens: true, closes: true });
    exploreAll(model, { closesAfter: 1 }, [], () => {
      assertEquals(other.isOver || other.posted === 2, true);
      // The inbox has closed them, or they themselves.
      assertEquals(model.kernel.open, []);
    });
  },
);

declareTest(
  "whoever takes over a lane while the inbox closes leaves no descriptor and closes none twice",
  () => {
    const model = new ModelMailbox(1);
    const first = model.sender({ messages: 1 });
    model.sender({ messages: 1, opens: true, closes: true, after: first });
    let ends = 0;
    exploreAll(model, { closesAfter: 1 }, [first], (receiver, dead) => {
      if (dead === null || !receiver.isDone()) return;
      ends++;
      // What the first was about to close when it died is nobody's.
      const left = model.kernel.open.filter((fd) => fd !== first.fd);
      assertEquals(left, []);
    });
    assertEquals(ends > 0, true);
  },
);
