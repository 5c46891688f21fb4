#!/usr/bin/env bash
# Runs the program for Windows under Wine: report, render, record, and its window on an X server of its own.
#
#   DO=build .ci/other-systems x86_64-pc-windows-gnu
#   assets/packaging/wine.sh target/other-systems/x86_64-pc-windows-gnu/debug/inferscope.exe
#
# Needs wine64, Xvfb and xwininfo (Debian: wine64 xvfb x11-utils). The picture of the window is left beside the program.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$(realpath "$1")
scratch=$(mktemp -d)
export WINEPREFIX=$scratch/wine WINEDEBUG=-all
unset DISPLAY WAYLAND_DISPLAY
server=
trap 'wineserver -k 2>/dev/null || true; [ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT
wine=$(command -v wine64 || command -v wine || echo /usr/lib/wine/wine64)
wineserver() { command wineserver "$@" || /usr/lib/wine/wineserver64 "$@"; }
Xvfb -displayfd 3 -screen 0 1280x800x24 3>"$scratch/display" 2>/dev/null &
server=$!
"$wine" wineboot --init >/dev/null 2>&1
for _ in $(seq 50); do [ -s "$scratch/display" ] && break || sleep 0.1; done
DISPLAY=:$(cat "$scratch/display")
export DISPLAY
cp sample_profiles/pstats/workload-py311.prof "$scratch/run.prof"
cd "$scratch"

"$wine" "$program" --version
"$wine" "$program" report run.prof | tr -d '\r' >windows.txt
grep -q 'loads' windows.txt
echo "report: $(wc -l <windows.txt) lines"
if [ -n "${NATIVE:-}" ]; then # the same numbers as the program of this system
    "$NATIVE" report run.prof | diff - windows.txt
fi
"$wine" "$program" render run.prof -o run.png
test -s run.png
echo "render: $(stat -c %s run.png) bytes"
"$wine" "$program" record asyncio --quiet --set scale=0.1 -o asyncio.inferscope
"$wine" "$program" record command --quiet -o command.inferscope -- cmd.exe /c echo hello | tr -d '\r' | grep -q hello
for session in asyncio command; do
    "$wine" "$program" report $session.inferscope >$session.txt
    echo "record $session: $(wc -l <$session.txt) lines of its report"
done
"$wine" "$program" run.prof &
window=$!
for _ in $(seq 120); do
    sleep 0.5
    kill -0 $window
    if xwininfo -root -tree | grep -q inferscope; then break; fi
done
xwininfo -root -tree | grep inferscope
sleep 3
kill -0 $window
if command -v xwd >/dev/null; then xwd -root -silent >"$(dirname "$program")/window.xwd"; fi
echo "window: open"
