import { covers, isSameNetwork } from "../../config/network";

test.each([
  ["10.0.0.0/8", "10.1.2.3/32", true],
  ["10.0.0.0/8", "10.1.2.3", true],
  ["10.1.2.3/8", "10.200.0.0/16", true],
  ["10.0.0.0/16", "10.0.0.0/8", false],
  ["10.0.0.0/8", "11.0.0.1", false],
  ["0.0.0.0/0", "198.18.0.11/32", true],
  ["0.0.0.0/0", "::1", false],
  ["::/0", "fd00::1/128", true],
  ["FD00:0::/8", "fd12::/16", true],
  ["fd00::/64", "fd00:0:0:1::1", false],
  ["anybody (port 5432/tcp)", "10.0.0.1", false],
  ["10.0.0.0/8", "anybody (port 5432/tcp)", false],
])("%s covers %s: %s", (wide, narrow, is) => expect(covers(wide, narrow)).toBe(is));

test.each([
  ["10.1.2.3/8", "10.0.0.0/8", true],
  ["10.1.2.3", "10.1.2.3/32", true],
  ["fd00:0:0::2/128", "fd00::2", true],
  ["10.0.0.0/8", "10.0.0.0/9", false],
  ["anybody (port 5432/tcp)", "anybody (port 5432/tcp)", true],
  ["anybody (port 5432/tcp)", "0.0.0.0/0", false],
])("%s is %s: %s", (a, b, is) => expect(isSameNetwork(a, b)).toBe(is));
