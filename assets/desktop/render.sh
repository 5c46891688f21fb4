#!/usr/bin/env bash
# The icon as PNG in the sizes of a desktop. Needs rsvg-convert (Debian: librsvg2-bin).
set -euo pipefail
cd "$(dirname "$0")"
for size in 16 24 32 48 64 128 256; do
    rsvg-convert -w $size -h $size inferscope.svg -o icon-$size.png
done
