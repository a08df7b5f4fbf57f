#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# help.sh: --help, --version and `dam help`; what wrong words on the command line give.
# shellcheck source-path=SCRIPTDIR source=expect.bash
. "$(dirname "${BASH_SOURCE[0]}")/expect.bash"

says "--version says the version of the header"
version=$(sed -n 's/^#define DAM_VERSION_[A-Z]* \([0-9]*\)$/\1/p' "$DAM_SOURCE_DIR/include/dam/dam.h" | paste -sd .)
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "cannot read the version from the header: '$version'"
for words in --version -V "run --version"; do
    # shellcheck disable=SC2086 # the words are meant to be split
    dam $words
    expect_status 0
    expect_out "dam $version"
    expect_silent_err
done

says "--help goes to stdout, names every subcommand, and is a success"
dam --help
expect_status 0
expect_silent_err
for word in "Usage: dam " run symbolize options help "Exit status" 125 126 127; do
    expect_out_has "$word"
done
main_help=$out

says "'dam help' is 'dam --help', and 'dam help SUBCOMMAND' is 'dam SUBCOMMAND --help'"
dam help
expect_status 0
expect_out "$main_help"
for subcommand in run symbolize options help; do
    dam "$subcommand" --help
    expect_status 0
    expect_out_has "Usage: dam $subcommand"
    sub_help=$out
    dam help "$subcommand"
    expect_status 0
    expect_out "$sub_help"
done

says "each option of a subcommand is explained there and in the manual page"
manual=$(sed 's/\\-/-/g' "$DAM_SOURCE_DIR/tools/dam/dam.1")
# expect_options SUBCOMMAND OPTION...
expect_options() {
    dam "$1" --help
    shift
    for option in "$@"; do
        expect_out_has "$option"
        name=${option%%=*}
        [[ $manual == *"$name"* ]] || fail "dam.1 has no $name"
    done
}
expect_options run --option=NAME=VALUE --stats --library=FILE
expect_options symbolize --debuginfod

says "wrong words give 125, a message on stderr that begins with the command's name, and nothing on stdout"
dam
expect_status 125
expect_err_has "Usage: dam "
expect_out ''
dam nonsense
expect_status 125
expect_err_has "dam: there is no subcommand 'nonsense'"
expect_out ''
dam help nonsense
expect_status 125
expect_err_has "dam help: there is no subcommand 'nonsense'"
dam --nonsense
expect_status 125
expect_err_has "unrecognized option '--nonsense'"
expect_out ''
dam run
expect_refusal 125 "no program to run"
dam run --stats --
expect_refusal 125 "no program to run"
dam run --nonsense -- echo started
expect_refusal 125 "unrecognized option '--nonsense'"
dam options nonsense
expect_status 125
expect_err_has "dam options: Too many arguments"

says "help that cannot be written is a failure"
[ -c /dev/full ] || skip_rest "there is no /dev/full"
run sh -c '"$0" --help >/dev/full' "$DAM_COMMAND"
expect_status 125
expect_err_has "cannot write to standard output"
run sh -c '"$0" options >/dev/full' "$DAM_COMMAND"
expect_status 125
echo "all is as promised"
