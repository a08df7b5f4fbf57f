// SPDX-License-Identifier: MIT
/* export.h: what the dynamic linker may see of this rung. */
#ifndef DAM_SHIM_EXPORT_H
#define DAM_SHIM_EXPORT_H

#define EXPORT __attribute__((visibility("default")))

#endif
