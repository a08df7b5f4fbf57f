// SPDX-License-Identifier: MIT
/* seals.c: headers, canaries, links and boundary tags: what they say, and that no small damage goes unnoticed.
 *
 * The checks are 32 to 64 bits of a product with a secret, so a damage could in theory pass by chance; the tests here
 * try some ten thousand damages against 32-bit checks, a wrong alarm in some hundred thousand runs. */
#include "general/block.h"

#include "general/general_fast.h"
#include "heap/heap.h"
#include "support/random.h"
#include "support/test.h"

#define MEMORY_BYTES ((size_t)4 << 20)

static char *memory;

static const enum block_state STATES[] = {BLOCK_LIVE, BLOCK_QUICK, BLOCK_REMOTE, BLOCK_FREE, BLOCK_FENCE};

static void *block_at(size_t granule) {
    return memory + granule * GRANULE_BYTES;
}

static bool has_any_state(const void *block) {
    for (size_t i = 0; i < COUNT_OF(STATES); i++) {
        if (block_has_state(block, STATES[i]))
            return true;
    }
    return false;
}

/* ---- Places ------------------------------------------------------------------------------------------------------ */

TEST(the_places_around_a_block_are_where_the_picture_has_them) {
    char *block = block_at(10);
    assert_ptr_equal(block_header(block), block - 8);
    assert_ptr_equal(block_tail(block, 3), block + 48);
    assert_ptr_equal(block_behind(block, 3), block + 64);
    assert_ptr_equal(block_header(block_behind(block, 3)), block + 56); /* back to back: G1 */
    assert_ptr_equal(block_tail_in_front(block_behind(block, 3)), block_tail(block, 3));
    assert_ptr_equal(block_in_front(block_behind(block, 3), 3), block);
    assert_ptr_equal(block_behind(block, 0), block + 16);
}

/* ---- Headers ----------------------------------------------------------------------------------------------------- */

TEST(a_header_says_size_request_and_state_and_no_other_state) {
    for (uint32_t granules = 1; granules <= 4096; granules = granules * 3 / 2 + 1) {
        for (size_t request = 1; request <= GENERAL_SIZE_MAX; request = request * 2 + 3) {
            for (size_t i = 0; i < COUNT_OF(STATES); i++) {
                void *block = block_at(granules);
                block_write_header(block, size_fields(granules) | (uint32_t)(request - 1), STATES[i]);
                assert_int_equal(granules_in(block_header(block)->fields), granules);
                assert_int_equal(request_in(block_header(block)->fields), request);
                for (size_t j = 0; j < COUNT_OF(STATES); j++)
                    assert_int_equal(block_has_state(block, STATES[j]), i == j);
            }
        }
    }
}

TEST(a_change_of_state_keeps_the_fields_and_leads_from_each_state_to_each) {
    void *block = block_at(77);
    for (size_t i = 0; i < COUNT_OF(STATES); i++) {
        for (size_t j = 0; j < COUNT_OF(STATES); j++) {
            block_write_header(block, size_fields(33) | 499, STATES[i]);
            block_change_state(block, STATES[i], STATES[j]);
            assert_true(block_has_state(block, STATES[j]));
            assert_int_equal(granules_in(block_header(block)->fields), 33);
            assert_int_equal(request_in(block_header(block)->fields), 500);
        }
    }
}

TEST(any_single_bit_flipped_in_a_header_leaves_it_in_no_state) {
    for (size_t i = 0; i < COUNT_OF(STATES); i++) {
        for (size_t granule = 1; granule < 10; granule++) {
            void *block = block_at(granule);
            block_write_header(block, size_fields((uint32_t)granule) | 15, STATES[i]);
            for (uint32_t bit = 0; bit < 32; bit++) {
                block_header(block)->fields ^= 1u << bit;
                assert_false(has_any_state(block));
                block_header(block)->fields ^= 1u << bit;
                block_header(block)->check ^= 1u << bit;
                assert_false(has_any_state(block));
                block_header(block)->check ^= 1u << bit;
            }
            assert_true(block_has_state(block, STATES[i]));
        }
    }
}

