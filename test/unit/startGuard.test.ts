import type { GuardPeer } from "../../resources/units";
import { type Case, guard, OURS, PEERS, RECOVERS, refused, silent, standby, WITNESS } from "./startGuardFixture";

describe("it starts", () => {
  test.each<[string, Case]>([
    ["a standby, whatever the peers say", { standby: true, answers: { db2: `primary ${OURS} 2` } }],
    ["the only node of a cluster", { peers: [] }],
    ["a witness, which never is a primary", { isWitness: true, answers: { db2: `primary ${OURS} 1` } }],
    ["both peers are its standbys", { answers: { db2: standby(), db3: standby() } }],
    ["one peer is its standby, the other host is gone", { answers: { db2: standby(), db3: silent } }],
    ["nothing runs on a peer, the other host is gone", { answers: { db2: refused, db3: silent } }],
    ["a peer is primary of something else", { answers: { db2: "primary 42 9", db3: standby() } }],
    ["a standby is older than this instance", { timeline: 3, answers: { db2: standby(2), db3: silent } }],
    [
      "a standby still reads its WAL",
      { answers: { db2: "!FATAL:  the database system is not yet accepting connections", db3: silent } },
    ],
    [
      "the witness knows it as primary",
      { peers: [PEERS[0] as GuardPeer, WITNESS], answers: { db2: silent, db3: "witness 1 -" } },
    ],
    [
      "the witness knows no primary yet",
      { peers: [PEERS[0] as GuardPeer, WITNESS], answers: { db2: silent, db3: "witness 0 -" } },
    ],
    [
      "its standby follows another one, which is a standby, too",
      { answers: { db2: standby(), db3: standby() }, follows: { db3: "db2" } },
    ],
    [
      "its standby follows it by a name of its own",
      { answers: { db2: standby(), db3: silent }, follows: { db2: "vip" } },
    ],
    [
      "one standby of four was told to follow a node that is gone, and a majority was not",
      {
        peers: [...PEERS, ...["db4", "db5"].map((address) => ({ node: address, address, isWitness: false }))],
        answers: { db2: standby(), db3: standby(), db4: standby(), db5: silent },
        follows: { db4: "db5" },
      },
    ],
    ["at boot, with its standby there", { system: "starting", answers: { db2: standby(), db3: refused } }],
  ])("%s", (_, c) => {
    const { status, said } = guard(c);
    expect({ status, said }).toEqual({ status: 0, said: "" });
  });
});

describe("it refuses, and says why and what to type", () => {
  test.each<[string, Case, RegExp]>([
    [
      "a peer is primary",
      { answers: { db2: silent, db3: `primary ${OURS} 2` } },
      /n3 \(db3:5432\) is primary on timeline 2.*pulumi up/,
    ],
    [
      "a peer is primary on our own timeline",
      { answers: { db2: standby(), db3: `primary ${OURS} 1` } },
      /n3 \(db3:5432\) is primary on timeline 1.*second one\. Type: pulumi up/,
    ],
    [
      "a standby follows a newer primary",
      { answers: { db2: standby(2), db3: silent } },
      /n2 \(db2:5432\) is on timeline 2, this instance on 1.*pulumi up/,
    ],
    [
      "the witness knows another primary",
      { peers: [PEERS[0] as GuardPeer, WITNESS], answers: { db2: silent, db3: "witness 2 -" } },
      /witness n3 .* knows node 2 as primary, this is node 1/,
    ],
    [
      "its standby was told to follow another one, which may have been promoted and is gone",
      { answers: { db2: silent, db3: standby() }, follows: { db3: "db2" } },
      /1 of 3 nodes.*2 are needed.*n2: .*timeout expired; n3: it was told to follow db2, which may have been promoted/,
    ],
    [
      "its standby was told to follow another one, on which nothing runs now",
      { answers: { db2: refused, db3: standby() }, follows: { db3: "db2" } },
      /1 of 3 nodes.*2 are needed.*n2: .*Connection refused, and a standby was told to follow it; n3: it was told to follow db2/,
    ],
    [
      "no peer answers",
      { answers: { db2: silent, db3: "!No route to host" } },
      /1 of 3 nodes.*2 are needed.*n2: .*timeout expired; n3: .*No route to host.*sudo touch .*pass && sudo systemctl start postgresql-main\.service/,
    ],
    [
      "the password is wrong",
      { answers: { db2: '!FATAL:  password authentication failed for user "repmgr"', db3: silent } },
      /n2: .*password authentication failed/,
    ],
    [
      "a peer that may become primary is still starting",
      { answers: { db2: "!FATAL:  the database system is starting up", db3: standby() } },
      /n2: .*starting up/,
    ],
    [
      "at boot, when nothing runs on the peers yet",
      { system: "starting", answers: { db2: refused, db3: refused } },
      /1 of 3 nodes.*Connection refused/,
    ],
    [
      "two nodes, and the other host is gone",
      { peers: PEERS.slice(0, 1), answers: { db2: silent } },
      /1 of 2 nodes.*2 are needed/,
    ],
  ])("%s", (_, c, message) => {
    const { status, said } = guard(c);
    expect(status).toBe(1);
    expect(said).toMatch(message);
    expect(said.split("\n")).toHaveLength(1);
  });
});

