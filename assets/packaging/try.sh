#!/usr/bin/env bash
# Tries what build.sh made on empty Debian systems, as a person does who has nothing else: wheel, archive and Debian package report,
# render and record; their windows open on X11 and Wayland once the libraries are there that the program asks for.
#
#   assets/packaging/try.sh FOLDER [RELEASE…]        # the folder of build.sh; bullseye and trixie unless named
#
# As root, with debootstrap, Xvfb, xwininfo (x11-utils) and weston. Systems are kept in ${ROOTS:-/var/tmp/inferscope-systems} and
# copied for each product; logs and pictures of windows are left beside them. Prints a table; ends with 1 if anything failed.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${INFERSCOPE_MOUNTS:-}" ]; then
    INFERSCOPE_MOUNTS=1 exec unshare --mount "$0" "$@" # what is mounted here goes with this process
fi
products=$(cd "$1" && pwd)
shift
releases=("$@")
[ ${#releases[@]} -gt 0 ] || releases=(bullseye trixie)
roots=${ROOTS:-/var/tmp/inferscope-systems}
profile=sample_profiles/pstats/workload-py311.prof
wheel=$(basename "$products"/inferscope_profiler-*-manylinux*.whl)
archive=$(basename "$products"/inferscope-*linux*.tar.gz)
package=$(basename "$products"/inferscope_*.deb)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
failed=0
mkdir -p "$roots/logs"
scratch=$(mktemp -d /tmp/inferscope-try.XXXXXX)
servers=()
trap 'for server in "${servers[@]+"${servers[@]}"}"; do kill "$server" 2>/dev/null || true; done; rm -rf "$scratch"' EXIT

# Servers of windows, which systems reach by their sockets alone.
mkdir -m 700 "$scratch/run"
Xvfb -displayfd 3 -screen 0 1280x800x24 3>"$scratch/display" 2>/dev/null &
servers+=($!)
env XDG_RUNTIME_DIR="$scratch/run" weston --backend=headless-backend.so --socket=wayland-try --width=1280 --height=800 \
    --idle-time=0 >"$roots/logs/weston.log" 2>&1 &
servers+=($!)
for _ in $(seq 50); do
    if [ -s "$scratch/display" ] && [ -S "$scratch/run/wayland-try" ]; then break; fi
    sleep 0.1
done
display=:$(cat "$scratch/display")

# Prints one row: what was tried, how it went, seconds on the clock and of CPU time.
TIMEFORMAT='%R %U %S'
try() { # NAME COMMAND…
    local name=$1 outcome=ok
    shift
    { time "$@" >"$log" 2>&1 || outcome=FAILED; } 2>"$scratch/time"
    awk -v row="$(printf '%-9s %-8s %-52s %-6s' "$release" "$product" "$name" "$outcome")" \
        '{ printf "%s %6.2f s, CPU %6.2f s\n", row, $1, $2 + $3 }' "$scratch/time"
    if [ $outcome = FAILED ]; then
        failed=1
        tail -n 5 "$log" | sed 's/^/    /'
    fi
    cat "$log" >>"$roots/logs/$release-$product.log"
}
inside() { chroot "$system" env -i PATH="$path" HOME=/root LANG=C.UTF-8 PIP_ROOT_USER_ACTION=ignore PIP_CERT="${PIP_CERT:-}" "$@"; }
same() { inside sh -c "$1" | grep -qF "$2"; }

# An empty system with Python, alone for one product.
empty() {
    system=$roots/now
    mkdir -p "$system"
    umount -R "$system"/* 2>/dev/null || true
    rm -rf "$system"
    cp -a "$roots/$release" "$system"
    mkdir -p "$system/try" "$system/tmp/.X11-unix" "$system/run/inferscope"
    cp "$profile" "$system/try/run.prof"
    cp sample_profiles/pstats/workload-py313.prof "$system/try/after.prof"
    cp /etc/resolv.conf "$system/etc/resolv.conf"
    if [ -n "${PIP_CERT:-}" ]; then cp "$PIP_CERT" "$system$PIP_CERT"; fi
    mount -t proc proc "$system/proc"
    mount --rbind /dev "$system/dev"
    mount --bind /tmp/.X11-unix "$system/tmp/.X11-unix"
    mount --bind "$scratch/run" "$system/run/inferscope"
    printf 'import asyncio\nasyncio.run(asyncio.sleep(0.01))\nprint("done")\n' >"$system/try/app.py"
}
gone() {
    umount -R "$system/proc" "$system/dev" "$system/tmp/.X11-unix" "$system/run/inferscope"
    rm -rf "$system"
}

# What works without a display, by this command.
works() { # COMMAND
    try "report" same "$1 report /try/run.prof" "loads"
    try "render" inside sh -c "$1 render /try/run.prof -o /try/run.png && test -s /try/run.png"
    try "diff" inside sh -c "$1 diff /try/run.prof /try/after.prof"
    try "record a Python program" inside sh -c "$1 record command --quiet -o /try/run.inferscope -- python3 /try/app.py &&
        $1 report /try/run.inferscope"
    try "record asyncio" inside sh -c "$1 record asyncio --quiet --set scale=0.1 -o /try/asyncio.inferscope"
    try "without a display it records and reports" inside sh -c "cd /try && $1 | grep -q 'inferscope-run.png'"
}

# The window stays open, and on X11 it can be seen.
window() { # SESSION COMMAND
    local variables=(DISPLAY="$display") pid seen=
    if [ "$1" = Wayland ]; then variables=(XDG_RUNTIME_DIR=/run/inferscope WAYLAND_DISPLAY=wayland-try); fi
    chroot "$system" env -i PATH="$path" HOME=/root LANG=C.UTF-8 "${variables[@]}" "$2" /try/run.prof &
    pid=$!
    for _ in $(seq 40); do
        sleep 0.25
        kill -0 $pid || return 1
        if [ "$1" = X11 ] && xwininfo -display "$display" -root -tree | grep -q '"inferscope"'; then seen=1; fi
    done
    if [ "$1" = X11 ]; then
        xwd -display "$display" -root -silent >"$roots/logs/$release-$product.xwd"
        [ -n "$seen" ] || return 1
    fi
    kill $pid
    wait $pid 2>/dev/null || true
}
# Without libraries it names the packages; with them, and nothing else, it opens.
asks() { # SESSION COMMAND
    local variables=(DISPLAY="$display") said
    if [ "$1" = Wayland ]; then variables=(XDG_RUNTIME_DIR=/run/inferscope WAYLAND_DISPLAY=wayland-try); fi
    said=$(chroot "$system" env -i PATH="$path" HOME=/root "${variables[@]}" "$2" /try/run.prof 2>&1) && return 1
    echo "$said"
    [ "$(wc -l <<<"$said")" = 1 ] || return 1
    sed -n 's/.*\(apt-get install [a-z0-9 -]*[a-z0-9]\).*/\1/p' <<<"$said" >"$scratch/install"
    grep -q '^apt-get install lib' "$scratch/install"
}
named() { inside sh -c "DEBIAN_FRONTEND=noninteractive $(sed 's/install/install -y -qq --no-install-recommends/' "$scratch/install")"; }

for release in "${releases[@]}"; do
    log=$roots/logs/last
    path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    if [ ! -d "$roots/$release" ]; then
        debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates "$release" "$roots/$release.part" \
            >"$roots/logs/debootstrap-$release.log"
        mv "$roots/$release.part" "$roots/$release"
    fi

    # From nothing: Python alone, then uv, then the first answer of a wheel that no index has yet.
    product=wheel
    rm -f "$roots/logs/$release-"*.log
    empty
    cp "$products/$wheel" "$system/try/"
    uv="pip3 install -q uv"
    if ls "$system"/usr/lib/python3*/EXTERNALLY-MANAGED >/dev/null 2>&1; then # refused outside of an environment
        uv="python3 -m venv /try/uv && /try/uv/bin/pip install -q uv"
        path=/try/uv/bin:$path
    fi
    try "from nothing to the first answer (uv included)" inside sh -c "$uv && uvx --from /try/$wheel inferscope report /try/run.prof"
    try "the second start by uvx" inside uvx --from "/try/$wheel" inferscope report /try/run.prof
    try "pip install into a project's environment" inside sh -c "python3 -m venv /try/venv && /try/venv/bin/pip install -q --no-index /try/$wheel"
    path=/try/venv/bin:$path
    try "python -m inferscope_profiler" same "python -m inferscope_profiler --version" "$version"
    try "import" inside python -c "from inferscope_profiler import profiled, span"
    works inferscope
    for session in X11 Wayland; do
        try "window on $session without libraries: names them" asks $session inferscope
        try "  they install" named
        try "  window" window $session inferscope
    done
    gone

    product=archive
    path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    empty
    tar -C "$system/try" -xzf "$products/$archive"
    works "/try/${archive%.tar.gz}/inferscope"
    gone

    product=deb
    empty
    cp "$products/$package" "$system/try/"
    inside apt-get update -qq >/dev/null
    try "install on a server" inside sh -c "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends /try/$package"
    works inferscope
    try "manual page, completion, types" inside sh -c "test -s /usr/share/man/man1/inferscope.1.gz &&
        test -s /usr/share/bash-completion/completions/inferscope && test -s /usr/share/mime/packages/inferscope.xml"
    try "install on a desktop" inside sh -c "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --reinstall --install-recommends /try/$package &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \$(dpkg-query -f '\${Recommends}' -W inferscope | tr -d ,)"
    for session in X11 Wayland; do try "  window on $session" window $session inferscope; done
    try "remove" inside apt-get purge -y -qq inferscope
    gone
done
exit $failed