TEST(the_codes_of_states_are_far_apart) {
    for (size_t i = 0; i < COUNT_OF(STATES); i++) {
        for (size_t j = 0; j < i; j++)
            assert_true(__builtin_popcount((uint32_t)STATES[i] ^ (uint32_t)STATES[j]) >= 8);
    }
}

TEST(a_header_copied_to_another_place_is_in_no_state_there) {
    void *block = block_at(100);
    block_write_header(block, size_fields(20) | 300, BLOCK_LIVE);
    for (size_t granule = 1; granule < 2000; granule++) {
        if (granule == 100)
            continue;
        *block_header(block_at(granule)) = *block_header(block);
        assert_false(has_any_state(block_at(granule)));
    }
}

TEST(zeroed_memory_and_memory_of_one_byte_hold_no_header) {
    static const unsigned char BYTES[] = {0x00, 0xFF, 0x41, 0x20, 0x5A};
    for (size_t i = 0; i < COUNT_OF(BYTES); i++) {
        memset(memory, BYTES[i], 300 * GRANULE_BYTES);
        for (size_t granule = 1; granule < 300; granule++)
            assert_false(has_any_state(block_at(granule)));
    }
}

/* ---- Canaries ---------------------------------------------------------------------------------------------------- */

TEST(a_block_made_live_has_header_and_canary_for_every_request) {
    for (size_t request = 1; request <= GENERAL_SIZE_MAX; request += request < 2000 ? 1 : 997) {
        void *block = block_at(3);
        uint32_t class_index = general_class_for(request);
        uint64_t fields = block_make_live(block, dam_general.size_fields_of_class[class_index], request);
        assert_true(block_has_state(block, BLOCK_LIVE));
        assert_int_equal(block_header(block)->fields, fields);
        assert_int_equal(request_in(block_header(block)->fields), request);
        assert_int_equal(granules_in(block_header(block)->fields), class_granules(class_index));
        assert_true(block_canary_is_intact(block));
        assert_int_equal(block_read_canary(block, request), block_seal(block, fields));
    }
}

TEST(the_canary_starts_right_behind_the_request_and_ends_within_the_block) {
    for (size_t request = 1; request <= 2000; request++) {
        char *block = block_at(3);
        memset(block - 8, 0, 3000);
        uint32_t class_index = general_class_for(request);
        block_make_live(block, dam_general.size_fields_of_class[class_index], request);
        assert_true(all_bytes_are(block, request, 0));
        size_t end = block_bytes_of_granules(class_granules(class_index)) + BLOCK_TAIL_BYTES;
        assert_true(request + 8 <= end);
        assert_true(all_bytes_are(block + request + 8, 2900 - request - 8, 0));
    }
}

/* A string's terminating zero, one byte too far. */
TEST(the_first_byte_of_a_canary_is_never_zero_whatever_block_and_request) {
    for (size_t granule = 1; granule < 100; granule++) {
        for (size_t request = 1; request < 1500; request += 7) {
            unsigned char *block = block_at(granule);
            block_make_live(block, dam_general.size_fields_of_class[general_class_for(request)], request);
            assert_int_equal(block[request] & 1, 1);
        }
    }
}

