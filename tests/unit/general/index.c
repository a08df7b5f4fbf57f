// SPDX-License-Identifier: MIT
/* index.c: the free index by itself, on memory that no heap has: blocks go in and come out by class, and damage to what they
 * hold is found.
 *
 * A descriptor made by hand stands for the pool, and is entered in the pool map, since reports look it up there. The blocks
 * here do not lie back to back: the index does not care. */
#include "general/free_index.h"

#include "general/block.h"
#include "heap/heap.h"
#include "os/os.h"
#include "pool/pool_map.h"
#include "support/random.h"
#include "unit/support/expect_abort.h"

#define MEMORY_BYTES ((size_t)4 << 20)
#define GRANULE_COUNT ((uint32_t)(MEMORY_BYTES >> GRANULE_SHIFT))

static struct pool pool;
static struct free_index free_index;

static char *block_at(uint32_t granule) {
    return pool_start(&pool) + ((size_t)granule << GRANULE_SHIFT);
}

static uint32_t granule_of(const void *block) {
    return (uint32_t)(pool_offset(&pool, block) >> GRANULE_SHIFT);
}

static void insert(uint32_t at, uint32_t granules) {
    dam_index_insert(&free_index, &pool, block_at(at), granules);
}

/* The granule that the block taken starts at, or 0. */
static uint32_t take(uint32_t class_index, uint32_t *granules) {
    const void *block = dam_index_take(&free_index, &pool, class_index, granules);
    return block == NULL ? 0 : granule_of(block);
}

static int start_empty(void **state) {
    (void)state;
    memset(&free_index, 0, sizeof free_index);
    assert_int_equal(dam_index_verify(&free_index, &pool), 0);
    return 0;
}

/* I1 to I3. */
static int end_sound(void **state) {
    (void)state;
    return dam_index_verify(&free_index, &pool) == 0 ? 0 : -1;
}

/* ---- In and out -------------------------------------------------------------------------------------------------- */

TEST(an_inserted_block_is_marked_free_at_both_ends_and_counted) { /* I3 */
    uint32_t granules;
    insert(10, 25);
    assert_true(block_has_state(block_at(10), BLOCK_FREE));
    assert_int_equal(block_header(block_at(10))->fields, 25);
    assert_true(boundary_tag_read(block_tail(block_at(10), 25), &granules));
    assert_int_equal(granules, 25);
    assert_int_equal(free_index.free_granules, 25);
    insert(100, 7);
    assert_int_equal(free_index.free_granules, 32);
    dam_index_remove(&free_index, &pool, block_at(10), 25);
    assert_int_equal(free_index.free_granules, 7);
}

TEST(what_is_taken_is_what_was_inserted_once) { /* I1 */
    uint32_t granules;
    insert(50, 40);
    assert_int_equal(take(1, &granules), 50);
    assert_int_equal(granules, 40);
    assert_int_equal(free_index.free_granules, 0);
    assert_int_equal(take(1, &granules), 0);
}

/* Good fit: every block of the class found is large enough, so none need be looked at. */
TEST(a_block_serves_exactly_the_classes_that_it_fills) {
    for (uint32_t granules = 1; granules < GRANULE_COUNT - 100; granules += 1 + granules / 20) {
        uint32_t own_class = class_of_block(granules);
        for (uint32_t class_index = 1; class_index < GENERAL_CLASS_COUNT; class_index++) {
            uint32_t taken;
            insert(64, granules);
            if (class_index <= own_class) {
                assert_int_equal(take(class_index, &taken), 64);
                assert_int_equal(taken, granules);
                assert_true(taken >= class_granules(class_index));
            } else {
                assert_int_equal(take(class_index, &taken), 0);
                dam_index_remove(&free_index, &pool, block_at(64), granules);
            }
        }
    }
}

TEST(of_several_that_would_do_one_of_the_smallest_class_is_taken) {
    static const uint32_t SIZES[] = {5000, 17, 300, 64, 18, 31, 40000, 1000, 33, 32};
    static const uint32_t ASCENDING[] = {17, 18, 31, 32, 33, 64, 300, 1000, 5000, 40000};
    uint32_t at = 64;
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        insert(at, SIZES[i]);
        at += SIZES[i] + 100;
    }
    for (size_t i = 0; i < COUNT_OF(ASCENDING); i++) {
        uint32_t granules;
        assert_true(take(1, &granules) != 0);
        /* 32 and 33 share a class; which of them comes first is left open */
        if (ASCENDING[i] == 32 || ASCENDING[i] == 33)
            assert_in_range(granules, 32, 33);
        else
            assert_int_equal(granules, ASCENDING[i]);
    }
}

