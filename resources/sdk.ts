/**
 * What the program uses of Pulumi's SDK. The SDK's index loads its automation API and its serializer of closures as well, which
 * take 0.06 s of every preview, and nothing here needs them.
 */
export { Config } from "@pulumi/pulumi/config";
export { RunError } from "@pulumi/pulumi/errors";
export * as log from "@pulumi/pulumi/log";
export { all, output, secret, type Input, type Output } from "@pulumi/pulumi/output";
export { ComponentResource, CustomResource, type CustomResourceOptions, type Resource } from "@pulumi/pulumi/resource";
export { hasMonitor, isDryRun } from "@pulumi/pulumi/runtime/settings";
