import { denialsIn } from "../e2e/support/denials";

/** Of a guest of the lab. */
const avc = (rest: string): string => `audit: type=1400 audit(1796011034.743:3): avc:  denied  ${rest} permissive=0`;
const NETWORK = avc(
  '{ read } for  pid=254 comm="systemd-network" name="/" dev="tmpfs" ino=1 scontext=system_u:system_r:systemd_networkd_t:s0 tcontext=system_u:object_r:tmpfs_t:s0 tclass=dir',
);
const SEMANAGE = avc(
  '{ relabelfrom } for  pid=3973 comm="semanage" name="policy" dev="vda" ino=20117 scontext=unconfined_u:unconfined_r:semanage_t:s0-s0:c0.c1023 tcontext=unconfined_u:object_r:semanage_store_t:s0 tclass=file',
);
const STATFS = avc(
  '{ getattr } for  pid=3973 comm="semanage" name="/" dev="tmpfs" ino=1 scontext=unconfined_u:unconfined_r:semanage_t:s0-s0:c0.c1023 tcontext=system_u:object_r:tmpfs_t:s0 tclass=filesystem',
);

test("a refusal is told by who was refused what, and a message that is none is left out", () => {
  const read = denialsIn(
    ["Linux version 6.12", NETWORK, "audit: type=1403 audit(1.2:2): auid=4294967295", ""].join("\n"),
  );
  expect(read).toEqual([{ what: "systemd-network, systemd_networkd_t: { read } of tmpfs_t, dir", line: NETWORK }]);
});

test("what semanage is refused without harm is its own affair, anything else of it is not", () => {
  expect(denialsIn([SEMANAGE, STATFS].join("\n"))).toEqual([]);
  expect(denialsIn(SEMANAGE.replace("relabelfrom", "write"))).toHaveLength(1);
  expect(denialsIn(STATFS.replace("tclass=filesystem", "tclass=dir"))).toHaveLength(1);
  expect(denialsIn(SEMANAGE.replace('comm="semanage"', 'comm="postgres"'))).toHaveLength(1);
});

test.each(["audit: type=1107 audit(1.2:3): pid=1 msg='avc:  denied'", "audit: type=1401 audit(1.2:3): op=setxattr"])(
  "%s counts, too",
  (line) => {
    expect(denialsIn(line)).toMatchObject([{ line }]);
  },
);

test.each(["systemd-journald[252]: Missed 14 kernel messages", "kauditd_printk_skb: 23 callbacks suppressed"])(
  "nothing can be judged after %s",
  (line) => {
    expect(() => denialsIn([NETWORK, line].join("\n"))).toThrow(`the journal is not whole: ${line}`);
  },
);
