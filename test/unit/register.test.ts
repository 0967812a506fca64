import type { InstanceFacts } from "../../facts/instance";
import type { Replica } from "../../facts/running";
import { repmgrNodeKind } from "../../providers/repmgrNode";
import * as facts from "../support/facts";

const replica = (state: string): Replica => ({ name: "n2", state, syncState: "async", lagBytes: 16_777_216 });
const primary = (...replicas: Replica[]): InstanceFacts =>
  facts.primary({ repmgr: { nodes: facts.rows().slice(0, 1) } }, { replicas });

function planOf(upstream: InstanceFacts, delayed?: number): ReturnType<typeof repmgrNodeKind.plan> {
  const view = facts.view([upstream, facts.standby(2), facts.standby(3)], undefined, delayed);
  const inputs = facts.nodeInputs(2, { members: view.map(({ member }) => member) });
  return repmgrNodeKind.plan(inputs, facts.nodeFacts(inputs, view));
}

const REGISTER = "pg2: n2 is not registered: register it as standby";
const CATCH_UP = "pg1: n2 has caught up with n1";

describe("a standby, cloned a moment ago", () => {
  test.each<[string, InstanceFacts, string[]]>([
    ["has caught up", primary(replica("streaming")), [REGISTER]],
    ["still receives what was written meanwhile", primary(replica("catchup")), [CATCH_UP, REGISTER]],
    ["has not connected yet", primary(), [CATCH_UP, REGISTER]],
  ])("%s", (_, upstream, expected) => expect(facts.whys(planOf(upstream))).toEqual(expected));

  test("is waited for until its upstream says that it streams", async () => {
    const [wait] = planOf(primary(replica("catchup")));
    if (wait?.do !== "waitFor") throw new Error("nothing waits");
    const look = (seen: InstanceFacts): Promise<string | undefined> => wait.look(() => Promise.resolve(seen as never));
    await expect(look(primary(replica("catchup")))).resolves.toBe("n2 is in state catchup");
    await expect(look(primary())).resolves.toBe("n2 is in state not there");
    await expect(look(facts.formerPrimary())).resolves.toBe("not running");
    await expect(look(primary(replica("streaming")))).resolves.toBeUndefined();
  });

  test("that is behind on purpose is not waited for: it is told to hurry first", () => {
    expect(facts.whys(planOf(primary(replica("catchup")), 2))).not.toContain(CATCH_UP);
  });
});

describe("a witness that was there before a data node", () => {
  const TOLD =
    "pg3: n3 hears of n2 at once: if the primary died before it copies the rows by itself, it would not know whom to follow";
  const knowing = (...ids: number[]): InstanceFacts => {
    return facts.primary({ repmgr: { nodes: facts.rows(1, 3).filter(({ id }) => ids.includes(id)) } });
  };
  const streaming = { replicas: [replica("streaming")] };
  const at = (registered: number[], witness: InstanceFacts): string[] => {
    const first = facts.primary({ repmgr: knowing(...registered).repmgr }, streaming);
    const view = facts.view([first, facts.standby(2), witness], 3);
    const inputs = facts.nodeInputs(2, { members: view.map(({ member }) => member) });
    return facts.whys(repmgrNodeKind.plan(inputs, facts.nodeFacts(inputs, view)));
  };

  test.each<[string, number[], InstanceFacts, string[]]>([
    ["is told of it", [1, 3], knowing(1, 3), [REGISTER, TOLD]],
    ["is told where a run was cut before that", [1, 2, 3], knowing(1, 3), [TOLD]],
    ["knows it", [1, 2, 3], knowing(1, 2, 3), []],
    ["is not registered itself yet", [1, 2], knowing(), []],
    ["is down, and copies all when it is up", [1, 2, 3], facts.formerPrimary(), []],
  ])("%s", (_, registered, witness, expected) => expect(at(registered, witness)).toEqual(expected));
});
