#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Checks every variant of tape.pml: those that must hold, and those that must be caught doing one certain harm.
#
#   run.sh           all of them, a line each; 0 when every line is as expected, 1 when not, 2 when it cannot run
#   run.sh VARIANT   one of them; a caught one is shown step by step, by the shortest way there
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
spin=${SPIN:-spin}
cc=${CC:-gcc}

# The numbers of what may never happen in tape.pml; 0 is the end of everything before all is done.
harms=("nothing goes on any more" "not C <= s <= b" "thing twice on the tape"
	"thing lost or out of order" "alert logged twice" "alert lost, wrong or without its event"
	"state is not the tape's" "row twice" "row lost" "row without its alert" "dead letter twice" "end reached")

# name | harm, or 0 when it must hold | options of the model. The smaller models leave out what the rule does not touch.
small="-DNA=2 -DNB=2"
dark="-DSINK=NONE"
bad="-DEFFECTS -DCRASHES=2"
variants="
protocol                  | 0  | $small -DCRASHES=3
protocol_more_things      | 0  | $dark -DCRASHES=3
protocol_reconnecting     | 0  | $dark -DCRASHES=3 -DREOPEN=1
protocol_acked            | 0  | $dark -DCRASHES=3 -DACK=1
protocol_rebuilt          | 0  | $dark -DCRASHES=3 -DREBUILD
protocol_all_of_it        | 0  | $small -DCRASHES=2 -DREOPEN=1 -DACK=1 -DREBUILD
sink_own_cursor           | 0  | $small -DCRASHES=3 -DSINK=OWN_CURSOR
sink_plain_at_least_once  | 0  | $small -DCRASHES=3 -DSINK=PLAIN
sink_plain_once           | 7  | $small $bad -DSINK=PLAIN -DONCE
positions_after_events    | 2  | $dark $bad -DPOSITION=1
positions_before_events   | 3  | $dark $bad -DPOSITION=2
alerts_before_events      | 5  | $dark $bad -DALERTS_FIRST
checkpoint_before_alerts  | 5  | $dark $bad -DCHECKPOINT_FIRST
checkpoint_split          | 6  | $dark $bad -DCHECKPOINT_SPLIT
complete_split            | 4  | $dark $bad -DCOMPLETE_SPLIT
no_recompute_drop         | 4  | $dark $bad -DNO_RECOMPUTE_DROP
no_tape                   | 5  | $dark $bad -DNO_TAPE
no_after                  | 2  | $dark $bad -DNO_AFTER
mark_among_repetitions    | 2  | $dark $bad -DMARK_IN_DROP
reconnect_forgets_drop    | 2  | $dark $bad -DREOPEN=2
event_overtakes_letter    | 2  | $dark $bad -DOVERTAKE
acked_on_receipt          | 3  | $dark $bad -DACK=2
sink_reads_uncommitted    | 9  | $small $bad -DUNCOMMITTED
cursor_before_flush       | 8  | $small $bad -DCURSOR_EARLY
detector_letters_once     | 10 | $dark $bad -DLETTERS_ONCE
rule_alerts_before_events | 1  | $dark -DCRASHES=0 -DALERTS_FIRST
rule_checkpoint_first     | 1  | $dark -DCRASHES=0 -DCHECKPOINT_FIRST
end_is_reached            | 11 | $small -DCRASHES=2 -DREACH
"

die() { echo "run.sh: $*" >&2; exit 2; }
command -v "$spin" >/dev/null || die "$spin is missing; on Debian it is the package spin"
command -v "$cc" >/dev/null || die "$cc is missing; on Debian it is the package gcc"
work=$(mktemp -d) || die "no temporary folder"
trap 'rm -rf "$work"' EXIT
cd "$work" || die "no temporary folder"

# Sets found (a harm's number, "holds", or what went wrong) and states. $1: "holds" searches in depth, which is faster
# when everything is seen; anything else in breadth, which finds the shortest way.
search() {
	local way=() harm
	[ "$1" = holds ] || way=(-DBFS)
	shift
	states=-
	rm -f pan* ./*.trail
	cp -p "$here/tape.pml" .
	"$spin" -a "$@" tape.pml >spin.txt 2>&1 || { found="spin refuses the model: $(head -1 spin.txt)"; return; }
	"$cc" -O1 -w -DSAFETY -DMEMLIM=2000 "${way[@]}" -o pan pan.c 2>cc.txt || { found="$cc: $(head -1 cc.txt)"; return; }
	./pan -m100000 >pan.txt 2>&1
	states=$(grep -o '[0-9.e+]* states, stored' pan.txt | head -1 | cut -d' ' -f1)
	harm=$(grep -oE 'broken!=[0-9]+' pan.txt | head -1)
	if grep -qE 'max search depth too small|out of memory|not completed.*memory' pan.txt; then
		found="the search did not end: $(grep -E 'depth too small|memory' pan.txt | head -1)"
	elif [ -n "$harm" ]; then
		found=${harm#broken!=}
	elif grep -q 'invalid end state' pan.txt && ! grep -q 'errors: 0' pan.txt; then
		found=0
	elif grep -q 'errors: 0' pan.txt; then
		found=holds
	else
		found="pan: $(head -1 pan.txt)"
	fi
}

words() { # of an expectation or of what was found
	case $1 in
	holds) echo holds ;;
	[0-9] | [0-9][0-9]) echo "fails: ${harms[$1]}" ;;
	*) echo "$1" ;;
	esac
}

one=
case ${1:-} in
-*) die "usage: run.sh [VARIANT]" ;;
?*) one=$1 ;;
esac

wrong=0 seen=0
printf '%-26s %-46s %-46s %10s\n' variant expected found states
while IFS='|' read -r name harm options; do
	name=${name// /} harm=${harm// /}
	[ -n "$name" ] || continue
	[ -z "$one" ] || [ "$one" = "$name" ] || continue
	seen=$((seen + 1))
	expected=$harm
	[ "$harm" != 0 ] || expected=holds
	# shellcheck disable=SC2086 # options are words
	search "$expected" $options
	mark=
	if [ "$found" != "$expected" ]; then
		mark="  <- WRONG"
		wrong=$((wrong + 1))
	fi
	printf '%-26s %-46s %-46s %10s%s\n' "$name" "$(words "$expected")" "$(words "$found")" "$states" "$mark"
	if [ -n "$one" ] && [ -f tape.pml.trail ]; then
		# shellcheck disable=SC2086
		"$spin" -t -T $options tape.pml | sed -n '/^spin: trail ends/q; /^spin: tape.pml.*Error/q; p'
	fi
done <<<"$variants"
[ "$seen" -gt 0 ] || die "there is no variant '$one'"
[ "$wrong" -eq 0 ] || { echo "$wrong of $seen variants are not as expected"; exit 1; }
echo "$seen of $seen variants are as expected"
