import { type HostFacts, observeHost, parseHost } from "../../facts/host";
import type { Probe } from "../../facts/probe";
import { familiesOf } from "../../families";
import { preflightKind } from "../../providers/preflight";
import { parsed, recorded } from "./kindFixture";
import { type Answers, repository, inputs, fresh, running, world, problems } from "./preflightFixture";

test("fresh hosts, and hosts that run this very cluster, are fine", async () => {
  expect(await problems({})).toEqual([]);
  const there = { host: running, conf: "cluster_name = 'main'\n" };
  expect(
    await problems({ pg1: there, pg2: there, pg3: { host: { ...running, systemIdentifier: "1" }, conf: there.conf } }),
  ).toEqual([]);
});

test("a host that cannot be asked hides no other's problem, and is not blamed twice", async () => {
  const found = await problems({
    pg1: { failure: "pg1 (admin@198.18.0.11:22): the host key is unknown; type: ssh-keyscan 198.18.0.11" },
    pg2: { host: { ...fresh, freeBytes: 1e9, unreachable: { "198.18.0.11": "No route to host" } } },
    pg3: { failure: "pg3: sudo wants a password" },
  });
  expect(found.map((p) => p.slice(0, 60))).toEqual([
    expect.stringContaining("cluster main: pg1 (admin@198.18.0.11:22): the host key"),
    expect.stringContaining("pg2: cluster main: 0.9 GiB are free"),
    "cluster main: pg3: sudo wants a password",
  ]);
});

const neighbour = (cluster: string, port: number, d: string): string =>
  `=${cluster}\nnode_id=1\nnode_name='n1'\nconninfo='host=198.18.0.11 port=${port} user=repmgr'\ndata_directory='${d}'\n`;
const CRM_HOLDS = (what: string): RegExp =>
  new RegExp(`${what} belongs to the cluster "crm" \\(node n1.*take "crm" out of the inventory.*data_directory: /`);

test.each<[string, Answers, RegExp]>([
  [
    "another system",
    { host: { ...fresh, os: "Fedora 41", release: "fedora 41" } },
    /runs Fedora 41.*debian 12, debian 13/,
  ],
  [
    "a system of another family",
    { host: { ...fresh, os: "Rocky Linux 9.5", release: "rocky 9.5" } },
    /runs Rocky Linux 9\.5 \(rocky 9\.5\), which is not supported as "family: debian"\. Set "family: redhat" for this host/,
  ],
  [
    "another process on the port",
    { host: { ...running, postmasterPid: 0, data: "absent" } },
    /port 5432 is taken by "postgres" \(pid 5365\) on 0\.0\.0\.0:5432/,
  ],
  ["files that are no data", { host: { ...fresh, data: "foreign" } }, /holds files, but no data of PostgreSQL/],
  [
    "SELinux, and nothing to tell it of a directory",
    { host: { ...fresh, selinux: "enforcing" }, labels: "place=data 0 system_u:object_r:default_t:s0 /data/pg\n" },
    /SELinux is enforcing here, and semanage.*not installed; missing: \/data\/pg is default_t.*apt-get install policycoreutils/,
  ],
  ["a mount point", { host: { ...fresh, data: "empty", isMountPoint: true } }, /is a mount point itself.*main\/data/],
  [
    "data of another version",
    { host: { ...running, dataVersion: "15" }, conf: "cluster_name='main'" },
    /data of PostgreSQL 15, wanted 17/,
  ],
  ["data of another cluster", { host: running, conf: "cluster_name='crm'" }, /of the cluster "crm", wanted "main"/],
  ["data of no cluster", { host: running, conf: "port = 5432" }, /that name no cluster.*tee -a/],
  ["data without a configuration", { host: running }, /that name no cluster/],
  ["a cluster of ours on the port", { neighbours: neighbour("crm", 5432, "/srv/crm") }, CRM_HOLDS("port 5432")],
  [
    "a cluster of ours in the directory",
    { neighbours: neighbour("crm", 5433, "/var/lib/postgresql/17") },
    CRM_HOLDS("the directory /var/lib/postgresql/17/main"),
  ],
  [
    "the same cluster, whose state was lost, elsewhere",
    { neighbours: neighbour("main", 5432, "/srv/main") },
    /is here already \(node n1, port 5432, \/srv\/main\), wanted with port 5432 in \/var/,
  ],
  ["a full disk", { host: { ...fresh, freeBytes: 2 ** 30 } }, /1\.0 GiB are free.*at least 2\.0 GiB/],
  [
    "a user postgres whose memory logind removes",
    { host: { ...fresh, removesIpc: true } },
    /no system user here.*RemoveIPC=no in \/etc\/systemd\/logind\.conf/,
  ],
  [
    "more shared_buffers than memory, together with a cluster of another stack",
    {
      host: { ...fresh, memoryMb: 8000 },
      neighbours: `${neighbour("crm", 5433, "/srv/crm")}shared_buffers = '7GB'\n`,
    },
    /shared_buffers of "main" \(128MB\) and "crm" \(7GB\) are 7\.1 GiB together, wanted at most 6\.3 GiB, 80 % of/,
  ],
  [
    "huge pages that another cluster wants and the host lacks",
    {
      host: { ...fresh, hugePagesMb: 512 },
      neighbours: `${neighbour("crm", 5433, "/srv/crm")}shared_buffers = 131072\nhuge_pages = on\n`,
    },
    /huge_pages is on for "crm" \(131072\), 1\.0 GiB together, and the host has 0\.5 GiB of huge pages/,
  ],
  ["a clock ahead", { skewMs: 5_000 }, /[45]\.\d s ahead of/],
  ["a clock behind", { skewMs: -60_000 }, /(60\.0|59\.9) s behind/],
  [
    "a peer it cannot reach",
    { host: { ...fresh, unreachable: { "198.18.0.12": "No route to host" } } },
    /cannot reach n2 at 198\.18\.0\.12: No route/,
  ],
  [
    "no such package",
    { packages: "" },
    /postgresql-17, postgresql-17-repmgr .* cannot be had from the host's own package sources/,
  ],
])("%s is one problem that names host and cluster", async (_, answers, message) => {
  const found = await problems({ pg1: answers });
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(/^pg1: cluster main: /);
  expect(found[0]).toMatch(message);
});

