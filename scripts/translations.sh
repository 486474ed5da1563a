#!/bin/sh
# The screen's translations: reads every text out of the source, keeps what is translated, and compiles it.
#   scripts/translations.sh           update the .ts files and compile the .qm files
#   scripts/translations.sh compile   compile only
# Both tools come with pyside6-essentials. Translate in partsight/gui/translations/*.ts (pyside6-linguist, or an editor).
set -eu
cd "$(dirname "$0")/.."
bin=${PARTSIGHT_BIN:-.venv/bin}
folder=inspect/partsight/gui/translations
if [ "${1:-}" != compile ]; then
    # Sorted, so that two people's updates differ only where the texts do; -no-obsolete drops what nobody says any more.
    sources=$(find inspect/partsight/gui -name '*.py' | LC_ALL=C sort)
    for language in de zh_CN; do
        # shellcheck disable=SC2086 # our own file names, without blanks
        "$bin/pyside6-lupdate" $sources -locations none -no-obsolete -source-language en -target-language "$language" \
            -ts "$folder/partsight_$language.ts"
    done
fi
for language in de zh_CN; do
    # Beside it and then in its place: a screen that starts meanwhile finds the old one or the new one, whole.
    "$bin/pyside6-lrelease" "$folder/partsight_$language.ts" -qm "$folder/.partsight_$language.qm"
    mv "$folder/.partsight_$language.qm" "$folder/partsight_$language.qm"
done
