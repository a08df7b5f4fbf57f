// SPDX-License-Identifier: MIT
/* version.c: dam_version says what the header of the same tree says. */
#include "dam/dam.h"
#include "support/test.h"

TEST(the_version_is_that_of_the_header) {
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", DAM_VERSION_MAJOR, DAM_VERSION_MINOR, DAM_VERSION_PATCH);
    assert_string_equal(dam_version(), expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_version_is_that_of_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
