#!/usr/bin/env bash
# bootstrap.sh demo|test [ARGUMENT...]: from a fresh clone to bin/scripts/demo.js or bin/scripts/test.js.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

name=${1:?usage: scripts/bootstrap.sh demo|test [ARGUMENT...]}
shift

if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)'; then
  echo "Node is $(node --version 2>/dev/null || echo missing), wanted 20 or later: https://nodejs.org/en/download" >&2
  exit 1
fi
if ! node scripts/isInstalled.cjs; then
  echo "npm packages: installing"
  # No package of ours needs its install script; the native ones are mere accelerators that want a compiler.
  # Not npm ci: it refuses the lock file where a registry lacks optional packages of other systems. This takes the same
  # versions from the lock and leaves it as it is, which is looked at afterwards.
  npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error
  if ! node scripts/isInstalled.cjs; then
    echo "node_modules is not what package-lock.json says; is the lock in step with package.json? (npm ci tells)" >&2
    exit 1
  fi
  echo "npm packages: installed in ${SECONDS} s"
fi
built=$SECONDS
node scripts/build.mjs
echo "build: $((SECONDS - built)) s"
exec node "bin/scripts/$name.js" "$@"
