import { spawnSync } from "node:child_process";
import { imageNamed, Lab } from "./index";

const USAGE = `npm run lab -- COMMAND
  up N [--image IMAGE] [--from SNAPSHOT]   boot the hosts pg1 .. pgN; those that are new, from that image:
                           debian12, debian13, redhat, selinux
  status                   hosts, addresses, faults, snapshots
  ssh HOST [COMMAND...]    log in as admin
  exec HOST COMMAND...     run a command as root inside a host, past its network
  poweroff HOST            pull the plug (what the host had written but not synced survives: its kernel is this one)
  poweron HOST             boot it again
  cut HOST / heal HOST     drop every packet to and from a host / stop dropping
  slow HOST KBIT / fast HOST  so many kilobits a second to and from a host / as fast as it goes
  save NAME / restore NAME keep all disks / make the lab what it was then
  down                     end all hosts and remove every trace but the image, the keys and the snapshots
`;

const begin = Date.now();
const say = (line: string): void =>
  console.error(`[${((Date.now() - begin) / 1000).toFixed(1).padStart(5)} s] ${line}`);

type Command = (lab: Lab, args: string[]) => Promise<number> | number;

/** A command that takes exactly one word. */
function onOne(work: (lab: Lab, word: string) => Promise<void>): Command {
  return async (lab, [word, ...rest]) => {
    if (word === undefined || rest.length > 0) return usage();
    await work(lab, word);
    return 0;
  };
}

function usage(): number {
  process.stderr.write(USAGE);
  return 64;
}

async function up(lab: Lab, [count, ...rest]: string[]): Promise<number> {
  const options = new Map<string, string>();
  for (let at = 0; at < rest.length; at += 2) options.set(rest[at] ?? "", rest[at + 1] ?? "");
  const [image, from] = ["--image", "--from"].map((option) => options.get(option));
  const isKnown = [...options].every(([option, value]) => ["--image", "--from"].includes(option) && value !== "");
  if (!/^\d+$/.test(count ?? "") || !isKnown) return usage();
  await lab.up(Number(count), { from, progress: say, ...(image === undefined ? {} : { image: imageNamed(image) }) });
  return status(lab);
}

function status(lab: Lab): number {
  for (const { name, address, running, cut } of lab.status()) {
    console.log([name, address, running ? "running" : "off", ...(cut ? ["cut"] : [])].join("\t"));
  }
  if (lab.status().length === 0) console.log("no hosts");
  if (lab.snapshots().length > 0) console.log(`snapshots: ${lab.snapshots().join(", ")}`);
  return 0;
}

function attached(argv: readonly string[]): number {
  const [program, ...args] = argv as [string, ...string[]];
  return spawnSync(program, args, { stdio: "inherit" }).status ?? 255;
}

function ssh(lab: Lab, [host, ...command]: string[]): number {
  return host === undefined ? usage() : attached([...lab.ssh(host), ...command]);
}

/** One word is shell, several are exact arguments: as quoting on the caller's own command line suggests. */
function exec(lab: Lab, [host, ...command]: string[]): number {
  if (host === undefined || command.length === 0) return usage();
  return attached(lab.execArgv(host, command.length === 1 ? (command[0] as string) : command));
}

const COMMANDS: Readonly<Record<string, Command>> = {
  up,
  status,
  ssh,
  exec,
  poweroff: onOne((lab, host) => lab.poweroff(host)),
  poweron: onOne((lab, host) => lab.poweron(host, say)),
  cut: onOne((lab, host) => lab.cut(host)),
  slow: async (lab, [host, kbit, ...rest]) => {
    if (host === undefined || !/^[1-9]\d*$/.test(kbit ?? "") || rest.length > 0) return usage();
    await lab.slow(host, Number(kbit));
    return 0;
  },
  fast: onOne((lab, host) => lab.fast(host)),
  heal: onOne((lab, host) => lab.heal(host)),
  save: onOne((lab, name) => lab.save(name, say)),
  restore: onOne((lab, name) => lab.restore(name, say)),
  down: async (lab, args) => {
    if (args.length > 0) return usage();
    await lab.down(say);
    return 0;
  },
};

async function main([name, ...args]: string[]): Promise<number> {
  const command = Object.hasOwn(COMMANDS, name ?? "") ? COMMANDS[name as string] : undefined;
  return command ? command(Lab.open(), args) : usage();
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  },
);
