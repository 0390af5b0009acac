#!/usr/bin/env bash
# Plants bugs, one at a time, and expects the tests to find them.
#
# Every tests/plants/*.patch begins with what the bug is and a line `Red: ` with the cargo arguments of a test that has to
# fail with it. The patches are applied to a copy of the tree under target/plants, which keeps its own build directory,
# so the second run and every further plant are incremental. A plant is a failure of this script if it does not
# apply, does not compile, or if its test stays green; and so is a test that is red without a plant.
#
#   tests/plants/run.sh             all of them
#   tests/plants/run.sh ttl acks    those whose names contain one of these
#   tests/plants/run.sh --part K N  every N-th of them, from the K-th on (0 to N-1); the others only have to apply
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
work=${PLANTS_DIR:-$root/target/plants}
tree=$work/tree
log=$work/log
limit=${PLANTS_TIMEOUT:-180} # seconds a test may take: a bug may well hang it

export CARGO_TARGET_DIR=$work/target
# Else git would take the copy for a part of the repository around it.
export GIT_CEILING_DIRECTORIES=$work

# Copies what changed, and removes what is gone, so that cargo builds only that.
copy_tree() {
    mkdir -p "$work" "$tree"
    (cd "$root" && git ls-files -z --cached --others --exclude-standard) >"$work/files"
    (cd "$tree" && find . -type f -printf '%P\0') >"$work/copied"
    (cd "$tree" && sort -z "$work/copied" | comm -z -23 - <(sort -z "$work/files") | xargs -0r rm -f --)
    while IFS= read -r -d '' file; do
        [ -f "$root/$file" ] || continue
        cmp -s "$root/$file" "$tree/$file" && continue
        mkdir -p "$tree/$(dirname "$file")"
        cp "$root/$file" "$tree/$file"
    done <"$work/files"
}

selected() {
    local patch=$1 name part
    shift
    name=$(basename "$patch" .patch)
    [ $# -eq 0 ] && return 0
    for part in "$@"; do
        [[ $name == *"$part"* ]] && return 0
    done
    return 1
}

# Puts the tree back as it was, whatever happened.
restore() {
    if [ -n "${planted:-}" ]; then
        (cd "$tree" && git apply -R -C1 "$planted")
        planted=
    fi
}
trap restore EXIT

run_test() {
    # shellcheck disable=SC2086 # the arguments are words
    (cd "$tree" && RUST_BACKTRACE=0 timeout "$limit" cargo $1) >"$log" 2>&1
}

builds() {
    # shellcheck disable=SC2086
    (cd "$tree" && cargo ${1%% -- *} --no-run) >"$log" 2>&1
}

part=0 parts=1
if [ "${1:-}" = --part ]; then
    part=${2:?which part} parts=${3:?of how many}
    shift 3
fi

copy_tree
cd "$root"
patches=() count=0
for patch in "$root"/tests/plants/*.patch; do
    selected "$patch" "$@" || continue
    if [ $((count % parts)) = "$part" ]; then
        patches+=("$patch")
    elif ! (cd "$tree" && git apply --check -C1 "$patch"); then
        echo "DOES NOT APPLY           $(basename "$patch" .patch)"
        exit 1
    fi
    count=$((count + 1))
done
[ ${#patches[@]} -gt 0 ] || { echo "no plant has such a name"; exit 2; }

echo "without a plant:"
sed -n 's/^Red: //p' "${patches[@]}" | sort -u | while IFS= read -r test; do
    # Built first: all there is may take longer than a test is given.
    builds "$test" && run_test "$test" || { echo "  RED    cargo $test"; tail -n 40 "$log"; exit 1; }
    echo "  green  cargo $test"
done

failed=0
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch)
    test=$(sed -n 's/^Red: //p' "$patch")
    begun=$SECONDS
    if ! (cd "$tree" && git apply -C1 "$patch") >"$log" 2>&1; then
        verdict="DOES NOT APPLY"
        failed=1
    else
        planted=$patch
        if ! builds "$test"; then
            verdict="DOES NOT COMPILE"
            failed=1
        elif run_test "$test"; then
            verdict="GREEN: NOBODY NOTICED"
            failed=1
        else
            verdict="red"
        fi
        restore
    fi
    printf '%-24s %-48s %3d s  %s\n' "$verdict" "$name" $((SECONDS - begun)) "$test"
    [[ $verdict == red || $verdict == GREEN* ]] || tail -n 15 "$log"
done
[ "$failed" = 0 ] && echo "${#patches[@]} plants, all found"
exit "$failed"