describe("with start_without_peers: allow", () => {
  const withoutPeers = "allow";
  test("it starts when no peer answers, and says so", () => {
    const { status, said, ms } = guard({ withoutPeers, windowSeconds: 2, answers: { db2: silent, db3: silent } });
    expect({ status, said }).toEqual({
      status: 0,
      said: expect.stringMatching(/^starts although only 1 of 3 nodes.*start_without_peers is allow.*n2: /) as string,
    });
    expect(ms).toBeGreaterThan(1_000);
  });
  test.each<[string, Record<string, string>]>([
    ["a peer is primary", { db2: silent, db3: `primary ${OURS} 2` }],
    ["a standby follows a newer primary", { db2: standby(2), db3: silent }],
  ])("it refuses all the same when %s", (_, answers) => {
    expect(guard({ withoutPeers, answers })).toMatchObject({ status: 1 });
  });
});

describe("the votes of the others", () => {
  const answers = { db2: standby(), db3: standby() };

  test("are its own when it starts, so that none of them is promoted meanwhile", () => {
    expect(guard({ answers })).toMatchObject({ status: 0, votes: ["vote-1", "vote-1"] });
  });

  test("one of two is enough", () => {
    expect(guard({ answers, votedAlready: ["db2"] })).toMatchObject({ status: 0, votes: ["vote-2", "vote-1"] });
  });

  test("are given to another: it does not start, and gives back what it got", () => {
    const peers = [...PEERS, ...["db4", "db5"].map((address) => ({ node: address, address, isWitness: false }))];
    const all = { ...answers, db4: standby(), db5: standby() };
    const { status, said, votes } = guard({ peers, answers: all, votedAlready: ["db2", "db4", "db5"] });
    expect({ status, votes }).toEqual({ status: 1, votes: ["vote-2"] });
    expect(said).toMatch(/unknown: only 2 of 3 votes: another node may be about to be promoted\. When/);
  });

  test("what runs nothing has no vote to give", () => {
    expect(guard({ answers: { db2: silent, db3: refused } })).toMatchObject({ status: 0, votes: [] });
  });

  test("are not asked for before a recovery, which may take long", () => {
    const recovery = `ls *.voted && exit 1; ${RECOVERS}`;
    expect(guard({ answers, state: "in production", recovery })).toMatchObject({ status: 0 });
  });
});

