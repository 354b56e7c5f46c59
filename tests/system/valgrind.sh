#!/usr/bin/env bash
# The daemon under valgrind: answers of each kind, a refusal, a client that leaves, a drain. It must
# end with 0: no error, nothing lost. (valgrind hides AVX-512, so OpenBLAS takes an older core.)
#
#     tests/system/valgrind.sh [BINARY]
set -u
cd "$(dirname "$0")/../.."
binary=${1:-build/release/denoised}
[ -n "${1-}" ] || make --no-print-directory "$binary" || exit 1
scratch=$(mktemp -d)
passed=0
failed=0
daemon=
trap '[ -z "$daemon" ] || kill -KILL "$daemon"; rm -rf "$scratch"' EXIT

# check NAME COMMAND...: counts how the command ends.
check()
{
    if "${@:2}"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $1"
    fi
}

# within SECONDS COMMAND...: until the command succeeds; fails when it does not in time.
within()
{
    local end=$((SECONDS + $1))
    until "${@:2}"; do
        [ $SECONDS -lt $end ] && kill -0 "$daemon" 2>/dev/null || return 1
        sleep 0.1
    done
}

sample() { curl -sS -m 120 -o "$scratch/answer" -w '%{http_code}' "$url/sample" -d "$1"; }
answers() { [ "$(sample "$2")" = "$1" ]; }
begins() { answers 200 "$2" && [ "$(head -c "${#1}" "$scratch/answer" | tr -d '\0')" = "$1" ]; }
is_png() { answers 200 "$1" && [ "$(head -c 4 "$scratch/answer" | tail -c 3)" = PNG ]; }
is_npy() { answers 200 "$1" && [ "$(head -c 6 "$scratch/answer" | tail -c 5)" = NUMPY ]; }
gets() { curl -fsS -m 120 -o /dev/null "$url$1"; }
listens() { url=$(sed -n 's/^listening on //p' "$scratch/url") && [ -n "$url" ]; }
is_ready() { curl -fs -o /dev/null "$url/readyz"; }
counts() { curl -fsS "$url/metrics" | grep -q "^$1$"; }
leaves() { ! curl -sS -m 1 -o /dev/null "$url/sample" -d "$1" 2>/dev/null; }
ends_well()
{
    kill -TERM "$daemon"
    wait "$daemon"
    local code=$?
    daemon=
    [ $code -eq 0 ] || { cat "$scratch/valgrind" "$scratch/log"; return 1; }
}

valgrind --quiet --log-file="$scratch/valgrind" --error-exitcode=99 --leak-check=full \
    --show-leak-kinds=definite,indirect,possible --errors-for-leak-kinds=definite,indirect,possible \
    "$binary" serve --listen 127.0.0.1:0 --drain-delay 0 --image-slots 1 \
    --model weights/exact-mixture --model weights/mixture --model weights/faces \
    --max-request-seconds 1000000 --max-queue-seconds 1000000 \
    >"$scratch/url" 2>"$scratch/log" &
daemon=$!
within 120 listens || { cat "$scratch/valgrind" "$scratch/log"; echo "0 passed, 1 failed"; exit 1; }

check "becomes ready" within 120 is_ready
check "points as JSON" begins '{"id":' '{"model":"mixture","n":3,"steps":5,"seed":1}'
check "points as a picture" is_png '{"model":"exact-mixture","n":20,"steps":5,"format":"png"}'
check "points as an array" is_npy '{"model":"mixture","n":3,"sampler":"ddpm","steps":5,"format":"npy"}'
check "a picture" is_png '{"model":"faces","class":"hat","guidance":2,"steps":1}'
check "a fault with its field" answers 422 '{"model":"mixture","steps":0,"sede":1}'
check "what is no JSON" answers 400 '{"model":'
check "a model that is not there" answers 404 '{"model":"nobody"}'
for path in / /models /models/mixture /metrics /openapi.json /version /livez /health; do
    check "GET $path" gets "$path"
done
check "a client that leaves" leaves '{"model":"exact-mixture","n":100000,"sampler":"ddpm","steps":1000}'
check "its rows leave too" within 60 counts 'denoised_cancelled_total{phase="running"} 1'
check "SIGTERM ends it, and valgrind has nothing to say" ends_well
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