TEST(within_a_class_the_block_inserted_last_is_taken_first) {
    uint32_t granules;
    insert(100, 20);
    insert(200, 20);
    insert(300, 20);
    assert_int_equal(take(20, &granules), 300);
    assert_int_equal(take(20, &granules), 200);
    assert_int_equal(take(20, &granules), 100);
    assert_int_equal(take(20, &granules), 0);
}

TEST(a_block_can_be_removed_from_the_beginning_the_middle_and_the_end_of_its_list) {
    static const uint32_t ORDERS[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t i = 0; i < COUNT_OF(ORDERS); i++) {
        for (uint32_t j = 0; j < 3; j++)
            insert(100 + 100 * j, 20);
        for (size_t j = 0; j < 3; j++) {
            dam_index_remove(&free_index, &pool, block_at(100 + 100 * ORDERS[i][j]), 20);
            assert_int_equal(dam_index_verify(&free_index, &pool), 0);
            assert_int_equal(free_index.free_granules, 20 * (2 - j));
        }
        assert_int_equal(dam_index_largest_class(&free_index), 0);
    }
}

TEST(a_block_without_a_payload_is_free_but_on_no_list) { /* I1 */
    uint32_t granules;
    insert(10, 0);
    assert_true(block_has_state(block_at(10), BLOCK_FREE));
    assert_true(boundary_tag_read(block_tail(block_at(10), 0), &granules));
    assert_int_equal(granules, 0);
    assert_int_equal(free_index.free_granules, 0);
    assert_int_equal(dam_index_largest_class(&free_index), 0);
    assert_int_equal(take(1, &granules), 0);
    dam_index_remove(&free_index, &pool, block_at(10), 0);
    assert_int_equal(free_index.free_granules, 0);
}

TEST(the_largest_class_is_that_of_the_largest_block) { /* I2 */
    assert_int_equal(dam_index_largest_class(&free_index), 0);
    uint32_t at = 64;
    for (uint32_t granules = 1; at + granules < GRANULE_COUNT; granules = granules * 3 / 2 + 1) {
        insert(at, granules);
        assert_int_equal(dam_index_largest_class(&free_index), class_of_block(granules));
        at += granules + 2;
    }
    uint32_t granules;
    insert(20, 1);
    assert_true(dam_index_largest_class(&free_index) > 1);
    while (take(2, &granules) != 0)
        continue;
    assert_int_equal(dam_index_largest_class(&free_index), 1);
}

TEST(a_class_is_marked_while_and_only_while_its_list_holds_a_block) { /* I2 */
    for (uint32_t class_index = 1; class_granules(class_index) < GRANULE_COUNT - 10; class_index++) {
        uint32_t granules = class_granules(class_index);
        uint32_t row = class_index / CLASS_STEPS;
        insert(5, granules);
        assert_int_equal(free_index.row_bits, 1u << row);
        assert_int_equal(free_index.class_bits[row], 1u << class_index % CLASS_STEPS);
        assert_int_equal(free_index.first[class_index], 5);
        dam_index_remove(&free_index, &pool, block_at(5), granules);
        assert_int_equal(free_index.row_bits, 0);
        assert_int_equal(free_index.class_bits[row], 0);
        assert_int_equal(free_index.first[class_index], 0);
    }
}

/* ---- Many blocks, against a plain list of them ------------------------------------------------------------------- */

#define PLACE_COUNT 200
#define PLACE_GRANULES 1000

