// SPDX-License-Identifier: MIT
/* list.h: a circular doubly linked list, threaded through the structures it links.
 *
 *   head <-> first <-> ... <-> last <-> head        An empty list is a head that points at itself.
 *
 * A node that is on no list points at itself too, so unlinking twice does no harm. */
#ifndef DAM_BASE_LIST_H
#define DAM_BASE_LIST_H

#include <stdbool.h>

struct list {
    struct list *next;
    struct list *previous;
};

static inline void list_init(struct list *node) {
    node->next = node;
    node->previous = node;
}

static inline bool list_is_empty(const struct list *head) {
    return head->next == head;
}

static inline void list_insert_after(struct list *place, struct list *node) {
    node->next = place->next;
    node->previous = place;
    place->next->previous = node;
    place->next = node;
}

static inline void list_push_first(struct list *head, struct list *node) {
    list_insert_after(head, node);
}

static inline void list_push_last(struct list *head, struct list *node) {
    list_insert_after(head->previous, node);
}

static inline void list_unlink(struct list *node) {
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}

#endif
