import { z } from "zod";
import { DEFAULTS, type NameRule, SECRET_NAME } from "./defaults";

/** Text without control characters: nothing that could end a line of a configuration file early. */
const ONE_LINE = /^[^\u0000-\u001f\u007f]*$/;

/** One line of text that is not empty. */
export function textOf(description: string) {
  return z
    .string()
    .min(1, "must not be empty")
    .regex(ONE_LINE, "must be one line of text without control characters")
    .describe(description);
}

/** A name that follows a rule. */
export function nameOf({ pattern, rule }: NameRule, description: string) {
  return z.string().regex(pattern, `no good name: ${rule}`).describe(description);
}

/** A dictionary whose keys are names that follow a rule. */
export function named<T extends z.ZodType>({ pattern, rule }: NameRule, value: T) {
  return z.record(z.string().regex(pattern, `no good name: ${rule}`), value);
}

const SETTING_VALUE = "expected one line of text, a number, true or false";

/** The value of a setting; false and true become off and on. */
export const settingValue = z.union([z.string().regex(ONE_LINE, SETTING_VALUE), z.number(), z.boolean()], {
  error: SETTING_VALUE,
});

const secret = (description: string) => nameOf(SECRET_NAME, `Name of the stack secret with ${description}.`);

export const sshSchema = z
  .strictObject({
    user: textOf("Login on the host. Required, here or in the defaults.").optional(),
    port: z.int().min(1).max(65535).optional().describe("Port of the SSH server.").meta({ default: DEFAULTS.sshPort }),
    key_file: textOf("Private key on this machine. Relative paths start at this file, ~ is your home.").optional(),
    agent: z
      .boolean()
      .optional()
      .describe("Whether to ask the ssh-agent. Default: yes when neither key_file nor key_secret is given."),
    key_secret: secret("the private key").optional(),
    passphrase_secret: secret("the passphrase of the private key").optional(),
    known_hosts: textOf("File with the hosts' public keys. Unknown and changed keys are refused.")
      .optional()
      .meta({ default: DEFAULTS.knownHosts }),
    sudo: z
      .enum(["none", "nopasswd", "password", "postgres"])
      .optional()
      .describe(
        "How to become root: not at all (the user is root), sudo without or with a password. With postgres the user becomes " +
          "postgres, without a password, and never root: what needs root is refused.",
      )
      .meta({ default: DEFAULTS.sudo }),
    sudo_password_secret: secret("the password that sudo asks for").optional(),
    jump: textOf("Name of the host in 'hosts' to jump through.").optional(),
  })
  .describe("How to reach a host over SSH.");

export const repositorySchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,39}$/, "no good name: a lower-case letter, then lower-case letters, digits and -")
      .describe("Name of the repository's files on the host."),
    uri: z
      .string()
      .regex(/^(https?:\/\/|file:\/)[^\s'"]+$/, "expected http://, https:// or file:/ and no spaces or quotes")
      .describe("Where the repository is. For dnf: the directory that holds repodata."),
    suite: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._/+-]*$/, "expected letters, digits and . _ / + -")
      .describe("Suite, such as bookworm-pgdg. Required for the family debian, and only there.")
      .optional(),
    components: z
      .array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/+-]*$/, "expected letters, digits and . _ / + -"))
      .min(1, "expected at least one component")
      .describe("Components, such as main. Required for the family debian, and only there.")
      .optional(),
    key: z.string().optional().describe("ASCII-armoured public key that the repository is signed with."),
    key_file: textOf("File on this machine that holds that key; instead of 'key'.").optional(),
    key_url: z
      .string()
      .regex(/^https:\/\/[^\s'"]+$/, "expected https:// and no spaces or quotes")
      .describe("Where this machine fetches that key when a host lacks it; instead of 'key'. Needs 'key_fingerprint'.")
      .optional(),
    key_fingerprint: z
      .string()
      .regex(/^([0-9A-Fa-f]{4} ?){10}$/, "expected the 40 hexadecimal digits of a fingerprint; spaces may part them")
      .optional()
      .describe("Fingerprint that the key must have. With it, no other key is trusted, whoever changes the file."),
  })
  .describe("A package repository besides those the host already has.");