TEST(the_index_agrees_with_a_plain_list_of_what_is_in_it) {
    struct random random = random_start(test_seed("unit.general.index"), 0);
    uint32_t sizes[PLACE_COUNT] = {0}; /* of the block at place i; 0: none */
    uint32_t total = 0;
    for (int round = 0; round < 20000; round++) {
        uint32_t place = (uint32_t)random_below(&random, PLACE_COUNT);
        uint32_t at = 10 + place * PLACE_GRANULES;
        uint32_t wanted = 1 + (uint32_t)random_below(&random, random_below(&random, 2) == 0 ? 60 : PLACE_GRANULES - 2);
        if (sizes[place] == 0) {
            sizes[place] = wanted;
            total += wanted;
            insert(at, wanted);
        } else if (random_below(&random, 2) == 0) {
            dam_index_remove(&free_index, &pool, block_at(at), sizes[place]);
            total -= sizes[place];
            sizes[place] = 0;
        } else {
            uint32_t class_index = class_holding(wanted);
            uint32_t best_class = GENERAL_CLASS_COUNT;
            for (size_t i = 0; i < PLACE_COUNT; i++) {
                uint32_t class_of = sizes[i] == 0 ? 0 : class_of_block(sizes[i]);
                if (class_of >= class_index && class_of < best_class)
                    best_class = class_of;
            }
            uint32_t granules;
            uint32_t taken = take(class_index, &granules);
            assert_int_equal(taken != 0, best_class != GENERAL_CLASS_COUNT);
            if (taken != 0) {
                uint32_t taken_place = (taken - 10) / PLACE_GRANULES;
                assert_int_equal(granules, sizes[taken_place]);
                assert_int_equal(class_of_block(granules), best_class);
                total -= granules;
                sizes[taken_place] = 0;
            }
        }
        assert_int_equal(free_index.free_granules, total);
        if (round % 100 == 0)
            assert_int_equal(dam_index_verify(&free_index, &pool), 0);
    }
}

/* ---- Damage that the verifier finds ------------------------------------------------------------------------------ */

/* As free_index.c has it at a free block's start. */
struct index_links {
    uint32_t next;
    uint32_t previous;
    uint64_t check;
};

static struct index_links *links_at(uint32_t granule) {
    return (void *)block_at(granule);
}

#define ASSERT_FOUND(break_it, mend_it)                                                                                \
    do {                                                                                                               \
        break_it;                                                                                                      \
        assert_true(dam_index_verify(&free_index, &pool) > 0);                                                              \
        mend_it;                                                                                                       \
        assert_int_equal(dam_index_verify(&free_index, &pool), 0);                                                          \
    } while (0)

static void insert_three(void) {
    insert(100, 20);
    insert(200, 20);
    insert(300, 20); /* the list is 300, 200, 100 */
    insert(400, 500);
}

TEST(the_verifier_finds_damaged_links) { /* I1 */
    insert_three();
    for (uint32_t at = 100; at <= 400; at += 100) {
        ASSERT_FOUND(links_at(at)->next ^= 1, links_at(at)->next ^= 1);
        ASSERT_FOUND(links_at(at)->previous ^= 1, links_at(at)->previous ^= 1);
        ASSERT_FOUND(links_at(at)->check ^= 1, links_at(at)->check ^= 1);
    }
}

TEST(the_verifier_finds_a_list_whose_links_are_intact_but_do_not_meet) { /* I1 */
    insert_three();
    struct index_links good = *links_at(200);
    struct index_links wrong = {.next = 100, .previous = 0};
    wrong.check = link_check(links_at(200), (uint64_t)wrong.previous << 32 | wrong.next, &dam_general.index_secrets);
    ASSERT_FOUND(*links_at(200) = wrong, *links_at(200) = good);
    wrong = (struct index_links){.next = 300, .previous = 300}; /* a circle */
    wrong.check = link_check(links_at(200), (uint64_t)wrong.previous << 32 | wrong.next, &dam_general.index_secrets);
    ASSERT_FOUND(*links_at(200) = wrong, *links_at(200) = good);
    wrong = (struct index_links){.next = GRANULE_COUNT, .previous = 300}; /* out of the pool */
    wrong.check = link_check(links_at(200), (uint64_t)wrong.previous << 32 | wrong.next, &dam_general.index_secrets);
    ASSERT_FOUND(*links_at(200) = wrong, *links_at(200) = good);
}

