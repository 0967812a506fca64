import { converges, LEFTOVERS, setting, tells } from "./support/incident";
import { DATA } from "./support/layout";
import { postmasters, sh, sql } from "./support/oracle";
import { RunningUp } from "./support/running";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

const TEN_MINUTES_AHEAD = `#!/bin/sh\nexec /usr/bin/date -d "+10 minutes" "$@"\n`;

suite(
  "a host is not as it should be during a change",
  () => World.deployed(),
  ({ test }) => {
    /** An up whose settings are on their way to a host and come no further, because PGDATA is locked there. */
    async function heldUp(world: World, host: string, workMem: string): Promise<RunningUp> {
      setting(world, "work_mem", workMem);
      await sh(world.lab, host, `systemd-run -q --unit=holder flock ${DATA} sleep 600`);
      const up = RunningUp.start(world);
      await up.reaches(/^settings: work_mem/, host);
      return up;
    }

    async function arrived(world: World, workMem: string): Promise<void> {
      await converges(world);
      for (const host of HOSTS) {
        expect(await sql(world.lab, host, "show work_mem")).toBe(workMem);
        expect(await sh(world.lab, host, LEFTOVERS)).toBe("");
      }
    }

    test("the sudo password expires in the middle", async (world) => {
      const { lab } = world;
      const up = await heldUp(world, "pg2", "5MB");
      await sh(lab, "pg2", "chage -d 0 ops && systemctl stop holder");
      tells(
        await up.ended,
        /pg2 \(ops@\S+: cannot [^]* as root: the login's password has expired\./,
        /ssh -t [^`]*ops@\S+ passwd`/,
      );
      await sh(lab, "pg2", "chage -d $(($(date +%s) / 86400)) ops");
      await arrived(world, "5MB");
    });

    test("the host's key is another one at up than it was at preview", async (world) => {
      const { lab } = world;
      setting(world, "work_mem", "6MB");
      must(await world.preview());
      const begun = world.stack.actions().length;
      const keys = "/etc/ssh/ssh_host_ed25519_key";
      await sh(
        lab,
        "pg3",
        `cp -p ${keys} ${keys}.pub /root && rm ${keys}* && ssh-keygen -q -t ed25519 -N '' -f ${keys} && systemctl restart ssh`,
      );
      const refused = await world.up();
      await sh(lab, "pg3", `cp -p /root/ssh_host_ed25519_key* /etc/ssh && systemctl restart ssh`);
      tells(
        refused,
        /pg3 \(admin@\S+\) shows the host key \S+ SHA256:\S+ \S+ expects \S+ SHA256:/,
        /ssh-key(gen|scan)/,
      );
      expect(world.stack.actions().slice(begun)).toEqual([]);
      await arrived(world, "6MB");
    });

    test("a person saves the same file at the same moment", async (world) => {
      const { lab } = world;
      const up = await heldUp(world, "pg1", "7MB");
      await sh(lab, "pg1", `echo "work_mem = '77MB' # by hand" >>${DATA}/postgresql.conf; systemctl stop holder`);
      tells(
        await up.ended,
        /pg1: \S+\/postgresql\.conf was changed by somebody else[^]*"pulumi preview"[^]*while: settings: work_mem/,
      );
      expect(await sh(lab, "pg1", `tail -n 1 ${DATA}/postgresql.conf`)).toBe("work_mem = '77MB' # by hand");
      expect(must(await world.preview()).output).toMatch(/work_mem\s*: "77MB" => "7MB"/);
      await arrived(world, "7MB");
    });

    test("a clock is ten minutes off: nothing is begun", async (world) => {
      const { lab } = world;
      setting(world, "work_mem", "8MB");
      const begun = world.stack.actions().length;
      // The machine has one clock for all hosts, so only what reads it is changed.
      await lab.exec("pg2", "cat >/usr/sbin/date && chmod 755 /usr/sbin/date", { stdin: TEN_MINUTES_AHEAD });
      const refused = await world.up();
      await sh(lab, "pg2", "rm /usr/sbin/date");
      tells(refused, /pg2: cluster main: its clock is at least (599|600)\.\d s ahead of that of the control machine/);
      expect(world.stack.actions().slice(begun)).toEqual([]);
      await arrived(world, "8MB");
    });

    test("a clock was ten minutes ahead when files were written, and is right again", async (world) => {
      const { lab } = world;
      const before = await postmasters(lab, HOSTS);
      const files = `${DATA}/postgresql.conf ${DATA}/pg_hba.conf /etc/systemd/system/repmgrd-main.service`;
      await sh(lab, "pg1", `touch -d '+10 minutes' ${files} && systemctl daemon-reload`);
      await converges(world);
      expect(await postmasters(lab, HOSTS)).toEqual(before);
    });

    test("sshd allows two sessions on a connection: it only takes longer", async (world) => {
      const { lab } = world;
      setting(world, "work_mem", "9MB");
      for (const host of HOSTS)
        await sh(lab, host, "echo MaxSessions 2 >/etc/ssh/sshd_config.d/00-few.conf; systemctl reload ssh");
      await arrived(world, "9MB");
      for (const host of HOSTS) await sh(lab, host, "rm /etc/ssh/sshd_config.d/00-few.conf; systemctl reload ssh");
    });

    test("the link is slow: it only takes longer", async (world) => {
      const { lab } = world;
      setting(world, "work_mem", "10MB");
      await lab.slow("pg3", 256);
      await arrived(world, "10MB");
      await lab.fast("pg3");
    });

    test("the login has an odd locale, umask, directory, greeting and shell options", async (world) => {
      const { lab } = world;
      const profile = `umask 0777; set -o noglob; shopt -s nocasematch; cd /tmp; IFS=/; TMPDIR=/nowhere
export LANG=tr_TR.UTF-8 LC_ALL=de_DE.UTF-8 LC_NUMERIC=de_DE.UTF-8 IFS TMPDIR PGHOST=nowhere PGPORT=1 PGOPTIONS=-cwork_mem=1 POSIXLY_CORRECT=1
alias cat=false; printf() { false; }; export -f printf; echo "Herzlich willkommen"; echo "Achtung!" >&2
`;
      for (const [host, user] of [
        ["pg1", "admin"],
        ["pg2", "ops"],
        ["pg3", "admin"],
      ] as const) {
        await lab.exec(host, `cat - /home/${user}/.bashrc >/tmp/rc; cp /tmp/rc /home/${user}/.bashrc`, {
          stdin: profile,
        });
        await sh(
          lab,
          host,
          `echo 'Defaults env_keep += "LANG LC_ALL LC_NUMERIC IFS TMPDIR PGHOST PGPORT PGOPTIONS POSIXLY_CORRECT", !umask_override, umask=0777' >/etc/sudoers.d/odd`,
        );
      }
      const { output } = must(await world.preview());
      expect(output).toMatch(/Resources:\n\s+\d+ unchanged/);
      setting(world, "work_mem", "11MB");
      world.edit(({ postgresql_clusters }) => {
        (postgresql_clusters.main as { repmgr: { options: Record<string, unknown> } }).repmgr.options.log_level =
          "NOTICE";
      });
      await arrived(world, "11MB");
      for (const host of HOSTS) {
        const modes = await sh(
          lab,
          host,
          `stat -c %a ${DATA}/postgresql.conf /etc/repmgr/main/repmgr.conf /etc/repmgr/main /etc/systemd/system/repmgrd-main.service`,
        );
        expect(modes.split("\n")).toEqual(["600", "640", "1775", "644"]);
      }
    });
  },
);
