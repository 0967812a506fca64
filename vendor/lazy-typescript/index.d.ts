export * from "typescript-compiler";
