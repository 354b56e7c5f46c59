#!/bin/sh
# From a fresh Debian 12 to pictures: installs what is missing, builds, starts the daemon on a free
# port, samples from each shipped model by curl, shows some of it in the terminal.
#
#     clients/shell/demo.sh [--once]      --once: stop when the pictures are made
set -eu
export LC_ALL=C
cd "$(dirname "$0")/../.."
once=false
case "${1-}" in
    --once) once=true ;;
    '') ;;
    *) echo "usage: clients/shell/demo.sh [--once]" >&2; exit 2 ;;
esac
daemon=

# Ends the daemon by SIGINT: it finishes what it has, without the delay that SIGTERM is given.
finish()
{
    status=$?
    trap - EXIT INT TERM
    if [ -n "$daemon" ] && kill -INT "$daemon" 2>/dev/null; then
        wait "$daemon" || true
        echo "The daemon has stopped."
    fi
    exit "$status"
}
trap finish EXIT
trap 'echo; exit 0' INT TERM

say() { printf '%s\n' "$*"; }

fail()
{
    say "$1" >&2
    [ -z "${2-}" ] || tail -n 20 "$2" >&2
    exit 1
}

build()
{
    mkdir -p build demo
    say "Building (about a minute the first time) ..."
    make -j"$(nproc)" denoised >build/demo-build.log 2>&1 || fail "The build failed:" build/demo-build.log
}

start()
{
    say "Starting the daemon ..."
    : >build/demo-url
    ./denoised serve --models weights --listen 127.0.0.1:0 >build/demo-url 2>build/demo-daemon.log &
    daemon=$!
    tries=0
    until url=$(sed -n 's/^listening on //p' build/demo-url) && [ -n "$url" ] \
        && curl -fs -o /dev/null "$url/readyz"; do
        kill -0 "$daemon" 2>/dev/null || { daemon=; fail "The daemon ended:" build/demo-daemon.log; }
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || fail "The daemon is not ready after a minute:" build/demo-daemon.log
        sleep 0.1
    done
}

# in_turn N NAME...: a JSON array of N class names, dealt out one after the other.
in_turn()
{
    count=$1 array= dealt=0
    shift
    while [ "$dealt" -lt "$count" ]; do
        for name in "$@"; do
            [ "$dealt" -lt "$count" ] || break
            array="$array,\"$name\""
            dealt=$((dealt + 1))
        done
    done
    printf '[%s]' "${array#,}"
}

# post FILE JSON: one request; its answer goes to the file, its time to stdout.
post()
{
    curl -sS --fail-with-body -o "$1" -w '%{time_total}' -H 'Content-Type: application/json' \
        -d "$2" "$url/sample" || fail "The daemon refused $2:" "$1"
}

# sample FILE WORDS JSON
sample()
{
    printf '  %-24s %-40s' "demo/$1.png" "$2"
    seconds=$(post "demo/$1.png" "$3")
    printf '%6.1f s\n' "$seconds"
}

# A sample is a function of its seed and class alone: asked for again as bytes, in a smaller batch,
# these are the first pictures of the files above.
show()
{
    post "build/demo-$1.npy" "$2" >/dev/null
    od -An -v -t u1 "build/demo-$1.npy" | awk -v colours="$colours" -f clients/shell/half-blocks.awk
    say
}

colours=0
if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then
    colours=256
    case "${COLORTERM-} ${TERM-}" in
        *truecolor* | *24bit* | *direct*) colours=16777216 ;;
        *dumb*) colours=0 ;;
    esac
fi

deploy/install-packages.sh demo
build
start
say "Sampling from each model in weights/ ..."
faces="plain glasses hat beard"
styles="mini dylan peep smile toon thumb"
clothes="t-shirt trouser pullover dress coat sandal shirt sneaker bag ankle-boot"
# shellcheck disable=SC2086
{
    sample faces "16 faces, each class in turn" \
        "{\"model\":\"faces\",\"n\":16,\"seed\":1,\"class\":$(in_turn 16 $faces),\"format\":\"png\"}"
    sample avatars "12 avatars, each style in turn" \
        "{\"model\":\"avatars\",\"n\":12,\"seed\":41,\"class\":$(in_turn 12 $styles),\"format\":\"png\"}"
    sample fashion "20 clothes, each kind in turn" \
        "{\"model\":\"fashion\",\"n\":20,\"seed\":1,\"class\":$(in_turn 20 $clothes),\"format\":\"png\"}"
    sample shapes "2000 points of a heart" \
        '{"model":"shapes","n":2000,"seed":1,"class":"heart","format":"png"}'
    sample mixture "2000 points, two Gaussians learned" \
        '{"model":"mixture","n":2000,"seed":1,"steps":250,"format":"png"}'
    sample exact-mixture "2000 points, the same two by formula" \
        '{"model":"exact-mixture","n":2000,"seed":1,"format":"png"}'
    say
    show faces "{\"model\":\"faces\",\"n\":4,\"seed\":1,\"class\":$(in_turn 4 $faces),\"format\":\"npy\"}"
    show avatars "{\"model\":\"avatars\",\"n\":2,\"seed\":41,\"class\":$(in_turn 2 $styles),\"format\":\"npy\"}"
}
[ "$once" = false ] || exit 0
say "Open $url in a browser to sample by hand, or send a request of your own:"
say "    curl -o face.png -d '{\"model\":\"faces\",\"class\":\"hat\",\"seed\":7}' $url/sample"
say "The daemon runs until you press Ctrl-C."
wait "$daemon" || true
daemon=
fail "The daemon ended:" build/demo-daemon.log
