#!/bin/sh
# The last language host that is published as a Go module takes the runtime options of Pulumi.yaml as flags; today's CLI
# sends them in a request that it does not know. So the one option that matters is handed over here: without it every
# program loads ts-node and the TypeScript compiler, half a second that a precompiled program has no use for.
if grep -Eqs '^[[:space:]]+typescript:[[:space:]]*false|[{,][[:space:]]*typescript:[[:space:]]*false' Pulumi.yaml; then
  set -- -typescript=false "$@"
fi
exec "$(dirname "$0")/pulumi-language-nodejs-module" "$@"