TEST(the_verifier_finds_a_block_on_a_list_that_is_not_free_or_of_another_class) { /* I1 */
    insert_three();
    ASSERT_FOUND(block_change_state(block_at(200), BLOCK_FREE, BLOCK_LIVE),
                 block_change_state(block_at(200), BLOCK_LIVE, BLOCK_FREE));
    ASSERT_FOUND(block_write_header(block_at(200), 21, BLOCK_FREE), block_write_header(block_at(200), 20, BLOCK_FREE));
    ASSERT_FOUND(block_header(block_at(200))->check ^= 4, block_header(block_at(200))->check ^= 4);
}

TEST(the_verifier_finds_bits_that_do_not_match_their_lists) { /* I2 */
    insert_three();
    uint32_t row = class_of_block(500) / CLASS_STEPS;
    ASSERT_FOUND(free_index.row_bits ^= 1u << row, free_index.row_bits ^= 1u << row);
    ASSERT_FOUND(free_index.row_bits ^= 1u << 12, free_index.row_bits ^= 1u << 12);
    uint16_t good = free_index.class_bits[row];
    ASSERT_FOUND(free_index.class_bits[row] = 0, free_index.class_bits[row] = good);
    ASSERT_FOUND(free_index.class_bits[row] = (uint16_t)~good, free_index.class_bits[row] = good);
    uint32_t first = free_index.first[20];
    ASSERT_FOUND(free_index.first[20] = 0, free_index.first[20] = first);
    ASSERT_FOUND(free_index.first[20] = 200, free_index.first[20] = first);
    ASSERT_FOUND(free_index.first[21] = 100, free_index.first[21] = 0);
    ASSERT_FOUND(free_index.first[21] = GRANULE_COUNT + 5, free_index.first[21] = 0);
}

/* ---- Damage that is reported when it is come upon ----------------------------------------------------------------- */

static struct text damaged_free_block_report(uint32_t granule, uint32_t granules) {
    const void *block = block_at(granule);
    struct text text = report_of("write to a free block", "reuse", block);
    report_pool(&text, MEMORY_BYTES, pool_start(&pool), "general");
    report_block(&text, block, "%zu bytes, free", block_bytes_of_granules(granules));
    report_hint(&text, HINT_WRITE_AFTER_FREE);
    return text;
}

static void remove_damaged(void *argument) {
    *(volatile uint32_t *)argument ^= 0x100;
    dam_index_remove(&free_index, &pool, argument, 20);
}

TEST(taking_out_a_block_that_was_written_to_is_reported) {
    insert_three();
    struct text expected = damaged_free_block_report(200, 20);
    expect_abort_saying(remove_damaged, block_at(200), &expected);
    expected = damaged_free_block_report(300, 20);
    expect_abort_saying(remove_damaged, block_at(300), &expected);
}

static void remove_beside_damaged(void *argument) {
    *(volatile uint32_t *)argument ^= 0x100;
    dam_index_remove(&free_index, &pool, block_at(200), 20);
}

TEST(taking_out_a_block_whose_neighbour_on_the_list_was_written_to_is_reported) {
    insert_three();
    struct text expected = damaged_free_block_report(100, 20);
    expect_abort_saying(remove_beside_damaged, block_at(100), &expected);
    expected = damaged_free_block_report(300, 20);
    expect_abort_saying(remove_beside_damaged, block_at(300), &expected);
}

static void insert_before_damaged(void *argument) {
    *(volatile uint32_t *)argument ^= 0x100;
    insert(600, 20);
}

TEST(inserting_in_front_of_a_block_that_was_written_to_is_reported) {
    insert_three();
    struct text expected = damaged_free_block_report(300, 20);
    expect_abort_saying(insert_before_damaged, block_at(300), &expected);
}

static void damage_tag(void *block, uint32_t granules) {
    *(volatile uint64_t *)block_tail(block, granules) ^= (uint64_t)1 << 40;
}

static void remove_with_damaged_tag(void *argument) {
    damage_tag(argument, 20);
    dam_index_remove(&free_index, &pool, argument, 20);
}

static void take_with_damaged_tag(void *argument) {
    uint32_t granules;
    damage_tag(argument, 20);
    take(20, &granules);
}

TEST(taking_out_a_block_whose_last_word_was_written_to_is_reported) { /* G4 */
    insert_three();
    struct text expected = damaged_free_block_report(200, 20);
    expect_abort_saying(remove_with_damaged_tag, block_at(200), &expected);
    expected = damaged_free_block_report(300, 20); /* the list's first */
    expect_abort_saying(remove_with_damaged_tag, block_at(300), &expected);
    expect_abort_saying(take_with_damaged_tag, block_at(300), &expected);
}

