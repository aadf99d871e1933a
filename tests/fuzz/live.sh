#!/bin/sh
# live.sh NAME PROGRAM CORPUS TOPOLOGIES: fuzz for WEFT_FUZZ_SECONDS (default 6) from WEFT_FUZZ_SEED (default: a new one, printed).
# What is found is kept in ./findings/NAME and its path printed; new inputs are kept in ./found/NAME for the next run.
set -eu
name=$1 program=$2 corpus=$3 topologies=$4
seed=${WEFT_FUZZ_SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
seconds=${WEFT_FUZZ_SECONDS:-6}
mkdir -p "findings/$name" "found/$name"
[ "$name" = xml ] || topologies=
echo "seed $seed (WEFT_FUZZ_SEED), $seconds seconds (WEFT_FUZZ_SECONDS)"
log=findings/$name.log
status=0
# shellcheck disable=SC2086 # an empty word is none
"$program" -seed="$seed" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="findings/$name/" "found/$name" "$corpus" $topologies >"$log" 2>&1 || status=$?
grep -E '^#[0-9]+.*(INITED|DONE)|^stat::number_of_executed_units' "$log" || :
[ "$status" -ne 0 ] || exit 0
tail -n 60 "$log"
for found in "findings/$name"/*; do
    [ ! -f "$found" ] || echo "found: $PWD/$found; replay: $program $PWD/$found; then add it to $corpus"
done
exit 1
