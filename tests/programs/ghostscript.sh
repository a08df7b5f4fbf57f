#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ghostscript.sh: a PostScript interpreter and rasterizer. Chunks that hold its own small objects, bands and caches of
# hundreds of kilobytes, buffers between 64 KiB and a few megabytes that come and go with every page.
#
#   raster    the pages as they are, smoothed, in RGB
#   bands     the same in bands, rendered by two threads
#   separate  in CMYK with separations, at a low resolution
#   pdf       converted to PDF (which carries its date and so is not compared), and that PDF rendered and read as text
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

need gs ghostscript

# ghostscript NAME DEVICE OUTPUT OPTION... INPUT
ghostscript() {
    local name=$1 device=$2 output=$3
    shift 3
    same_writer "$name" gs -q -dBATCH -dNOPAUSE -dSAFER "-sDEVICE=$device" "-sOutputFile=$output" "$@"
}

# same_pages BEFORE AFTER: the files BEFORE1AFTER to BEFORE4AFTER.
same_pages() {
    same_file "${1}1$2" "${1}2$2" "${1}3$2" "${1}4$2"
}

ghostscript raster png16m raster%d.png -r150 -dTextAlphaBits=4 -dGraphicsAlphaBits=4 "$inputs/pages.ps"
same_pages raster .png

ghostscript bands ppmraw bands%d.ppm -r200 -dNumRenderingThreads=2 -dMaxBitmap=0 -dBufferSpace=2000000 \
    "$inputs/pages.ps"
same_pages bands .ppm

ghostscript separate psdcmyk separate%d.psd -r72 "$inputs/pages.ps"
same_pages separate .psd

ghostscript pdf pdfwrite pages.pdf "$inputs/pages.ps"
ghostscript pdf_raster ppmraw pdf%d.ppm -r100 -dTextAlphaBits=4 pages.pdf
same_pages pdf .ppm
ghostscript pdf_text txtwrite pages.txt pages.pdf
same_file pages.txt
grep -q robur "$work/dam/pages.txt" || die "the text of the PDF lost its words"
