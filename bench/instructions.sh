#!/usr/bin/env bash
# Instructions of the core for a data message, queue and outcome included. Repeatable, unlike times: may gate.
# The gates guard against steps back; the aim is lower.
# Usage: bench/instructions.sh [GATE_OUT [GATE_IN]]
set -euo pipefail
cd "$(dirname "$0")/.."
aim_out=300 aim_in=180
gate_out=${1:-690} gate_in=${2:-230}
if ! command -v valgrind >/dev/null; then
    echo "SKIPPED: valgrind is not installed" >&2
    exit 77
fi
cargo build --quiet --release -p steadfast-bench --bin turns
turns=${CARGO_TARGET_DIR:-target}/release/turns

# Instructions of a whole run; the difference of two runs leaves the start of the program out.
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$turns" "$1" "$2" 2>&1 >/dev/null |
        sed -n 's/.*Collected : *\([0-9]*\).*/\1/p'
}

each() {
    local few many
    few=$(count "$1" 6400)
    many=$(count "$1" 70400)
    echo $(((many - few) / 64000))
}

status=0
for way in out in alone; do
    each=$(each $way)
    gate=gate_$way
    aim=aim_$way verdict="gate ${!gate-}, aim ${!aim-}"
    # One by one a message bears a whole flush alone; that is shown, not gated.
    if [[ $way == alone ]]; then
        verdict="no gate"
    elif [[ $each -gt ${!gate} ]]; then
        verdict="MISS, $verdict" status=1
    fi
    printf '%5d instructions a message, %s (%s)\n' "$each" "$way" "$verdict"
done

# With de-duplication by content a message costs at most twice with 4,096 remembered of what it costs with one.
few=$(each few) many=$(each many) verdict="at most twice"
[[ $many -le $((2 * few)) ]] || { verdict="MISS, at most twice" status=1; }
printf '%5d instructions a message that is compared with 4,096 others, %d with one (%s)\n' "$many" "$few" "$verdict"

# A message of a topic costs at most twice with ten thousand of them what it costs with one.
few=$(each topics) many=$(each topics-many) verdict="at most twice"
[[ $many -le $((2 * few)) ]] || { verdict="MISS, at most twice" status=1; }
printf '%5d instructions a message of one of 10,000 topics, %d of the only one (%s)\n' "$many" "$few" "$verdict"

# A request, asked and answered, costs at most twice with a hundred thousand unanswered what it costs with one.
few=$(each requests) many=$(each requests-many) verdict="at most twice"
[[ $many -le $((2 * few)) ]] || { verdict="MISS, at most twice" status=1; }
printf '%5d instructions a request beside 100,000 that wait, %d beside one (%s)\n' "$many" "$few" "$verdict"
exit $status
