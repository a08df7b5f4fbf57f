// SPDX-License-Identifier: MIT
/* layer_choice.c: dam_layer_for_size: which layer serves which size. */
#include "dam/dam.h"
#include "support/layers.h"
#include "support/test.h"

TEST(up_to_256_bytes_is_small) {
    for (size_t size = 0; size <= 256; size++)
        assert_int_equal(dam_layer_for_size(size), DAM_LAYER_SMALL);
}

TEST(from_257_to_65536_bytes_is_general) {
    for (size_t size = 257; size <= 65536; size++)
        assert_int_equal(dam_layer_for_size(size), DAM_LAYER_GENERAL);
}

TEST(above_65536_bytes_is_direct) {
    assert_int_equal(dam_layer_for_size(65537), DAM_LAYER_DIRECT);
    for (unsigned log2 = 17; log2 < 63; log2++) {
        assert_int_equal(dam_layer_for_size(((size_t)1 << log2) - 1), DAM_LAYER_DIRECT);
        assert_int_equal(dam_layer_for_size((size_t)1 << log2), DAM_LAYER_DIRECT);
    }
    assert_int_equal(dam_layer_for_size(PTRDIFF_MAX), DAM_LAYER_DIRECT);
}

TEST(above_ptrdiff_max_there_is_no_layer) {
    assert_int_equal(dam_layer_for_size((size_t)PTRDIFF_MAX + 1), DAM_LAYER_NONE);
    assert_int_equal(dam_layer_for_size(SIZE_MAX - 1), DAM_LAYER_NONE);
    assert_int_equal(dam_layer_for_size(SIZE_MAX), DAM_LAYER_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_to_256_bytes_is_small),
        cmocka_unit_test(from_257_to_65536_bytes_is_general),
        cmocka_unit_test(above_65536_bytes_is_direct),
        cmocka_unit_test(above_ptrdiff_max_there_is_no_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
