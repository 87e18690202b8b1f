#!/bin/sh
# What is right must pass every time, with the same verdicts, also while all CPUs are busy with something else.
# usage: conformance/tests/steady.sh N [ASSAY [SPEC|SPEC=COMMAND...]]
#   SPEC: `assay serve SPEC` is judged; SPEC=COMMAND: a client that runs by itself, pauses for 200 ms and has a patience
#   of 300 ms
set -eu
runs=$1
assay=${2:-build/debug/assay}
quick="--param pause=200ms --param patience=300ms"
[ $# -ge 2 ] && shift 2 || shift
[ $# -gt 0 ] || set -- spec/candy.yaml spec/msglog.yaml "spec/dispatch.yaml=$assay drive spec/dispatch.yaml {address} --run $quick"

work=$(mktemp -d)
load=""
stop() {
    for pid in $load; do kill "$pid" 2>/dev/null || true; done
    load=""
}
trap 'stop; rm -rf "$work"' EXIT

busy() {
    for _ in $(seq "$(nproc)"); do
        sh -c 'while :; do :; done' &
        load="$load $!"
    done
}

# usage: judge_server SPEC OUT
judge_server() {
    mkdir -p "$work/data"
    observe=""
    case $1 in *msglog*) observe="--observe record=$work/data/messages.log" ;; esac
    # shellcheck disable=SC2086
    "$assay" test "$1" "exec:$assay serve $1 --listen 127.0.0.1:0 --data $work/data" $observe --tap="$2"
    rm -rf "$work/data"
}

# usage: judge WHAT OUT
judge() {
    case $1 in
        # shellcheck disable=SC2086
        *=*) "$assay" test "${1%%=*}" "exec:${1#*=}" --role client --upper exit $quick --tap="$2" ;;
        *) judge_server "$1" "$2" ;;
    esac
}

verdicts() { grep -E '^(not )?ok ' "$1"; }

for what; do
    name=${what%%=*}
    judge "$what" "$work/first" > /dev/null || { cat "$work/first"; exit 1; }
    verdicts "$work/first" > "$work/expected"
    busy
    started=$(date +%s)
    for n in $(seq "$runs"); do
        judge "$what" "$work/out" > "$work/text" || { echo "$name: run $n of $runs under load failed"; cat "$work/text"; exit 1; }
        verdicts "$work/out" | cmp -s - "$work/expected" || {
            echo "$name: run $n of $runs under load: other verdicts than the first run"
            verdicts "$work/out" | diff "$work/expected" - || true
            exit 1
        }
    done
    stop
    echo "$name: $(wc -l < "$work/expected") cases, $runs runs with every CPU busy, same verdicts, $(($(date +%s) - started)) s"
done
