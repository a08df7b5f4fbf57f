// SPDX-License-Identifier: MIT
/* random.c: the seed, and sizes as programs ask for them.
 *
 * Not here: the generator itself, which is inline in random.h. */
#include "support/random.h"

#include "support/test.h"

#include <inttypes.h>
#include <sys/random.h>

static uint64_t fresh_seed(void) {
    uint64_t seed = 0;
    CHECK(getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed);
    return seed >> 32; /* short enough to be typed again */
}

uint64_t test_seed(const char *test) {
    const char *text = getenv("DAM_TEST_SEED");
    uint64_t seed;
    if (text != NULL && text[0] != '\0') {
        char *end = NULL;
        errno = 0;
        seed = strtoull(text, &end, 0);
        CHECK(errno == 0 && *end == '\0');
    } else {
        seed = fresh_seed();
    }
    printf("%s: DAM_TEST_SEED=%" PRIu64 "\n", test, seed);
    fflush(stdout);
    return seed;
}

size_t test_count(const char *name, size_t otherwise) {
    const char *text = getenv(name);
    if (text == NULL || text[0] == '\0')
        return otherwise;
    char *end = NULL;
    errno = 0;
    unsigned long count = strtoul(text, &end, 10);
    CHECK(errno == 0 && *end == '\0' && count > 0);
    return (size_t)count;
}

/* Every doubling from 1 byte to 256 KiB is as likely as any other; a few go on to 4 MiB. */
static size_t power_law_size(struct random *random) {
    size_t doublings = random_below(random, 18);
    if (random_below(random, 64) == 0)
        doublings += 4;
    size_t low = (size_t)1 << doublings;
    return low + random_below(random, low);
}

/* The places where something changes, give or take one. The rare ones are large, and cost much to fill. */
static size_t boundary_size(struct random *random) {
    static const size_t FREQUENT[] = {0, 8, 16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512, 1024, 4096};
    static const size_t RARE[] = {8 * KIB, 16 * KIB, 32 * KIB, 64 * KIB, 64 * KIB, 128 * KIB, 1 * MIB, 2 * MIB};
    bool rare = random_below(random, 32) == 0;
    size_t boundary =
        rare ? RARE[random_below(random, COUNT_OF(RARE))] : FREQUENT[random_below(random, COUNT_OF(FREQUENT))];
    size_t offset = random_below(random, 3);
    return boundary + offset == 0 ? 0 : boundary + offset - 1;
}

static size_t whole_pages_size(struct random *random) {
    return 4 * KIB * (1 + random_below(random, random_below(random, 16) == 0 ? 64 : 6));
}

size_t random_size(struct random *random, size_t size_max) {
    size_t dice = random_below(random, 100);
    size_t size;
    if (dice < 60)
        size = random_below(random, 257);
    else if (dice < 85)
        size = power_law_size(random);
    else if (dice < 98)
        size = boundary_size(random);
    else
        size = whole_pages_size(random);
    return smaller_of(size, size_max);
}