test("other clusters with values of their own are no problem, nor is what was made by hand of a known one", async () => {
  const others = neighbour("crm", 5433, "/var/lib/postgresql/17/crm") + neighbour("main", 5432, inputs.dataDirectory);
  expect(await problems({ pg1: { neighbours: others } })).toEqual([]);
  const edited = { pg1: { neighbours: neighbour("main", 7, "/elsewhere") } };
  expect(await preflightKind.preflight?.(world(edited), inputs, inputs)).toEqual([]);
});

test("of clusters in the inventory it counts what is wanted, not what is found; a sum that fits is no problem", async () => {
  const host = { ...fresh, memoryMb: 8000 };
  const neighbours = `${neighbour("crm", 5433, "/srv/crm")}shared_buffers = '7GB'\n`;
  const memory = (crm: string) => ({
    pg1: [
      { cluster: "main", sharedBuffers: "2GB" },
      { cluster: "crm", sharedBuffers: crm },
    ],
  });
  expect(await problems({ pg1: { host, neighbours } }, { memory: memory("4GB") })).toEqual([]);
  expect(await problems({ pg1: { host } }, { memory: memory("5GB") })).toEqual([
    expect.stringMatching(
      /^pg1: cluster main: shared_buffers of "main" \(2GB\) and "crm" \(5GB\) are 7\.0 GiB together/,
    ),
  ]);
});

test("the sample of repmgr.conf that a package brings along is no cluster", async () => {
  expect(await problems({ pg1: { neighbours: "=17\n# repmgr sample\n#node_id=\n#data_directory=\n" } })).toEqual([]);
});

test("a release stands for its updates, and for no other release", () => {
  expect(["rocky 9", "rhel 9.6", "ol 8.10", "almalinux 10.0"].flatMap(familiesOf)).toEqual(Array(4).fill("redhat"));
  expect(["rocky 90", "rocky 7.9", "fedora 41", "debian 130"].flatMap(familiesOf)).toEqual([]);
});