describe("after a crash", () => {
  const state = "in production";
  const standbys = { db2: standby(), db3: standby() };

  test("it recovers before it asks for the last time, and starts", () => {
    const { status, said, asked, recovered } = guard({ state, answers: standbys });
    expect({ status, asked, recovered }).toEqual({ status: 0, asked: 6, recovered: true });
    expect(said).toBe("not stopped cleanly (in production): crash recovery, then the other nodes are asked again");
  });

  test.each([
    ["is promoted", `printf 'primary ${OURS} 2' >db2`, /n2 .* is primary on timeline 2.*Type: pulumi up$/],
    ["was promoted and is gone", `printf '${standby(2)}' >db3; printf '${silent}' >db2`, /n3 .* is on timeline 2/],
    ["takes the others along", `printf '${silent}' >db2; printf '${silent}' >db3`, /1 of 3 nodes are known/],
  ])("it refuses when another node %s meanwhile", (_, meanwhile, message) => {
    const { status, said } = guard({ state, answers: standbys, recovery: `${RECOVERS}; ${meanwhile}` });
    expect(status).toBe(1);
    expect(said).toMatch(message);
  });

  test("it compares the timeline that the recovery ended on", () => {
    const recovery = `${RECOVERS}; sed -i 's/ID: *1/ID: 3/' bin/pg_controldata; printf '${standby(2)}' >db2`;
    expect(guard({ state, answers: standbys, recovery })).toMatchObject({ status: 0 });
  });

  test("it leaves the data alone when the first answer forbids the start", () => {
    const answers = { db2: `primary ${OURS} 2`, db3: standby(2) };
    expect(guard({ state, answers })).toMatchObject({ status: 1, recovered: false });
  });

  test("it refuses when the recovery fails, after what that said", () => {
    const recovery = "echo 'PANIC:  could not write to file: No space left on device' >&2; exit 1";
    const { status, said, asked } = guard({ state, answers: standbys, recovery });
    expect({ status, asked }).toEqual({ status: 1, asked: 2 });
    expect(said).toMatch(/No space left on device\nthe crash recovery failed.*sudo systemctl start postgresql-main/);
  });

  test.each([
    ["a recovery from an archive is left to PostgreSQL", { fromArchive: true }],
    ["a standby recovers as one", { standby: true }],
    ["a node alone has nobody to ask", { peers: [] }],
    ["the pass lets PostgreSQL recover by itself", { pass: true }],
  ])("%s", (_, c) => {
    expect(guard({ state, answers: standbys, ...c })).toMatchObject({ status: 0, recovered: false });
  });

  test("a stop of the unit ends a recovery", () => {
    const { status, ms } = guard({ state, answers: standbys, recovery: "kill -TERM $PPID; exec sleep 60" });
    expect(status).toBe(1);
    expect(ms).toBeLessThan(10_000);
  });
});

test("it decides at once when the peers answer", () => {
  const { ms, asked } = guard({ answers: { db2: standby(), db3: standby() } });
  // Once to know them, once to see that it has their votes.
  expect(asked).toBe(4);
  expect(ms).toBeLessThan(1_000);
});

test("it goes on asking until its window ends", () => {
  const { asked, ms } = guard({ answers: { db2: silent, db3: silent }, windowSeconds: 3 });
  expect(asked).toBeGreaterThanOrEqual(4);
  expect(ms).toBeLessThan(10_000);
});

describe("while its host boots", () => {
  const booting = { system: "starting", bootWindowSeconds: 4, answers: { db2: silent, db3: silent } };
  const onceAsked = (then: string): string => `[ $(wc -l <asked) -lt 6 ] || ${then}`;

  // Whole at once: another psql of the script reads it at the same moment.
  const comesUp = `{ echo '${standby()}' >db2.$$; mv db2.$$ db2; }`;

  test("it waits longer for the others, and says once what for and how to do without", () => {
    const { status, said, ms } = guard(booting);
    expect(status).toBe(1);
    expect(ms).toBeGreaterThan(3_000);
    const [waits, refuses, ...more] = said.split("\n");
    expect(waits).toMatch(/^waits up to 4 s, because only 1 of 3 nodes .*n2: .*timeout expired.*sudo touch .*pass/);
    expect(refuses).toMatch(/^1 of 3 nodes are known/);
    expect(more).toEqual([]);
  });

  test("it starts as soon as one of them is there", () => {
    const { status, ms } = guard({ ...booting, meanwhile: onceAsked(comesUp) });
    expect(status).toBe(0);
    expect(ms).toBeLessThan(3_000);
  });

  test.each([
    ["the pass", "touch pass"],
    ["a rejoin, which makes it a standby", `touch "it's data/standby.signal"`],
  ])("%s ends the wait", (_, then) => {
    expect(guard({ ...booting, meanwhile: onceAsked(then) })).toMatchObject({ status: 0, passLeft: false });
  });

  test("who may start without the others does not wait longer for them", () => {
    const { status, ms } = guard({ ...booting, withoutPeers: "allow" });
    expect(status).toBe(0);
    expect(ms).toBeLessThan(3_000);
  });
});

test("the pass lets one start through and is gone", () => {
  const c = { pass: true, answers: { db2: silent, db3: silent } };
  expect(guard(c)).toMatchObject({ status: 0, asked: 0, passLeft: false });
  expect(guard({ ...c, standby: true })).toMatchObject({ status: 0, passLeft: false });
});
