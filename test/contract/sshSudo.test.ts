import { readFileSync } from "node:fs";
import { SudoRefused } from "../../ssh/errors";
import { SshPool } from "../../ssh/pool";
import { failureOf, SshServer } from "../support/sshServer";

const PASSWORD = "correct horse; $(id) 'battery'";

/** sudo as far as its command line and its messages go; $GUESSES counts what it was given as a password. */
const SUDO = `#!/bin/sh
mode=ask
while [ "$1" != -- ]; do
  case "$1" in -n) mode=never;; -p) shift;; esac
  shift
done
shift
case "$SUDO_RULE" in
  nopasswd) exec "$@";;
  denied) echo "admin is not in the sudoers file.  This incident will be reported." >&2; exit 1;;
esac
if [ $mode = never ]; then echo "sudo: a password is required" >&2; exit 1; fi
for try in 1 2 3; do
  IFS= read -r guess || { echo "sudo: no password was provided" >&2; exit 1; }
  echo "$guess" >> guesses
  [ "$guess" = "$SUDO_PASSWORD" ] && exec "$@"
  [ $try = 3 ] || echo "Sorry, try again." >&2
done
echo "sudo: 3 incorrect password attempts" >&2
exit 1
`;

let server: SshServer;
let pool: SshPool;

async function start(rule: string, sudo: string | undefined = SUDO): Promise<void> {
  const loginProfile = `export SUDO_RULE=${rule}; SUDO_PASSWORD="correct horse; \\$(id) 'battery'"; export SUDO_PASSWORD`;
  server = await SshServer.start({ sudo, loginProfile });
  pool = new SshPool({ secrets: (name) => ({ right: PASSWORD, wrong: "guess-guess" })[name] });
}

afterEach(async () => {
  await pool.close();
  await server.close();
});

function run(over: Parameters<SshServer["host"]>[0]) {
  const request = { what: "read the facts of n1", script: "cat; echo end", stdin: "input\n", deadlineMs: 5000 };
  return pool.run(server.host(over), request);
}

const withPassword = (secret: string) => ({ sudo: "password", sudoPasswordSecret: secret }) as const;
const WORKED = { code: 0, stdout: "input\nend\n", stderr: "" };

describe("sudo", () => {
  it("that needs no password", async () => {
    await start("nopasswd");
    expect(await run({ sudo: "nopasswd" })).toMatchObject(WORKED);
  });

  it("that needs one gets it on its input, and nowhere else", async () => {
    await start("password");
    expect(await run(withPassword("right"))).toMatchObject(WORKED);
    expect(server.commands.join()).not.toContain("horse");
  });

  it("that is given a password it does not ask for does not pass it to the script", async () => {
    await start("nopasswd");
    expect(await run(withPassword("right"))).toMatchObject(WORKED);
  });

  it("that refuses the password is asked once, and never given the script as a guess", async () => {
    await start("password");
    const error = await failureOf(run(withPassword("wrong")));
    expect(error).toBeInstanceOf(SudoRefused);
    expect(error.message).toContain("sudo refuses the password");
    expect(error.message).toContain("pulumi config set --secret wrong");
    expect(error.message).not.toContain("guess-guess");
    const other = new SshPool({ secrets: () => undefined });
    const guesses = await other.run(server.host({ name: "look" }), {
      what: "count",
      script: `cat ${server.scratch}/guesses`,
      deadlineMs: 5000,
    });
    expect(guesses.stdout).toBe("guess-guess\n");
    await other.close();
  });

  it("that wants a password where the inventory says it would not", async () => {
    await start("password");
    const error = await failureOf(run({ sudo: "nopasswd" }));
    expect(error).toBeInstanceOf(SudoRefused);
    expect(error.message).toMatch(
      /n1 \(admin@.*cannot read the facts of n1 as root.*a password is required.*sudo_password_secret/,
    );
  });

  it("that says the password has expired is not told that the password is wrong", async () => {
    const said = "sudo: Account or password is expired, reset your password and try again";
    await start(
      "password",
      `#!/bin/sh\necho '${said}' >&2; cat >>guesses; echo 'sudo: a password is required' >&2; exit 1\n`,
    );
    const error = await failureOf(run(withPassword("right")));
    expect(error).toBeInstanceOf(SudoRefused);
    expect(error.message).toMatch(
      /as root: the login's password has expired\..*`ssh -t .*admin@127\.0\.0\.1 passwd`, and type `pulumi config set --secret right`/,
    );
    expect(readFileSync(`${server.scratch}/guesses`, "utf8")).toBe(`${PASSWORD}\n`);
  });

  it("that does not know the login", async () => {
    await start("denied");
    await expect(run({ sudo: "nopasswd" })).rejects.toThrow(/may not use sudo.*\/etc\/sudoers\.d\/admin/);
  });

  it("that is not there", async () => {
    await start("nopasswd", "#!/bin/sh\necho 'env: sudo: No such file or directory' >&2; exit 127\n");
    await expect(run({ sudo: "nopasswd" })).rejects.toThrow(/sudo is not installed.*apt-get install sudo/);
  });

  it("that demands a terminal", async () => {
    await start("nopasswd", "#!/bin/sh\necho 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1\n");
    await expect(run({ sudo: "nopasswd" })).rejects.toThrow(/demands a terminal.*!requiretty/);
  });

  it("that fails in a way nobody foresaw is still told from a failing script", async () => {
    await start("nopasswd", "#!/bin/sh\necho 'sudo: unable to resolve the universe' >&2; exit 1\n");
    const error = await failureOf(run({ sudo: "nopasswd" }));
    expect(error).toBeInstanceOf(SudoRefused);
    expect(error.message).toContain("unable to resolve the universe");
  });

  it("whose password the stack does not have is refused before dialling", async () => {
    await start("password");
    await expect(run(withPassword("missing"))).rejects.toThrow("pulumi config set --secret missing");
    expect(server.connections).toBe(0);
  });
});
