# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of cpi's command line for bash. What may stand at the cursor says `cpi complete`: a candidate a line, a tab, and what it
# is; a line without a candidate says that names of files fit as well.

_cpi()
{
	local -a words=() files=()
	local word='' previous line candidate i

	# bash makes three words of --config=FILE
	for ((i = 1; i <= COMP_CWORD; i++)); do
		previous=$word
		word=${COMP_WORDS[i]}
		if [[ $word == '=' && $previous == --* ]]; then
			word=''
			((i == COMP_CWORD)) || continue
		fi
		words+=("$word")
	done
	COMPREPLY=()
	while IFS='' read -r line; do
		candidate=${line%%$'\t'*}
		if [[ -n $candidate ]]; then
			COMPREPLY+=("$candidate")
		else
			compopt -o filenames 2>/dev/null
			mapfile -t files < <(compgen -f -- "$word")
			COMPREPLY+=("${files[@]}")
		fi
	done < <("$1" complete "${words[@]}" 2>/dev/null)
}

complete -F _cpi cpi
