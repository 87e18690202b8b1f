# What scripts that start a server share. Sourced, not run; wants `set -eu`.
# The caller's trap calls stop_server.
server=""

# usage: start_server FILE COMMAND...; its standard output goes to FILE
start_server() {
    server_says=$1
    shift
    : > "$server_says" # what a server before it said is not read as its own
    "$@" > "$server_says" &
    server=$!
}

# Whether it runs. One that died stays in the table of processes until it is waited for.
server_runs() {
    case $(cat "/proc/$server/stat" 2>/dev/null) in "" | *") Z "*) return 1 ;; esac
}

# usage: server_address [TRANSPORT]; prints it as soon as the server has told it, e.g. tcp:127.0.0.1:4711
server_address() {
    until address=$(sed -n "s/^listening on \(${1:-tcp}:.*\)/\1/p" "$server_says" | head -n 1) && [ -n "$address" ]; do
        server_runs || { echo "the server did not start" >&2; return 1; }
        sleep 0.05
    done
    echo "$address"
}

# Ends it in order; the status is the server's.
stop_server() {
    [ -n "$server" ] || return 0
    stopping=$server
    server=""
    kill "$stopping" 2>/dev/null || true
    wait "$stopping"
}
