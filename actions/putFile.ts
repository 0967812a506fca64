import { createHash } from "node:crypto";
import { sh } from "../ssh/quote";
import type { PutFile } from "./action";

/** Exit status: the file is not what it was when the change was planned. */
const CHANGED_MEANWHILE = 45;
const LOCK_SECONDS = 30;

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/**
 * Shell. A lost connection ends stdin early, with nothing to tell that from its end; so the size is checked before the
 * rename. What is written beside the target has one name, so that what a power loss leaves there is taken over by the
 * next write; the directory is locked, so that two writes do not share it; and it is made anew, as postgres may write
 * in some of these directories and must not choose what root writes to. Nor whose owner and mode root changes: that is
 * done to the file that was opened (proc(5), /proc/self/fd), whatever stands under its name by then.
 */
export function putFileScript({ path, content, owner, mode, check, verify, found }: PutFile): string {
  const size = Buffer.byteLength(content);
  return `target=${sh(path)}
mkdir -p "$(dirname "$target")"
umask 077
exec 9<"$(dirname "$target")"
flock -w ${LOCK_SECONDS} 9 || { echo "another write to $target has not ended for ${LOCK_SECONDS} s" >&2; exit 1; }
new=$target.repmgr-pulumi
old=$target.repmgr-pulumi-old
trap 'rm -f "$new" "$old"' EXIT
trap 'exit 1' HUP INT PIPE TERM
rm -f "$new" "$old"
set -C
exec 8>"$new"
set +C
cat >&8
got=$(stat -L -c %s /proc/self/fd/8)
[ "$got" -eq ${size} ] || { echo "$got of ${size} bytes arrived" >&2; exit 1; }
chmod ${sh(mode)} /proc/self/fd/8
chown ${sh(owner)} /proc/self/fd/8
sync /proc/self/fd/8
exec 8>&-
${check === undefined ? "" : `set -- "$new"\n( ${check}\n) 9<&-`}
${found === undefined || isLossy(found) ? "" : unchanged(found, content)}
${verify === undefined ? 'mv -f "$new" "$target"' : verifiedMove(verify)}
if command -v restorecon >/dev/null; then restorecon "$target"; fi
`;
}

/** A file that is no UTF-8 was not read exactly, and nothing can be said of whether it changed. */
const isLossy = (found: string | null): boolean => found?.includes("\ufffd") ?? false;

/** What somebody wrote after the change was planned, nobody has reviewed. Another run that wrote the same is no stranger. */
function unchanged(found: string | null, content: string): string {
  const expected = [found === null ? "absent" : hashOf(found), hashOf(content)];
  return `now=absent; if [ -e "$target" ]; then now=$(sha256sum <"$target"); now=\${now%% *}; fi
case $now in ${expected.join("|")}) ;; *) exit ${CHANGED_MEANWHILE};; esac`;
}

/** Why a write failed, where its exit status tells more than its output. */
export function putFileFailure(code: number, { path }: PutFile): string | undefined {
  if (code !== CHANGED_MEANWHILE) return undefined;
  return (
    `${path} was changed by somebody else after this change was planned; it is left as it is now. ` +
    `Look at it, and type "pulumi preview" to see what would be changed.`
  );
}

/** Keeps the old file until the new one is accepted; a cut in between leaves the new one, which the next run judges again. */
function verifiedMove(verify: string): string {
  return `had=; if [ -e "$target" ]; then cp -p --remove-destination "$target" "$old"; had=1; fi
mv -f "$new" "$target"
if ! ( ${verify}
) 9<&-; then
  if [ "$had" ]; then mv -f "$old" "$target"; else rm -f "$target"; fi
  echo "the file before it is back in its place" >&2
  exit 1
fi`;
}
