#!/bin/sh
# Checks that every relative link in the project's Markdown leads to a file, and every `#part` of one to a heading.
# Links to other hosts are not followed. Run from anywhere; `make check` runs it.
set -eu
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The anchors of a file: its headings in lower case, without punctuation, blanks as hyphens.
anchors() {
    awk '/^```/ { code = !code } !code && /^#+ /' "$1" | sed 's/^#* *//' | tr 'A-Z' 'a-z' | sed 's/[^a-z0-9_ -]//g; s/ /-/g'
}

find . \( -name target -o -name .git -o -name node_modules \) -prune -o -name '*.md' -print | sort > "$work/files"
while IFS= read -r file; do
    # Code is no prose: fenced blocks and `spans` go first. Then one link a line.
    awk '/^ *```/ { code = !code; next } !code' "$file" | sed 's/`[^`]*`//g' |
        { grep -o '\](<*[^)]*)' || true; } | sed 's/^](<*//; s/>*)$//; s/ ".*"$//' > "$work/links"
    while IFS= read -r link; do
        case $link in
            '' | *://* | mailto:*) continue ;;
        esac
        path=${link%%#*}
        part=
        case $link in *'#'*) part=${link#*#} ;; esac
        if [ -z "$path" ]; then target=$file; else target=$(dirname "$file")/$path; fi
        if [ ! -e "$target" ]; then
            echo "$file: there is no $link"
        elif [ -n "$part" ] && [ -f "$target" ] && ! anchors "$target" | grep -qxF -e "$part"; then
            echo "$file: $link: there is no such heading in $target"
        fi
    done < "$work/links"
done < "$work/files" > "$work/broken"

if [ -s "$work/broken" ]; then
    cat "$work/broken" >&2
    echo "$(wc -l < "$work/broken" | tr -d ' ') broken links" >&2
    exit 1
fi
echo "links: $(wc -l < "$work/files" | tr -d ' ') files, all relative links lead somewhere"
