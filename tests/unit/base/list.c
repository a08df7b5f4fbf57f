// SPDX-License-Identifier: MIT
/* list.c: the order of a list after each way to change it, read in both directions. */
#include "base/list.h"
#include "support/test.h"

#define NODE_COUNT 4

static struct list head;
static struct list nodes[NODE_COUNT];

static int start_empty(void **state) {
    (void)state;
    list_init(&head);
    for (size_t i = 0; i < NODE_COUNT; i++)
        list_init(&nodes[i]);
    return 0;
}

/* The list holds exactly these nodes, by number, forwards and backwards. */
static void assert_order(const char *digits) {
    size_t count = strlen(digits);
    const struct list *link = &head;
    for (size_t i = 0; i < count; i++) {
        const struct list *node = &nodes[digits[i] - '0'];
        assert_ptr_equal(link->next, node);
        assert_ptr_equal(node->previous, link);
        link = node;
    }
    assert_ptr_equal(link->next, &head);
    assert_ptr_equal(head.previous, link);
    assert_int_equal(list_is_empty(&head), count == 0);
}

static void push_last_all(void) {
    for (size_t i = 0; i < NODE_COUNT; i++)
        list_push_last(&head, &nodes[i]);
}

TEST(a_head_that_points_at_itself_is_an_empty_list) {
    assert_order("");
}

TEST(pushing_first_puts_the_newest_in_front) {
    list_push_first(&head, &nodes[0]);
    assert_order("0");
    list_push_first(&head, &nodes[1]);
    list_push_first(&head, &nodes[2]);
    assert_order("210");
}

TEST(pushing_last_keeps_the_order_of_arrival) {
    push_last_all();
    assert_order("0123");
}

TEST(inserting_after_a_node_puts_the_new_one_right_behind_it) {
    list_push_last(&head, &nodes[0]);
    list_push_last(&head, &nodes[1]);
    list_insert_after(&nodes[0], &nodes[2]);
    assert_order("021");
    list_insert_after(&nodes[1], &nodes[3]);
    assert_order("0213");
}

TEST(unlinking_the_first_the_last_and_one_between_leaves_the_others_in_order) {
    push_last_all();
    list_unlink(&nodes[1]);
    assert_order("023");
    list_unlink(&nodes[0]);
    assert_order("23");
    list_unlink(&nodes[3]);
    assert_order("2");
    list_unlink(&nodes[2]);
    assert_order("");
}

TEST(unlinking_twice_does_no_harm) {
    push_last_all();
    list_unlink(&nodes[2]);
    list_unlink(&nodes[2]);
    assert_order("013");
    assert_true(list_is_empty(&nodes[2]));
    list_push_first(&head, &nodes[2]);
    assert_order("2013");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_head_that_points_at_itself_is_an_empty_list, start_empty),
        cmocka_unit_test_setup(pushing_first_puts_the_newest_in_front, start_empty),
        cmocka_unit_test_setup(pushing_last_keeps_the_order_of_arrival, start_empty),
        cmocka_unit_test_setup(inserting_after_a_node_puts_the_new_one_right_behind_it, start_empty),
        cmocka_unit_test_setup(unlinking_the_first_the_last_and_one_between_leaves_the_others_in_order, start_empty),
        cmocka_unit_test_setup(unlinking_twice_does_no_harm, start_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
