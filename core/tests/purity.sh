#!/bin/sh
# Core is pure: beyond itself it may need these symbols and no others.
# usage: core/tests/purity.sh LIBCORE.A
set -eu
allowed='memcpy|memmove|memset|memcmp|memchr|_GLOBAL_OFFSET_TABLE_'
needed=$(nm -u "$1" | awk '$1 == "U" { print $2 }' | sort -u)
own=$(nm --defined-only "$1" | awk 'NF == 3 { print $3 }' | sort -u)
[ -n "$own" ] || { echo "purity: $1 defines nothing" >&2; exit 1; }
foreign=$(printf '%s\n' "$needed" | grep -vxF "$own" | grep -vxE "$allowed" || true)
if [ -n "$foreign" ]; then
    echo "purity: $1 needs what core must not need:" >&2
    printf '  %s\n' $foreign >&2
    exit 1
fi
echo "purity: $1 needs nothing but $(printf '%s\n' "$needed" | grep -xE "$allowed" | tr '\n' ' ')"
