#!/bin/sh
# Installs what is missing of the given groups of packages.txt; does nothing, and needs no rights,
# when everything is there.
#
#     deploy/install-packages.sh GROUP...
set -eu
list=$(dirname "$0")/packages.txt

# Every package of a group on a line: name, and the command that it is wanted for.
expand()
{
    awk -v group="$1" '$1 == group { print $2, $3 }' "$list" | while read -r name command; do
        case $name in
            @*) expand "${name#@}" ;;
            *) echo "$name $command" ;;
        esac
    done
}

is_there()
{
    [ -n "$2" ] && command -v "$2" >/dev/null && return
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

for group in "$@"; do
    grep -q "^$group " "$list" || { echo "$list has no group $group" >&2; exit 2; }
done
missing=$(for group in "$@"; do expand "$group"; done | sort -u | while read -r name command; do
    is_there "$name" "$command" || echo "$name"
done | tr '\n' ' ')
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "This is not Debian: please install what Debian 12 calls $missing" >&2
    exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "Packages are missing, and without sudo only root can install them. As root, say:" >&2
        echo "    apt-get update && apt-get install -y $missing" >&2
        exit 1
    fi
    as_root=sudo
fi
apt()
{
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" </dev/null
}
echo "Installing Debian packages: $missing"
apt update
# shellcheck disable=SC2086
apt install -y --no-install-recommends $missing >/dev/null
