// SPDX-License-Identifier: MIT
/* shared.c: the list of pools that were left behind: what is on it, what is claimed from it, and its stale entries. */
#include "pool/shared_pools.h"

#include "pool/ownership.h"
#include "region/central.h"
#include "support/test.h"
#include "support/watchdog.h"
#include "unit/support/threads.h"

#define POOL_COUNT 3
#define POOL_BYTES ((size_t)256)

static struct pool pools[POOL_COUNT];
static char memory[POOL_COUNT][POOL_BYTES] __attribute__((aligned(64)));
static struct list shared;

static void write_link(struct pool *pool, void *block, void *next) {
    (void)pool;
    *(void **)block = next;
}

static bool push_on(size_t number) {
    return dam_pool_push_remote(&pools[number], memory[number], write_link);
}

/* The list holds exactly these pools, by number. */
static void assert_listed(const char *digits) {
    const struct list *link = shared.next;
    for (; *digits != '\0'; digits++, link = link->next)
        assert_ptr_equal(link, &pools[*digits - '0'].shared_link);
    assert_ptr_equal(link, &shared);
}

static int start_owned(void **state) {
    (void)state;
    list_init(&shared);
    for (size_t i = 0; i < POOL_COUNT; i++) {
        pools[i] = (struct pool){.start = (uintptr_t)memory[i], .bytes = POOL_BYTES};
        list_init(&pools[i].shared_link);
        dam_pool_own_new(&pools[i]);
    }
    return 0;
}

TEST(a_shared_pool_is_nobodys_and_listed) { /* T4 */
    assert_true(dam_pool_share(&shared, &pools[0]));
    assert_true(pools[0].shared);
    assert_int_equal(atomic_load(&pools[0].remote), 0);
    assert_listed("0");
}

TEST(a_claimed_pool_is_the_claimers_and_off_the_list) {
    dam_pool_share(&shared, &pools[0]);
    dam_pool_share(&shared, &pools[1]);
    assert_listed("10");
    assert_ptr_equal(dam_pool_claim_shared(&shared), &pools[1]);
    assert_listed("0");
    assert_false(pools[1].shared);
    assert_true(remote_is_owned(atomic_load(&pools[1].remote)));
    assert_ptr_equal(dam_pool_claim_shared(&shared), &pools[0]);
    assert_null(dam_pool_claim_shared(&shared));
    assert_listed("");
}

TEST(a_pool_to_which_blocks_have_come_is_not_shared_and_stays_its_owners) {
    push_on(0);
    assert_false(dam_pool_share(&shared, &pools[0]));
    assert_listed("");
    assert_false(pools[0].shared);
    assert_int_equal(dam_pool_remote_count(&pools[0]), 1);
    assert_true(remote_is_owned(atomic_load(&pools[0].remote)));
}

TEST(an_entry_whose_pool_somebody_took_over_is_dropped_by_the_next_claimer) {
    for (size_t i = 0; i < POOL_COUNT; i++)
        dam_pool_share(&shared, &pools[i]);
    assert_true(push_on(2));
    assert_true(push_on(1));
    assert_listed("210");
    assert_ptr_equal(dam_pool_claim_shared(&shared), &pools[0]);
    assert_listed("");
    for (size_t i = 0; i < POOL_COUNT; i++)
        assert_false(pools[i].shared);
    assert_int_equal(dam_pool_remote_count(&pools[2]), 1);
}

TEST(a_pool_that_is_shared_again_while_its_old_entry_stands_is_listed_once) {
    dam_pool_share(&shared, &pools[0]);
    dam_pool_share(&shared, &pools[1]);
    assert_true(push_on(0)); /* taken over, entry left */
    dam_pool_take_remote(&pools[0]);
    assert_true(dam_pool_share(&shared, &pools[0]));
    assert_listed("10");
    assert_ptr_equal(dam_pool_claim_shared(&shared), &pools[1]);
    assert_ptr_equal(dam_pool_claim_shared(&shared), &pools[0]);
    assert_null(dam_pool_claim_shared(&shared));
}

TEST(a_retiring_pool_is_taken_off_whatever_list_it_is_on) {
    for (size_t i = 0; i < POOL_COUNT; i++)
        dam_pool_share(&shared, &pools[i]);
    dam_central_enter();
    dam_pool_unshare(&pools[1]);
    dam_pool_unshare(&pools[1]); /* and no harm done when it is on none */
    dam_central_leave();
    assert_false(pools[1].shared);
    assert_listed("20");
}

/* ---- While a fork has frozen the lock ---------------------------------------------------------------------------- */

struct freeze {
    struct event frozen;
    struct event thaw;
};

static void *freeze_central(void *argument) {
    struct freeze *freeze = argument;
    dam_lock_freeze(&dam_central_lock);
    event_raise(&freeze->frozen);
    event_wait(&freeze->thaw);
    dam_lock_thaw(&dam_central_lock);
    return NULL;
}

TEST(while_the_lock_is_frozen_a_pool_is_let_go_unlisted_and_none_is_claimed) {
    struct freeze freeze = {0};
    dam_pool_share(&shared, &pools[0]);
    pthread_t freezer = thread_start(freeze_central, &freeze);
    event_wait(&freeze.frozen);
    bool let_go = dam_pool_share(&shared, &pools[1]);
    push_on(2);
    bool let_go_with_blocks = dam_pool_share(&shared, &pools[2]);
    const struct pool *claimed = dam_pool_claim_shared(&shared);
    event_raise(&freeze.thaw);
    thread_join(freezer);
    assert_true(let_go);
    assert_int_equal(atomic_load(&pools[1].remote), 0);
    assert_false(pools[1].shared);
    assert_false(let_go_with_blocks);
    assert_null(claimed);
    assert_listed("0");
    assert_true(push_on(1)); /* the next free finds it */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_shared_pool_is_nobodys_and_listed, start_owned),
        cmocka_unit_test_setup(a_claimed_pool_is_the_claimers_and_off_the_list, start_owned),
        cmocka_unit_test_setup(a_pool_to_which_blocks_have_come_is_not_shared_and_stays_its_owners, start_owned),
        cmocka_unit_test_setup(an_entry_whose_pool_somebody_took_over_is_dropped_by_the_next_claimer, start_owned),
        cmocka_unit_test_setup(a_pool_that_is_shared_again_while_its_old_entry_stands_is_listed_once, start_owned),
        cmocka_unit_test_setup(a_retiring_pool_is_taken_off_whatever_list_it_is_on, start_owned),
        cmocka_unit_test_setup(while_the_lock_is_frozen_a_pool_is_let_go_unlisted_and_none_is_claimed, start_owned),
    };
    watchdog_start("unit.pool.shared");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
