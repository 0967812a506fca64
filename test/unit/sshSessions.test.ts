import { BOOTSTRAP, remoteRun } from "../../ssh/remoteCommand";
import { FramedOutput } from "../../ssh/output";
import { Sessions } from "../../ssh/sessions";

describe("sessions of a connection", () => {
  it("opens no more than the limit, and hands over in the order of asking", async () => {
    const sessions = new Sessions(2);
    const order: string[] = [];
    const take = (name: string, first = false) => sessions.take(first).then(() => order.push(name));
    await Promise.all([take("a"), take("b")]);
    const waiting = [take("c"), take("d"), take("e", true)];
    expect(sessions.running).toBe(2);
    for (let i = 0; i < 3; i++) sessions.release();
    await Promise.all(waiting);
    expect(order).toEqual(["a", "b", "e", "c", "d"]);
  });

  it("learns the server's limit and never goes below one", async () => {
    const sessions = new Sessions(4);
    for (let i = 0; i < 3; i++) await sessions.take();
    sessions.refused();
    let isGranted = false;
    const third = sessions.take().then(() => (isGranted = true));
    await Promise.resolve();
    expect([sessions.running, isGranted]).toEqual([2, false]);
    sessions.release();
    await third;
    sessions.refused();
    sessions.refused();
    await sessions.take();
    expect(sessions.running).toBe(1);
  });

  it("forgets a refusal after a while: nobody waits for ever for a session that the others keep", async () => {
    const sessions = new Sessions(2, 10);
    await sessions.take();
    await sessions.take();
    sessions.refused();
    await sessions.take();
    expect(sessions.running).toBe(2);
  });

  it("knows when one last ended; a refusal is no end", async () => {
    const sessions = new Sessions(4);
    await sessions.take();
    sessions.refused();
    expect(sessions.sinceReleaseMs).toBe(Infinity);
    await sessions.take();
    sessions.release();
    expect(sessions.sinceReleaseMs).toBeLessThan(1000);
  });

  it("tells all who wait, and all who come later, when the connection is gone", async () => {
    const sessions = new Sessions(1);
    await sessions.take();
    const waiting = sessions.take();
    sessions.end(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    await expect(sessions.take()).rejects.toThrow("gone");
  });
});

describe("framed output", () => {
  const marker = Buffer.from("\nTOKEN\n");

  it("finds the marker however it is cut into chunks", () => {
    const whole = Buffer.from("motd, no newline\nTOKEN\none\n\nTOKEN\ntwo\n");
    for (let cut = 0; cut <= whole.length; cut++) {
      const output = new FramedOutput(marker);
      output.push(whole.subarray(0, cut));
      output.push(whole.subarray(cut));
      expect([output.text, output.noise, output.lastLine]).toEqual(["one\n\nTOKEN\ntwo\n", "motd, no newline", "two"]);
    }
  });

  it("has no text before the marker", () => {
    const output = new FramedOutput(marker);
    output.push(Buffer.from("sudo: a password is required\n"));
    expect([output.hasBegun, output.text, output.lastLine]).toEqual([false, "", undefined]);
  });

  it("puts characters together that were cut in two", () => {
    const output = new FramedOutput(marker);
    const bytes = Buffer.from("\nTOKEN\nä");
    output.push(bytes.subarray(0, -1));
    output.push(bytes.subarray(-1));
    expect(output.text).toBe("ä");
  });
});

describe("the remote command", () => {
  it("is one any login shell passes on unchanged", () => {
    expect(BOOTSTRAP).not.toMatch(/['\\!\n]/);
  });

  it("holds neither the script nor its input", () => {
    const { command, input } = remoteRun("password", "abc", "echo script", "secret", 1500);
    expect(command).not.toMatch(/script|secret/);
    expect(command).toMatch(/^env LC_ALL=C sudo -k -S -p '' -- timeout -k 2 1\.500 \/bin\/sh -c '.*' sh abc 16$/);
    expect(input.toString()).toBe("abc\necho script\n#abcsecret");
  });

  it("uses no sudo for root", () => {
    expect(remoteRun("none", "abc", "", "", 1000).command).toMatch(/^env LC_ALL=C timeout /);
    expect(remoteRun("nopasswd", "abc", "", "", 1000).command).toContain(" sudo -n -- timeout ");
  });
});
