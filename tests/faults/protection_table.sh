#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# protection_table.sh: what docs/protection.md says of DAM's profiles is what they do. The other allocators' columns are
# for whoever has their versions: scripts/protection-table --check.
set -euo pipefail

exec "${DAM_SOURCE_DIR:?}/scripts/protection-table" --check --dam "${DAM_BUILD_DIR:?}"
