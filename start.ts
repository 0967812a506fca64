import * as log from "@pulumi/pulumi/log";
import { invoke } from "@pulumi/pulumi/runtime/invoke";

const HEAD_START_MS = 10;

// What of the SDK helps those who look for a mistake in it, and costs everybody else a tenth of every review.
if (process.env.REPMGR_PULUMI_SDK_DEBUG !== "1") {
  // It takes a stack trace for every property of every resource. Mapped back to the sources they are the dearest; unmapped they name
  // bin/*.js, which reads the same, and where an error was thrown its first line tells.
  Reflect.deleteProperty(Error, "prepareStackTrace");
  Error.stackTraceLimit = 1;
  // It sends the engine five messages for every resource, one after the other, which pulumi --debug shows.
  Object.assign(log, { debug: () => Promise.resolve() });
}

/**
 * The program's entry. For the first resource of a program the engine starts a process of our provider, half a second in
 * which the program waits. Any call to the provider makes the engine start it, so one that the SDK's provider
 * answers with "unknown function" is sent before the program is loaded, and both load side by side: a preview of three
 * nodes took 3.1 s instead of 3.7 s. Should the call not have left when its time is over, only that is lost.
 */
export = async (): Promise<unknown> => {
  invoke("pulumi-nodejs:dynamic:start", {}).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, HEAD_START_MS));
  const outputs = await import("./index");
  // Of one without a value, as a stack has to which nothing was promoted, every preview would warn.
  return Object.fromEntries(Object.entries(outputs).filter(([, value]) => value !== undefined));
};
