#!/usr/bin/env bash
# Runs the README as a newcomer would paste it: every shell block, in order, on a port that is free.
# The demo stops by itself here, and the block that runs the tests is left to who called this.
set -euo pipefail
cd "$(dirname "$0")/../.."
blocks=$(mktemp -d)
session=
trap 'rm -rf "$blocks"; [ -z "$session" ] || kill -- -"$session" 2>/dev/null || true' EXIT

awk -v dir="$blocks" '
    /^```sh$/ { open = 1; count++; file = sprintf("%s/%02d.sh", dir, count); next }
    /^```$/   { open = 0 }
    open      { print > file }' README.md

setup() { grep -lE 'make demo$' "$blocks"/*.sh; }
tests() { grep -lE 'make test$' "$blocks"/*.sh; }

echo "== $(cat "$(setup)")"
ARGS=--once bash -e "$(setup)"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
for block in "$blocks"/*.sh; do
    [ "$block" = "$(setup)" ] || [ "$block" = "$(tests)" ] || sed "s/127\.0\.0\.1:8080/127.0.0.1:$port/" "$block"
done >"$blocks/session"
echo "== the other blocks, as one session"
cat "$blocks/session"
timeout 300 bash -e "$blocks/session" & # leads a process group of its own, which ends with us
session=$!
wait "$session"
./denoised options | diff - <(awk '/^<!-- options -->$/ {p = 1; next} /^<!-- end of options -->$/ {p = 0} p' README.md) \
    || { echo "README.md: the option table differs from the code's: paste \`denoised options\`"; exit 1; }