TEST(any_single_bit_flipped_in_a_canary_is_seen) {
    static const size_t REQUESTS[] = {1, 15, 16, 257, 1000, 65535, 65536};
    for (size_t i = 0; i < COUNT_OF(REQUESTS); i++) {
        unsigned char *block = block_at(9);
        block_make_live(block, dam_general.size_fields_of_class[general_class_for(REQUESTS[i])], REQUESTS[i]);
        for (size_t bit = 0; bit < 64; bit++) {
            block[REQUESTS[i] + bit / 8] ^= (unsigned char)(1u << bit % 8);
            assert_false(block_canary_is_intact(block));
            block[REQUESTS[i] + bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        assert_true(block_canary_is_intact(block));
    }
}

TEST(canaries_differ_from_block_to_block_and_from_request_to_request) {
    uint64_t first = block_seal(block_at(5), size_fields(20) | 300);
    for (size_t granule = 6; granule < 3000; granule++)
        assert_true(block_seal(block_at(granule), size_fields(20) | 300) != first);
    for (uint32_t request = 301; request < 320; request++)
        assert_true(block_seal(block_at(5), size_fields(20) | request) != first);
}

/* ---- Links ------------------------------------------------------------------------------------------------------- */

static const struct {
    void (*write)(void *block, void *next);
    bool (*is_intact)(const void *block);
} LINKS[] = {
    {block_write_quick_link, block_quick_link_is_intact},
    {block_write_remote_link, block_remote_link_is_intact},
};

TEST(a_link_is_intact_where_it_was_written_and_nowhere_else) {
    struct block_link *block = block_at(50);
    for (size_t i = 0; i < COUNT_OF(LINKS); i++) {
        LINKS[i].write(block, block_at(60));
        assert_true(LINKS[i].is_intact(block));
        assert_ptr_equal(block->next, block_at(60));
        memcpy(block_at(51), block, sizeof *block);
        assert_false(LINKS[i].is_intact(block_at(51)));
        LINKS[i].write(block, NULL);
        assert_true(LINKS[i].is_intact(block));
        assert_null(block->next);
    }
}

TEST(any_single_bit_flipped_in_a_link_or_its_check_is_seen) {
    struct block_link *block = block_at(50);
    for (size_t i = 0; i < COUNT_OF(LINKS); i++) {
        LINKS[i].write(block, block_at(60));
        for (uint32_t bit = 0; bit < 64; bit++) {
            uintptr_t next = (uintptr_t)block->next;
            block->next = (void *)(next ^ (uintptr_t)1 << bit); // NOLINT(performance-no-int-to-ptr)
            assert_false(LINKS[i].is_intact(block));
            block->next = (void *)next; // NOLINT(performance-no-int-to-ptr)
            block->check ^= (uint64_t)1 << bit;
            assert_false(LINKS[i].is_intact(block));
            block->check ^= (uint64_t)1 << bit;
        }
        assert_true(LINKS[i].is_intact(block));
    }
}

TEST(a_link_of_one_kind_is_none_of_another) {
    void *block = block_at(50);
    block_write_quick_link(block, block_at(60));
    assert_false(block_remote_link_is_intact(block));
    block_write_remote_link(block, block_at(60));
    assert_false(block_quick_link_is_intact(block));
    const struct link_secrets *const all[] = {&dam_general.remote_secrets, &dam_general.index_secrets,
                                              &dam_general.tag_secrets};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        for (size_t j = 0; j < COUNT_OF(all); j++)
            assert_int_equal(link_check(block, 5, all[i]) == link_check(block, 5, all[j]), i == j);
    }
}

/* What was read in one place, moved to another together with a change of the link that undoes the move. */
TEST(a_remote_link_moved_by_as_much_as_it_is_changed_is_none) {
    for (size_t granule = 1; granule < 1000; granule++) {
        struct block_link *block = block_at(50);
        struct block_link *other = block_at(50 + granule);
        block_write_remote_link(block, block_at(60));
        *other = *block;
        other->next = (char *)block->next - ((char *)other - (char *)block);
        assert_false(block_remote_link_is_intact(other));
    }
}

TEST(the_end_of_the_quick_lists_is_never_an_intact_link) {
    assert_false(block_quick_link_is_intact(&dam_quick_end));
}

/* ---- Boundary tags ----------------------------------------------------------------------------------------------- */

TEST(a_boundary_tag_gives_back_every_size_a_free_block_can_have) {
    uint64_t *tail = block_tail(block_at(40), 0);
    for (uint32_t granules = 0; granules < 1u << 18; granules++) {
        uint32_t read = ~0u;
        *tail = boundary_tag(tail, granules);
        assert_true(boundary_tag_read(tail, &read));
        assert_int_equal(read, granules);
    }
}

TEST(what_is_no_boundary_tag_is_not_taken_for_one) {
    struct random random = random_start(test_seed("unit.general.seals"), 0);
    uint64_t *tail = block_tail(block_at(40), 0);
    uint32_t granules;
    static const uint64_t COMMON[] = {0, 1, 16, UINT64_MAX, 0x2020202020202020, 0x4141414141414141};
    for (size_t i = 0; i < COUNT_OF(COMMON); i++) {
        *tail = COMMON[i];
        assert_false(boundary_tag_read(tail, &granules));
    }
    for (int i = 0; i < 100000; i++) { /* 40 bits of proof: 2^-40 each */
        *tail = random_next(&random);
        assert_false(boundary_tag_read(tail, &granules));
    }
}

TEST(any_single_bit_flipped_in_a_boundary_tag_is_seen) {
    uint64_t *tail = block_tail(block_at(40), 0);
    uint32_t read;
    for (uint32_t granules = 0; granules < 1u << 18; granules = granules * 2 + 5) {
        *tail = boundary_tag(tail, granules);
        for (uint32_t bit = 0; bit < 64; bit++) {
            *tail ^= (uint64_t)1 << bit;
            assert_false(boundary_tag_read(tail, &read));
            *tail ^= (uint64_t)1 << bit;
        }
    }
}

TEST(a_boundary_tag_copied_to_another_place_is_none_there) {
    uint64_t *tail = block_tail(block_at(40), 0);
    uint32_t granules;
    for (size_t granule = 41; granule < 2000; granule++) {
        uint64_t *other = block_tail(block_at(granule), 0);
        *other = boundary_tag(tail, 25);
        assert_false(boundary_tag_read(other, &granules));
    }
}

static int start(void **state) {
    (void)state;
    dam_start();
    memory = aligned_alloc(SLICE_BYTES, MEMORY_BYTES);
    if (memory == NULL)
        return -1;
    memset(memory, 0, MEMORY_BYTES);
    return 0;
}

static int end(void **state) {
    (void)state;
    free(memory);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_places_around_a_block_are_where_the_picture_has_them),
        cmocka_unit_test(a_header_says_size_request_and_state_and_no_other_state),
        cmocka_unit_test(a_change_of_state_keeps_the_fields_and_leads_from_each_state_to_each),
        cmocka_unit_test(any_single_bit_flipped_in_a_header_leaves_it_in_no_state),
        cmocka_unit_test(the_codes_of_states_are_far_apart),
        cmocka_unit_test(a_header_copied_to_another_place_is_in_no_state_there),
        cmocka_unit_test(zeroed_memory_and_memory_of_one_byte_hold_no_header),
        cmocka_unit_test(a_block_made_live_has_header_and_canary_for_every_request),
        cmocka_unit_test(the_canary_starts_right_behind_the_request_and_ends_within_the_block),
        cmocka_unit_test(the_first_byte_of_a_canary_is_never_zero_whatever_block_and_request),
        cmocka_unit_test(any_single_bit_flipped_in_a_canary_is_seen),
        cmocka_unit_test(canaries_differ_from_block_to_block_and_from_request_to_request),
        cmocka_unit_test(a_link_is_intact_where_it_was_written_and_nowhere_else),
        cmocka_unit_test(any_single_bit_flipped_in_a_link_or_its_check_is_seen),
        cmocka_unit_test(a_link_of_one_kind_is_none_of_another),
        cmocka_unit_test(a_remote_link_moved_by_as_much_as_it_is_changed_is_none),
        cmocka_unit_test(the_end_of_the_quick_lists_is_never_an_intact_link),
        cmocka_unit_test(a_boundary_tag_gives_back_every_size_a_free_block_can_have),
        cmocka_unit_test(what_is_no_boundary_tag_is_not_taken_for_one),
        cmocka_unit_test(any_single_bit_flipped_in_a_boundary_tag_is_seen),
        cmocka_unit_test(a_boundary_tag_copied_to_another_place_is_none_there),
    };
    return cmocka_run_group_tests(tests, start, end);
}
