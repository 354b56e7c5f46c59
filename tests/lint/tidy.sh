#!/bin/sh
# clang-tidy over every C file, as many at once as there are cores; a file is mentioned when it has
# findings. The arguments are the compiler's flags.
#
#     tests/lint/tidy.sh FLAG...
set -eu
one='file=$1
shift
found=$(clang-tidy-14 --quiet "$file" -- "$@" 2>/dev/null) || { printf "%s\n" "$found"; exit 1; }'
git ls-files -z '*.c' | xargs -0 -P "$(nproc)" -I{} sh -c "$one" tidy {} "$@"
