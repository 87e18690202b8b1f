#!/bin/sh
# The right server must pass every time, with the same verdicts, also while all CPUs are busy with something else.
# usage: conformance/tests/steady.sh N [ASSAY [SPEC...]]
set -eu
runs=$1
assay=${2:-build/debug/assay}
[ $# -ge 2 ] && shift 2 || shift
[ $# -gt 0 ] || set -- spec/candy.yaml spec/msglog.yaml

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

# usage: judge SPEC OUT
judge() {
    mkdir -p "$work/data"
    observe=""
    case $1 in *msglog*) observe="--observe record=$work/data/messages.log" ;; esac
    # shellcheck disable=SC2086
    "$assay" test "$1" "exec:$assay serve $1 --listen 127.0.0.1:0 --data $work/data" $observe --tap="$2"
    rm -rf "$work/data"
}

verdicts() { grep -E '^(not )?ok ' "$1"; }

for spec; do
    judge "$spec" "$work/first" > /dev/null || { cat "$work/first"; exit 1; }
    verdicts "$work/first" > "$work/expected"
    busy
    started=$(date +%s)
    for n in $(seq "$runs"); do
        judge "$spec" "$work/out" > "$work/text" || { echo "$spec: run $n of $runs under load failed"; cat "$work/text"; exit 1; }
        verdicts "$work/out" | cmp -s - "$work/expected" || {
            echo "$spec: run $n of $runs under load: other verdicts than the first run"
            verdicts "$work/out" | diff "$work/expected" - || true
            exit 1
        }
    done
    stop
    echo "$spec: $(wc -l < "$work/expected") cases, $runs runs with every CPU busy, same verdicts, $(($(date +%s) - started)) s"
done