static void remove_smallest_with_damaged_tag(void *argument) {
    damage_tag(argument, 0);
    dam_index_remove(&free_index, &pool, argument, 0);
}

TEST(the_last_word_of_a_block_without_a_payload_is_looked_at_too) {
    insert(700, 0);
    struct text expected = damaged_free_block_report(700, 0);
    expect_abort_saying(remove_smallest_with_damaged_tag, block_at(700), &expected);
}

static void take_with_damaged_header(void *argument) {
    uint32_t granules;
    block_header(argument)->fields ^= 1;
    take(20, &granules);
}

TEST(taking_a_block_whose_header_was_written_to_is_reported_as_a_damaged_header) {
    insert_three();
    const char *block = block_at(300);
    struct text expected = report_of("damaged block header", "reuse", block);
    report_pool(&expected, MEMORY_BYTES, pool_start(&pool), "general");
    report_block(&expected, block, "0 bytes, header damaged");
    report_words(&expected, block_check_for(block, 21, BLOCK_LIVE), block_check_for(block, 20, BLOCK_FREE));
    report_hint(&expected, HINT_HEADER);
    expect_abort_saying(take_with_damaged_header, block_at(300), &expected);
}

static int start(void **state) {
    (void)state;
    dam_start();
    char *memory = dam_os_map(MEMORY_BYTES, SLICE_BYTES);
    if (memory == NULL)
        return -1;
    pool = (struct pool){.start = (uintptr_t)memory, .bytes = MEMORY_BYTES, .layer = LAYER_GENERAL};
    if (!dam_pool_map_prepare(pool.start, pool.bytes))
        return -1;
    dam_pool_map_set(pool.start, pool.bytes, &pool);
    return 0;
}

int main(void) {
#define WITH_EMPTY_INDEX(test) cmocka_unit_test_setup_teardown(test, start_empty, end_sound)
    const struct CMUnitTest tests[] = {
        WITH_EMPTY_INDEX(an_inserted_block_is_marked_free_at_both_ends_and_counted),
        WITH_EMPTY_INDEX(what_is_taken_is_what_was_inserted_once),
        WITH_EMPTY_INDEX(a_block_serves_exactly_the_classes_that_it_fills),
        WITH_EMPTY_INDEX(of_several_that_would_do_one_of_the_smallest_class_is_taken),
        WITH_EMPTY_INDEX(within_a_class_the_block_inserted_last_is_taken_first),
        WITH_EMPTY_INDEX(a_block_can_be_removed_from_the_beginning_the_middle_and_the_end_of_its_list),
        WITH_EMPTY_INDEX(a_block_without_a_payload_is_free_but_on_no_list),
        WITH_EMPTY_INDEX(the_largest_class_is_that_of_the_largest_block),
        WITH_EMPTY_INDEX(a_class_is_marked_while_and_only_while_its_list_holds_a_block),
        WITH_EMPTY_INDEX(the_index_agrees_with_a_plain_list_of_what_is_in_it),
        WITH_EMPTY_INDEX(the_verifier_finds_damaged_links),
        WITH_EMPTY_INDEX(the_verifier_finds_a_list_whose_links_are_intact_but_do_not_meet),
        WITH_EMPTY_INDEX(the_verifier_finds_a_block_on_a_list_that_is_not_free_or_of_another_class),
        WITH_EMPTY_INDEX(the_verifier_finds_bits_that_do_not_match_their_lists),
        WITH_EMPTY_INDEX(taking_out_a_block_that_was_written_to_is_reported),
        WITH_EMPTY_INDEX(taking_out_a_block_whose_neighbour_on_the_list_was_written_to_is_reported),
        WITH_EMPTY_INDEX(inserting_in_front_of_a_block_that_was_written_to_is_reported),
        WITH_EMPTY_INDEX(taking_out_a_block_whose_last_word_was_written_to_is_reported),
        WITH_EMPTY_INDEX(the_last_word_of_a_block_without_a_payload_is_looked_at_too),
        WITH_EMPTY_INDEX(taking_a_block_whose_header_was_written_to_is_reported_as_a_damaged_header),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
