import { conninfoWord, type LoginQuestion, withPassFile } from "../facts/login";
import { usersOfSpace } from "../facts/tablespaces";
import { sh } from "../ssh/quote";

// The links in PGDATA/pg_tblspc decide where the files of an instance are. Whatever moves PGDATA moves what they lead to, beside
// the directory of the tablespace and not into it: pg_rewind makes all that is in there like its source's, and removes the rest
// (pg_rewind, filemap.c). Wherever a step is cut, the links lead to files of their own instance, or to none.

const LOCATIONS = "select pg_tablespace_location(oid) from pg_tablespace where spcname !~ '^pg_'";

/** Shell: relink LINK DIRECTORY makes the link lead there, at once. */
const RELINK = `relink() { ln -s "$2" "$1.new"; chown -h postgres:postgres "$1.new"; mv -T "$1.new" "$1"; }`;

/**
 * Shell on "$conf", the repmgr.conf of a clone: a copy of a tablespace is made beside its place as that of PGDATA is, because
 * pg_basebackup fills empty directories only, and old data may be there.
 */
export function stageSpaces(source: LoginQuestion): string {
  return `spaces=$(${withPassFile(source, "psql")} -XAtqw -v ON_ERROR_STOP=1 -d ${conninfoWord(source)} -c ${sh(LOCATIONS)})
printf '%s\\n' "$spaces" | while IFS= read -r space; do
  case $space in
    *[!A-Za-z0-9._/-]*) echo "a tablespace is in \\"$space\\", which repmgr cannot copy: it would split the path" >&2; exit 1 ;;
    /*) ;;
    *) continue ;;
  esac
  rm -rf --one-file-system "$space.building"
  ( umask 022; mkdir -p "$(dirname "$space")" )
  install -d -o postgres -g postgres -m 0700 "$space.building"
  if command -v restorecon >/dev/null; then restorecon "$space.building"; fi
  printf "tablespace_mapping='%s=%s'\\n" "$space" "$space.building" >>"$conf"
done`;
}

/**
 * Shell on "$data" and "$building", a whole copy: its tablespaces take their places. What is there of data that are gone is
 * kept beside, unless another instance has it.
 */
export function placeSpaces(version: number, clusters: string): string {
  return `${RELINK}
${usersOfSpace(clusters)}
for link in "$building"/pg_tblspc/*; do
  [ -L "$link" ] || continue
  staged=$(readlink "$link")
  space=\${staged%.building}
  [ "$space" != "$staged" ] || continue
  for old in "$space"/PG_${version}_*; do
    [ -e "$old" ] || continue
    users=$(users_of "$space")
    [ -z "$users" ] || { echo "$old is of a tablespace of $users" >&2; exit 1; }
    keep="$space.former-$(date -u +%Y%m%dT%H%M%SZ)"
    install -d -o postgres -g postgres -m 0700 "$keep"
    mv "$old" "$keep/"
  done
  install -d -o postgres -g postgres -m 0700 "$space"
  relink "$link" "$space"
  for new in "$staged"/*; do [ ! -e "$new" ] || mv "$new" "$space/"; done
  rmdir "$staged"
done`;
}

/**
 * Shell on "$data", which is stopped and put aside, or superseded by a newer version: the files of its tablespaces go into
 * directories beside their own, and its links with them, so that it stays whole. It goes on where an earlier try was cut.
 * @param suffix ".diverged-1-20261123T213000Z"
 */
export function asideSpaces(suffix: string): string {
  return `${RELINK}
version=$(cat "$data/PG_VERSION")
for link in "$data"/pg_tblspc/*; do
  [ -L "$link" ] || continue
  space=$(readlink "$link")
  keep="$space"${sh(suffix)}
  case \${space##*/} in
    *.diverged-* | *.behind-* | *.former-*) keep=$space; space=\${space%.*} ;;
    *)
      if mountpoint -q "$space"; then echo "$space is a mount point, so what is in it cannot be put aside beside it" >&2; exit 1; fi
      [ ! -d "$space" ] || install -d -o postgres -g postgres -m 0700 "$keep"
      relink "$link" "$keep" ;;
  esac
  for files in "$space"/PG_"$version"_*; do [ ! -e "$files" ] || mv "$files" "$keep/"; done
done`;
}

/**
 * Shell: remove_data DIRECTORY removes a PGDATA that nobody needs (a copy that was not finished, or what allow_data_loss names),
 * with what its links lead to, of its own version.
 */
export const REMOVE_DATA = `remove_data() {
  if [ -f "$1/PG_VERSION" ]; then
    of=$(cat "$1/PG_VERSION")
    for link in "$1"/pg_tblspc/*; do
      [ -L "$link" ] || continue
      case $(readlink "$link") in
        *.building) rm -rf --one-file-system "$(readlink "$link")" ;;
        *) rm -rf --one-file-system "$link"/PG_"$of"_* ;;
      esac
    done
  fi
  rm -rf --one-file-system "$1"
}`;
