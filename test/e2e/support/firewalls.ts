import type { Lab } from "../../../lab";
import { sh } from "./oracle";

/** A rule that somebody made with ufw for something else, as `ufw status` shows it. */
export const OF_A_USER = /9999\/tcp +ALLOW +203\.0\.113\.7 +# of a user/;

/** Shell: ufw from the lab's repository; apt looks at nothing else, and keeps nothing of it in mind. */
const INSTALL = `cd /run
mkdir -p ufw-lists/partial
echo 'deb [trusted=yes] file:/srv/repository trixie main' >ufw.list
apt() { apt-get -qq -y -o Dir::Etc::sourcelist=/run/ufw.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=/run/ufw-lists "$@"; }
apt update
apt --no-install-recommends install ufw >/dev/null 2>&1
rm -r ufw-lists ufw.list`;

/** Makes a host run ufw instead of firewalld, open to SSH and with a rule of somebody's own. */
export async function runUfw(lab: Lab, host: string): Promise<void> {
  await sh(
    lab,
    host,
    `set -e
systemctl disable -q --now firewalld
${INSTALL}
ufw allow 22/tcp
ufw allow from 203.0.113.7 to any port 9999 proto tcp comment 'of a user'
ufw --force enable`,
  );
}

/** Makes a host run a ruleset of nftables instead of firewalld, open to SSH. */
export async function runNftables(lab: Lab, host: string): Promise<void> {
  const ruleset = `flush ruleset
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iif lo accept
    meta l4proto { icmp, ipv6-icmp } accept
    tcp dport 22 accept
  }
}
`;
  const script = `systemctl disable -q --now firewalld && cat >/etc/nftables.conf && systemctl enable -q --now nftables`;
  const { code, stderr } = await lab.exec(host, script, { stdin: ruleset });
  if (code !== 0) throw new Error(`${host}: nftables: ${stderr}`);
}

/** Whether a host gets through to a port of another one, as it sees it itself. */
export async function reaches(lab: Lab, from: string, address: string, port = 5432): Promise<boolean> {
  return (await lab.exec(from, `timeout 3 bash -c '</dev/tcp/${address}/${port}'`)).code === 0;
}
