# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by ./run and ./test: installs what packages.txt names and the machine lacks. A ready
# machine is recognised with dpkg-query alone, so no network is needed there.

# Print the packages of $1 that are not installed.
prepare_missing() {
	local wanted installed
	wanted=$(sed 's/#.*//' "$1" | tr -d ' \t' | grep -v '^$' | sort -u)
	# dpkg-query fails when a name is unknown to it: those are simply not installed.
	# shellcheck disable=SC2086 # One word a package is meant.
	installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
		awk '$2 == "installed" { print $1 }' | sort -u)
	comm -23 <(printf '%s\n' "$wanted") <(printf '%s\n' "$installed")
}

prepare_machine() {
	local list=$1 missing as_root=()
	if ! command -v dpkg-query >/dev/null; then
		echo "holdfast: this is not a Debian system; install what $list names by hand" >&2
		return 0
	fi
	missing=$(prepare_missing "$list")
	if [[ -z $missing ]]; then
		return 0
	fi
	if [[ $(id -u) -ne 0 ]]; then
		as_root=(sudo)
	fi
	# shellcheck disable=SC2086 # One word a package is meant, here and below.
	echo "holdfast: installing" $missing
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update || return 1
	# shellcheck disable=SC2086
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y install \
		--no-install-recommends $missing || return 1
	missing=$(prepare_missing "$list")
	if [[ -n $missing ]]; then
		# shellcheck disable=SC2086
		echo "holdfast: could not install" $missing >&2
		return 1
	fi
}
