#!/usr/bin/env bash
# The Debian package of programs that are built already: deb.sh PROGRAMS MAN COMPLETIONS FOLDER
#
# The window's libraries are recommended, not required: a server that leaves them out (--no-install-recommends) still reports,
# renders and records. Menus, types, icons and manual pages are taken up by triggers of the packages that own the folders.
set -euo pipefail
cd "$(dirname "$0")/../.."
programs=$1 man=$2 completions=$3 out=$4
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
repository=$(sed -n 's/^repository = "\(.*\)"$/\1/p' Cargo.toml)
architecture=$(dpkg --print-architecture)

put() { # FILE PLACE [MODE]
    install -D -m "${3:-644}" "$1" "$tree/$2"
}
put "$programs/inferscope" usr/bin/inferscope 755
put assets/desktop/inferscope.desktop usr/share/applications/inferscope.desktop
put assets/desktop/inferscope-mime.xml usr/share/mime/packages/inferscope.xml
put assets/desktop/inferscope.metainfo.xml usr/share/metainfo/io.github.inferscope.inferscope.metainfo.xml
put assets/desktop/inferscope.svg usr/share/icons/hicolor/scalable/apps/inferscope.svg
for size in 16 24 32 48 64 128 256; do
    put "assets/desktop/icon-$size.png" "usr/share/icons/hicolor/${size}x$size/apps/inferscope.png"
done
for page in "$man"/*.1; do
    put "$page" "usr/share/man/man1/$(basename "$page")"
done
gzip -9n "$tree"/usr/share/man/man1/*.1
put "$completions/inferscope.bash" usr/share/bash-completion/completions/inferscope
put "$completions/_inferscope" usr/share/zsh/vendor-completions/_inferscope
put "$completions/inferscope.fish" usr/share/fish/vendor_completions.d/inferscope.fish
license() { # NAME FILE
    printf 'License: %s\n' "$1"
    sed -e 's/^[[:space:]]*$/./' -e 's/^/ /' "$2"
    echo
}
mkdir -p "$tree/usr/share/doc/inferscope"
{
    cat assets/packaging/copyright
    license Expat <(tail -n +5 LICENSE-MIT)
    license OFL-1.1 assets/fonts/OFL.txt
} >"$tree/usr/share/doc/inferscope/copyright"
printf 'inferscope (%s) unstable; urgency=medium\n\n  * See %s/blob/main/CHANGELOG.md\n\n -- The inferscope authors <inferscope@users.noreply.github.com>  %s\n' \
    "$version" "$repository" "$(date -R -u -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}")" |
    gzip -9n >"$tree/usr/share/doc/inferscope/changelog.gz"

mkdir "$tree/DEBIAN"
cat >"$tree/DEBIAN/control" <<CONTROL
Package: inferscope
Version: $version
Architecture: $architecture
Section: devel
Priority: optional
Maintainer: The inferscope authors <inferscope@users.noreply.github.com>
Homepage: $repository
Installed-Size: $(du -ks --exclude=DEBIAN "$tree" | cut -f 1)
Depends: libc6 (>= 2.17)
Recommends: libx11-6, libx11-xcb1, libxcursor1, libxi6, libxkbcommon-x11-0, libgl1, libegl1, libwayland-client0, libwayland-egl1, libxkbcommon0
Suggests: xdg-desktop-portal | zenity
Description: profile viewer for people who build LLM applications
 Opens the profiles of many tools (cProfile, pyinstrument, PyTorch, Chrome,
 speedscope, callgrind, pprof, perf and more), records its own, and compares
 two runs in every view: call trees, flame charts, callers, a dependency
 graph, memory and LLM requests. Reports and pictures need no display.
CONTROL
find "$tree" -type d -exec chmod 755 {} +
dpkg-deb --build --root-owner-group -Zxz "$tree" "$out/inferscope_${version}_$architecture.deb"