test("a witness that would begin with a copy of the cluster's data is refused", async () => {
  const there = { host: running, conf: "cluster_name = 'main'" };
  const found = await problems({ pg1: there, pg2: there, pg3: there });
  expect(found).toEqual([expect.stringMatching(/^pg3: cluster main: .*n3 shall be the witness.*sudo mv/)]);
});

test("full disks and small clock differences do not matter where they do no harm", async () => {
  const full = { ...running, freeBytes: 0 };
  expect(await problems({ pg1: { host: full, conf: "cluster_name = main", skewMs: 1_500 } })).toEqual([]);
});

test("two different databases under one cluster are reported once; the witness has one of its own", async () => {
  const conf = "cluster_name = 'main'";
  const found = await problems({
    pg1: { host: running, conf },
    pg2: { host: { ...running, systemIdentifier: "42" }, conf },
    pg3: { host: { ...running, systemIdentifier: "43" }, conf },
  });
  expect(found).toEqual([expect.stringMatching(/system identifiers pg1: 7711467505050316867, pg2: 42\)/)]);
});

test.each([
  ["offers it", "postgresql-17:\n  Candidate: 17.2\npostgresql-17-repmgr:\n  Candidate: 5.5\n", 0],
  ["does not offer it", "postgresql-17:\n  Candidate: (none)\n", 1],
  ["cannot be used", "problem=E: the repository is not signed\nproblem=\n", 1],
  ["fails without a word", "problem=\n", 1],
])("a repository that %s", async (_, said, count) => {
  const nodes = inputs.nodes.map((node) => ({ ...node, repository }));
  const found = await problems({ pg1: { packages: "", repository: said } }, { nodes });
  expect(found).toHaveLength(count);
});

test("read shows the inputs as they are, with what the hosts are made of", async () => {
  const have = await preflightKind.observe(world({}), inputs);
  const { inputs: shown, outputs } = preflightKind.project(inputs, have);
  expect(shown).toEqual(inputs);
  expect(outputs.hosts.pg2).toEqual({ os: "Debian GNU/Linux 13 (trixie)", cores: 2, memoryMb: 24105 });
});

test("two hosts whose kernels lack what the inventory asks for are named together", async () => {
  const kernels = Object.fromEntries(["pg1", "pg2", "pg3"].map((name) => [name, { sysctl: { "vm.swappiness": "1" } }]));
  expect(await problems({}, { kernels })).toEqual([]);
  const found = await problems(
    { pg1: { kernel: "" }, pg3: { kernel: "vm.swappiness=60\nfixed=vm.swappiness\n" } },
    { kernels },
  );
  expect(found).toEqual([
    expect.stringMatching(/^pg1: cluster main: its kernel has no setting vm\.swappiness/),
    expect.stringMatching(/^pg3: cluster main: vm\.swappiness is 60, wanted 1, and cannot be changed there/),
  ]);
});

test("a real host's answer, cut short, is no answer", async () => {
  expect(parseHost(recorded("host")).unreachable).toEqual({
    "198.18.0.12": "No route to host",
    "198.18.0.99": "no answer within 2 s",
  });
  const look = (text: string, code = 0): Promise<HostFacts> => {
    const ask = <T>(probe: Probe<T>): Promise<T> =>
      Promise.resolve().then(() => parsed(probe, probe.key === "machine" ? text : "", code));
    return observeHost(ask, { dataDirectory: "/x", port: 1, peers: [] });
  };
  await expect(look(recorded("host").replace(/data=.*/, ""))).rejects.toThrow(/no word on data/);
  await expect(look(recorded("host"), 127)).rejects.toThrow(/127/);
});

test("of all that listens on a host, only what has the cluster's port counts", async () => {
  const lines = ["0.0.0.0:5432", "[::]:54320", "127.0.0.1:15432"].map((at) => `LISTEN 0 200 ${at} 0.0.0.0:*`);
  const ask = <T>(probe: Probe<T>): Promise<T> =>
    Promise.resolve(parsed(probe, probe.key === "listeners" ? lines.join("\n") : recorded("host")));
  const { listeners } = await observeHost(ask, { dataDirectory: "/x", port: 5432, peers: [] });
  expect(listeners.map(({ address }) => address)).toEqual(["0.0.0.0:5432"]);
});
