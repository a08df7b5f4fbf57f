/* SPDX-License-Identifier: MIT */
/*
 * ownership.pml: who may touch a pool, and when. A model of the protocol for spin, searched exhaustively.
 *
 *               new_pool                              let_go (full), share (partly used: listed too)
 *    no pool ------------> owned by one thread -----------------------------------------------------> nobody's
 *       ^                   |          ^   ^                                                           |   |
 *       |   retire          |          |   |   push_remote: a freer finds no owner                     |   |
 *       +-------------------+          |   +-----------------------------------------------------------+   |
 *         (no live block)              |       claim_shared: a heap in need finds it on the shared list    |
 *                                      +-------------------------------------------------------------------+
 *
 * The program that runs on the allocator is the most general correct one: any thread may at any moment ask for a
 * block, free any block that is held (no matter who asked for it), give up its heap, start a new one, or stop. How a
 * block got from one thread to another does not matter to the allocator, so there is no such step. The policy of a
 * heap (when it looks at the remote stack, which of its pools it uses, when it lets one go, whether it keeps an empty
 * one) is left open likewise: it may do at any moment whatever the protocol allows. Nothing bounds the number of
 * operations: the states are finite because pools and blocks are.
 *
 * Grain. One step is one access to memory that two threads may reach: a load, a store, a compare-and-swap, an exchange,
 * a lock taken or given back. A step may also hold, beside its one shared access, work that nobody else can see:
 *   - on fields that only the holder of the OWNED bit touches (each such step asserts that the thread is the holder),
 *   - on a block that only this thread can reach (its `next` word before the push, or after the exchange),
 *   - on what the central lock protects, while it is held (asserted); a critical section with nothing else in it is one
 *     step, one that touches an ownership word is several,
 *   - on ghosts: variables that exist in the model alone, to state a property. They are marked so.
 *
 * Rules, checked in every state that is reached:
 *   O1   At most one thread holds a pool.                                                              become_holder
 *   O2   Plain fields of a pool are touched by its holder alone, and no other heap lists it.       check_mine, adopt
 *   O3   Every block is in one place: with the program, in the private list of its pool, on the remote stack of its
 *        pool, or in the hands of one thread inside free; the lists hold exactly those, once each.       check_lists
 *   O4   Nobody reaches for a descriptor that has been given back, or for its successor in its place.    give_memory
 *   O5   A pool is retired only when every one of its blocks is free.                                         retire
 *   O6   A pool that nobody owns is full, or it stands on the shared list; or it was let go
 *        during a fork, when there was no getting at that list.                                   check_can_be_found
 *   O7   A pool that nobody owns has an empty remote stack.                                              check_lists
 *   O8   The hint `owner` names a thread only while that thread holds the pool.                          check_lists
 *   O9   When all heaps are gone and all blocks are free, all pools have been retired.       end of proctype thread
 *   O10  No deadlock: somebody can always go on.                                           spin's invalid end states
 *   O11  No livelock: nobody goes on for ever without an operation being completed.      spin's non-progress cycles
 *
 * What is not here: memory order (the model is sequentially consistent; the reason for each order stands beside each
 * atomic in the source), how a pool is cut into blocks, quick lists. README.md says why that is no loss.
 */

/* The size of the search. */
#ifndef THREADS
#define THREADS 2
#endif
#ifndef POOLS
#define POOLS 2
#endif
#ifndef BLOCKS /* of each pool */
#define BLOCKS 2
#endif

/* A pool counts as full with so many free blocks or fewer: none in the small layer; the general layer lets a pool go
 * that is nearly full, with what is left in it. */
#ifndef LEFT_OVER_MAX
#define LEFT_OVER_MAX 0
#endif

/* 1: a process forks at any time, any number of times, and freezes the central lock meanwhile. */
#ifndef FORKS
#define FORKS 0
#endif

#define BLOCKS_IN_ALL (POOLS * BLOCKS)
#define NO_BLOCK 15
#define NO_POOL 7
#define NOBODY 0 /* threads are 1 ... THREADS */
#define FROZEN 7 /* the state of the central lock while a process forks */

#if BLOCKS_IN_ALL > 8 || POOLS > 4 || THREADS > 3
#error "more than the fields below can hold, or than the choices below name"
#endif

/* Where a block is (ghost). */
#define NOWHERE 0 /* its pool does not exist */
#define PRIVATE 1 /* in the private free list of its pool */
#define HELD    2 /* with the program */
#define FREEING 3 /* one thread is inside free with it */
#define REMOTE  4 /* on the remote stack of its pool */

/* The life of a pool (ghost). */
#define ABSENT  0 /* neither memory nor descriptor */
#define ALIVE   1
#define RETIRED 2 /* over, but memory and descriptor are not given back yet */

typedef Pool {
    /* The atomic word `remote`: always read and written as one. */
    unsigned remote_head : 4 = NO_BLOCK;
    unsigned remote_count : 4;
    bit remote_owned;

    /* The hint, atomic: meaningful only to the thread that reads itself in it. */
    unsigned owner : 2;

    /* Plain memory of the holder. */
    unsigned free : 4 = NO_BLOCK; /* the private free list */
    unsigned live : 4;            /* blocks not in the private list, so those on the remote stack count as live */
    unsigned heap : 2;            /* whose heap lists the pool */

    /* Under the central lock: is on the shared list. The entry may be stale, that is, of a pool that somebody owns. */
    bit shared;

    /* Is on the list (a stack of its own, atomic) of those retired while the central lock was frozen: whoever next
     * has the lock takes that list and gives the memory back. */
    bit deferred;

    /* Ghosts. */
    unsigned life : 2;
    unsigned holder : 2;   /* the thread whose step set OWNED and that has not cleared it yet */
    unsigned visitors : 2; /* threads that have the pool in hand without holding it */
    bit left_unlisted;     /* let go while the lock was frozen */
}

Pool pool[POOLS];

typedef Block {
    unsigned next : 4 = NO_BLOCK; /* the word in a free block */
    unsigned where : 3;           /* ghost */
}

Block block[BLOCKS_IN_ALL];

unsigned central_lock : 3; /* NOBODY, the thread that has it, or FROZEN */

/* Ghosts. */
unsigned running : 2 = THREADS;  /* threads that have not ended */
unsigned going_on : 2 = THREADS; /* threads that have a heap, or may yet start one */
unsigned held_count : 4;         /* blocks with the program */

#define pool_of(b) ((b) / BLOCKS)
#define first_block(p) ((p) * BLOCKS)
#define is_full(p) (BLOCKS - pool[p].live <= LEFT_OVER_MAX)

/* Scratch inside one step; not part of the state. */
hidden byte at, count, stacked, block_i, pool_i;

/* ---------------------------------------------------------------- choices */

#define OWN(i) pool[i].heap == me
#define MAY_FREE(i) d_step { block[i].where == HELD -> block[i].where = FREEING; held_count--; b = i }

#if POOLS == 1
#define owns_a_pool (OWN(0))
#elif POOLS == 2
#define owns_a_pool (OWN(0) || OWN(1))
#elif POOLS == 3
#define owns_a_pool (OWN(0) || OWN(1) || OWN(2))
#else
#define owns_a_pool (OWN(0) || OWN(1) || OWN(2) || OWN(3))
#endif

/* Any of the pools that the heap lists; there is one. */
inline choose_own_pool()
{
    if
    :: OWN(0) -> p = 0
#if POOLS > 1
    :: OWN(1) -> p = 1
#endif
#if POOLS > 2
    :: OWN(2) -> p = 2
#endif
#if POOLS > 3
    :: OWN(3) -> p = 3
#endif
    fi
}

/* Any block the program holds; there is one. */
inline choose_held_block()
{
    if
    :: MAY_FREE(0)
#if BLOCKS_IN_ALL > 1
    :: MAY_FREE(1)
#endif
#if BLOCKS_IN_ALL > 2
    :: MAY_FREE(2)
#endif
#if BLOCKS_IN_ALL > 3
    :: MAY_FREE(3)
#endif
#if BLOCKS_IN_ALL > 4
    :: MAY_FREE(4)
#endif
#if BLOCKS_IN_ALL > 5
    :: MAY_FREE(5)
#endif
#if BLOCKS_IN_ALL > 6
    :: MAY_FREE(6)
#endif
#if BLOCKS_IN_ALL > 7
    :: MAY_FREE(7)
#endif
    fi
}

/* ---------------------------------------------------------------- the rules */

inline check_mine(p) /* O2: this step touches what belongs to the holder of p */
{
    assert(pool[p].life == ALIVE && pool[p].holder == me)
}

inline check_locked(p) /* this step touches p's place on the shared list, or the flag */
{
    assert(central_lock == me && pool[p].life != ABSENT)
}

inline become_holder(p) /* O1: the step that set OWNED */
{
    assert(pool[p].life == ALIVE && pool[p].holder == NOBODY);
    pool[p].holder = me;
    pool[p].left_unlisted = 0
}

/* O3, O7 and O8 for one pool. Stands at the end of each step that changes a list or the word, so it holds in all
 * states. */
inline check_lists(p)
{
    assert(pool[p].remote_owned || (pool[p].remote_head == NO_BLOCK && pool[p].remote_count == 0)); /* O7 */
    assert(pool[p].owner == NOBODY || pool[p].owner == pool[p].holder); /* O8 */
    count = 0; /* the private list: only blocks that are there, and a right end (no circle) */
    at = pool[p].free;
    do
    :: at == NO_BLOCK -> break
    :: else ->
        assert(pool_of(at) == p && block[at].where == PRIVATE && count < BLOCKS);
        count++;
        at = block[at].next
    od;
    assert(pool[p].live == BLOCKS - count);
    stacked = 0; /* the remote stack: likewise, and its count is right */
    at = pool[p].remote_head;
    do
    :: at == NO_BLOCK -> break
    :: else ->
        assert(pool_of(at) == p && block[at].where == REMOTE && stacked < BLOCKS);
        stacked++;
        at = block[at].next
    od;
    assert(pool[p].remote_count == stacked);
    block_i = first_block(p); /* no block that should be in one of them has been lost */
    do
    :: block_i == first_block(p) + BLOCKS -> break
    :: else ->
        assert(block[block_i].where != NOWHERE);
        if
        :: block[block_i].where == PRIVATE -> count--
        :: block[block_i].where == REMOTE -> stacked--
        :: else -> skip
        fi;
        block_i++
    od;
    assert(count == 0 && stacked == 0)
}

/* O6, when p has just been let go, or when the lock that guards the shared list is given back. */
inline check_can_be_found(p)
{
    assert(pool[p].life != ALIVE || pool[p].remote_owned || is_full(p) || pool[p].shared || pool[p].left_unlisted)
}

/* ---------------------------------------------------------------- the central lock */

/* Leaves `entered`: false if the lock is frozen. */
inline central_try_enter()
{
    if
    :: d_step { central_lock == NOBODY -> central_lock = me; entered = 1 }
#if FORKS
    :: d_step { central_lock == FROZEN -> entered = 0 }
#endif
    fi
}

inline central_leave()
{
    d_step {
        assert(central_lock == me);
        pool_i = 0;
        do
        :: pool_i == POOLS -> break
        :: else -> check_can_be_found(pool_i); pool_i++
        od;
        central_lock = NOBODY;
        entered = 0
    }
}

#if FORKS
/* The forking thread: dam_lock_freeze, fork, dam_lock_thaw. */
proctype forker()
{
    do
    ::  d_step { central_lock == NOBODY -> central_lock = FROZEN }
progress_forked:
        central_lock = NOBODY
    :: break
    od
}
#endif

/* ---------------------------------------------------------------- the ownership word: src/pool/ownership.h */

/* dam_pool_push_remote. Leaves `claimed`: the thread has become the holder. */
inline push_remote(p, b)
{
    do
    ::  d_step { /* load */
            assert(pool[p].life == ALIVE);
            old_head = pool[p].remote_head;
            old_count = pool[p].remote_count;
            old_owned = pool[p].remote_owned;
            block[b].next = old_head /* the block is still ours alone */
        }
        d_step { /* compare and swap */
            assert(pool[p].life == ALIVE);
            if
            :: pool[p].remote_head == old_head && pool[p].remote_count == old_count &&
               pool[p].remote_owned == old_owned ->
                pool[p].remote_head = b;
                pool[p].remote_count = old_count + 1;
                pool[p].remote_owned = 1;
                block[b].where = REMOTE;
                claimed = !old_owned;
                if
                :: claimed -> become_holder(p)
                :: else -> skip
                fi;
                check_lists(p);
                done = 1
            :: else -> done = 0
            fi;
            old_head = 0;
            old_count = 0;
            old_owned = 0
        }
        if
        :: done -> done = 0; break
        :: else -> skip
        fi
    od
}

/* dam_pool_take_remote, then the splice into the private list (dam_small_take_remote,
 * dam_general_take_remote_into_index), which nobody else can see once the exchange is done. */
inline take_remote(p)
{
    d_step {
        check_mine(p);
        assert(pool[p].remote_owned);
        at = pool[p].remote_head; /* exchange */
        count = pool[p].remote_count;
        pool[p].remote_head = NO_BLOCK;
        pool[p].remote_count = 0;
        pool[p].live = pool[p].live - count; /* splice */
        do
        :: at == NO_BLOCK -> break
        :: else ->
            assert(block[at].where == REMOTE && count > 0);
            block_i = block[at].next;
            block[at].next = pool[p].free;
            block[at].where = PRIVATE;
            pool[p].free = at;
            at = block_i;
            count--
        od;
        assert(count == 0);
        check_lists(p)
    }
}

/* The swap of dam_pool_let_go: {none, 0, OWNED} to {none, 0, -}. From here on the thread may not touch the pool,
 * unless it has the central lock, without which nobody can give the descriptor back. Leaves `done`. */
inline clear_owned(p)
{
    check_mine(p);
    if
    :: pool[p].remote_head == NO_BLOCK && pool[p].remote_count == 0 && pool[p].remote_owned ->
        pool[p].remote_owned = 0;
        pool[p].holder = NOBODY;
        check_lists(p);
        done = 1
    :: else -> done = 0
    fi
}

/* dam_pool_let_go of a full pool: its owner has taken its name off. Leaves `done`. */
inline let_go(p)
{
    d_step {
        clear_owned(p); /* swap */
        check_can_be_found(p)
    }
}

/* dam_pool_try_claim: {none, 0, -} to {none, 0, OWNED} (O7: nobody's means an empty stack). Leaves `claimed`. */
inline try_claim(p)
{
    d_step {
        assert(pool[p].life != ABSENT); /* O4 */
        if
        :: pool[p].remote_head == NO_BLOCK && pool[p].remote_count == 0 && !pool[p].remote_owned ->
            pool[p].remote_owned = 1;
            become_holder(p);
            claimed = 1
        :: else -> claimed = 0
        fi;
        assert(pool[p].visitors > 0);
        pool[p].visitors--
    }
}

/* ---------------------------------------------------------------- the shared list: src/pool/shared_pools.c */

/* dam_pool_share: lets the pool go, and lists it before the lock is given back. While the lock is frozen the pool is
 * let go without being listed: the next free finds it. Leaves `done`. */
inline share(p)
{
    central_try_enter();
    if
    :: entered ->
        d_step {
            clear_owned(p); /* swap */
            if
            :: done -> pool[p].visitors++
            :: else -> skip
            fi
        }
        if
        :: done ->
            d_step { /* somebody may own the pool by now; what is touched here is under the lock */
                check_locked(p);
                pool[p].shared = 1; /* if it was not: a stale entry becomes a good one */
                pool[p].visitors--
            }
        :: else -> skip
        fi;
        central_leave()
#if FORKS
    :: else ->
        d_step {
            pool[p].left_unlisted = 1;
            clear_owned(p);
            pool[p].left_unlisted = done
        }
#endif
    fi
}

/* Any pool on the shared list. The order of the list is left open. */
#define LISTED(i) d_step { \
        pool[i].shared -> \
        p = i; \
        check_locked(p); \
        pool[p].shared = 0; /* dam_pool_unshare */ \
        pool[p].visitors++ \
    }

/* dam_pool_claim_shared: takes entries off until one of them is nobody's. Leaves p, or NO_POOL. */
inline claim_shared()
{
    central_try_enter();
    if
    :: entered ->
        do
        ::  p = NO_POOL;
            if
            :: LISTED(0)
#if POOLS > 1
            :: LISTED(1)
#endif
#if POOLS > 2
            :: LISTED(2)
#endif
#if POOLS > 3
            :: LISTED(3)
#endif
            :: else -> break
            fi;
            try_claim(p);
            if
            :: claimed -> claimed = 0; break
            :: else -> skip /* stale: its owner will see to it */
            fi
        od;
        central_leave()
#if FORKS
    :: else -> p = NO_POOL
#endif
    fi
}

/* ---------------------------------------------------------------- the life of a pool: src/pool/pool.c */

/* Under the central lock: the descriptor may be anyone's next pool. */
inline give_memory(p)
{
    assert(pool[p].life == RETIRED);
    pool[p].shared = 0; /* retire: unshare */
    assert(pool[p].visitors == 0); /* O4 */
    pool[p].deferred = 0;
    pool[p].remote_owned = 0;
    pool[p].life = ABSENT
}

inline give_memory_of_those_retired_while_frozen()
{
    pool_i = 0;
    do
    :: pool_i == POOLS -> break
    :: pool_i < POOLS && pool[pool_i].deferred -> give_memory(pool_i); pool_i++
    :: else -> pool_i++
    od
}

/* dam_pool_retire. The word stays {none, 0, OWNED} to the end: an entry on the shared list is stale until it goes. */
inline retire(p)
{
    d_step {
        check_mine(p);
        check_lists(p);
        block_i = first_block(p);
        do
        :: block_i == first_block(p) + BLOCKS -> break
        :: else ->
            assert(block[block_i].where == PRIVATE); /* O5 */
            block[block_i].where = NOWHERE;
            block[block_i].next = NO_BLOCK;
            block_i++
        od;
        pool[p].owner = NOBODY;
        pool[p].heap = NOBODY;
        pool[p].free = NO_BLOCK;
        pool[p].live = 0;
        pool[p].holder = NOBODY;
        pool[p].life = RETIRED
    }
    if
    ::  d_step { /* enter, give back, leave: nothing in between that others could see */
            central_lock == NOBODY ->
            give_memory_of_those_retired_while_frozen();
            give_memory(p)
        }
#if FORKS
    ::  central_lock == FROZEN ->
        d_step { assert(pool[p].life == RETIRED); pool[p].deferred = 1 } /* push; whoever has the lock next takes all */
#endif
    fi
}

/* dam_pool_create, dam_pool_own_new: a pool in a free place, with all its blocks in the private list. Nobody else
 * knows it before a block of it is handed out; only the place is chosen under the lock, or, while that is frozen,
 * without it in a mapping of the pool's own. Leaves p, or NO_POOL. */
inline new_pool()
{
    d_step {
        central_lock == NOBODY || central_lock == FROZEN ->
        if
        :: central_lock == NOBODY -> give_memory_of_those_retired_while_frozen()
        :: else -> skip
        fi;
        p = 0;
        do
        :: p == POOLS -> p = NO_POOL; break
        :: p < POOLS && pool[p].life == ABSENT -> break
        :: else -> p++
        od;
        if
        :: p == NO_POOL -> skip
        :: else ->
            pool[p].life = ALIVE;
            pool[p].holder = me;
            pool[p].remote_owned = 1;
            pool[p].owner = me;
            pool[p].heap = me;
            block_i = first_block(p);
            pool[p].free = block_i;
            do
            :: block_i == first_block(p) + BLOCKS -> break
            :: else ->
                assert(block[block_i].where == NOWHERE);
                block[block_i].where = PRIVATE;
                block[block_i].next = (block_i + 1 == first_block(p) + BLOCKS -> NO_BLOCK : block_i + 1);
                block_i++
            od;
            check_lists(p)
        fi
    }
}

/* ---------------------------------------------------------------- what a heap does with its pools */

/* dam_small_adopt, dam_general_adopt: the thread has just become the holder of p, and has a heap. That they retire a
 * pool which turns out to be empty is a step of use_pool. */
inline adopt(p)
{
    d_step {
        check_mine(p);
        assert(pool[p].heap == NOBODY); /* O2 */
        pool[p].heap = me;
        pool[p].owner = me /* store the hint */
    }
    take_remote(p)
}

/* dam_small_disown, dam_general_disown */
inline disown(p)
{
    d_step { check_mine(p); pool[p].heap = NOBODY; pool[p].owner = NOBODY } /* store the hint */
}

/* The heap lets go a full pool: let_go_full_pool of the small layer, dam_general_let_go_nearly_full. When blocks have
 * arrived meanwhile, the pool stays. */
inline put_aside(p)
{
    disown(p);
    let_go(p);
    if
    :: done -> done = 0
    :: else -> adopt(p)
    fi
}

/* give_up_small, give_up_general: the thread gives up p for good, because its heap ends, or because it claimed p by a
 * free and has no heap. Its name is off the pool. */
inline give_up(p)
{
    do
    ::  take_remote(p);
        check_mine(p);
        if
        :: pool[p].live == 0 -> retire(p); break
        :: pool[p].live > 0 && is_full(p) -> let_go(p)
        :: pool[p].live > 0 && !is_full(p) -> share(p)
        fi;
        if
        :: done -> done = 0; break
        :: else -> skip /* give_up: blocks have arrived, look again */
        fi
    od
}

/* A block out of the private list; from here on it is the program's. */
inline pop(p)
{
    d_step {
        check_mine(p);
        b = pool[p].free;
        assert(block[b].where == PRIVATE);
        pool[p].free = block[b].next;
        pool[p].live++;
        block[b].next = NO_BLOCK;
        block[b].where = HELD;
        held_count++;
        b = 0;
        check_lists(p)
    }
}

/* What the owner of p may do with it at any moment. */
inline use_pool(p)
{
    check_mine(p);
    if
    :: pool[p].free != NO_BLOCK -> pop(p) /* malloc */
    :: take_remote(p)
    :: pool[p].live > 0 && is_full(p) -> put_aside(p)
    :: pool[p].live == 0 -> retire(p)
    fi
}

/* A heap gets a pool more: one that somebody left behind, or a new one, or none (out of memory). */
inline add_pool()
{
    if
    ::  claim_shared();
        if
        :: p != NO_POOL -> adopt(p)
        :: else -> skip
        fi
    :: new_pool()
    fi
}

/* dam_free of a block that the program held. */
inline free_block(b)
{
    p = pool_of(b);
    if
    ::  d_step {
            has_heap && pool[p].owner == me -> /* load of the hint; the rest is private */
            check_mine(p);
            block[b].next = pool[p].free;
            block[b].where = PRIVATE;
            pool[p].free = b;
            pool[p].live--;
            check_lists(p)
        }
    ::  d_step { !has_heap || pool[p].owner != me -> assert(pool[p].life == ALIVE) } /* load of the hint */
        push_remote(p, b);
        if
        :: !claimed -> skip
        :: claimed && has_heap -> claimed = 0; adopt(p)
        :: claimed && !has_heap -> claimed = 0; give_up(p)
        fi
    fi
}

/* dam_heap_give_up: the end of a thread's heap. */
inline give_up_heap()
{
    do
    :: owns_a_pool -> choose_own_pool(); disown(p); give_up(p)
    :: else -> break
    od
}

/* ---------------------------------------------------------------- threads */

proctype thread(byte me)
{
    byte p, b;
    byte old_head, old_count;
    bit old_owned, claimed, done, entered;
    bit has_heap, stopping;

    do
    ::  if
        :: !stopping -> has_heap = 1; add_pool()
        :: atomic { owns_a_pool -> choose_own_pool() } use_pool(p)
        :: atomic { held_count > 0 -> choose_held_block() } free_block(b)
        :: has_heap -> give_up_heap(); has_heap = 0
        :: d_step { !has_heap && !stopping -> stopping = 1; going_on-- } /* from here on it only frees */
        :: stopping && going_on == 0 && held_count == 0 -> break
        fi;
        p = 0;
        b = 0;
progress_operation_done: /* O11 */
        skip
    od;

    running--;
    d_step { /* O9, when the last has ended */
        if
        :: running == 0 ->
            assert(central_lock != me);
            pool_i = 0;
            do
            :: pool_i == POOLS -> break
            :: else ->
                assert(pool[pool_i].life == ABSENT || pool[pool_i].deferred);
                assert(pool[pool_i].life != ABSENT || !pool[pool_i].shared);
                pool_i++
            od
        :: else -> skip
        fi
    }
}

init {
    atomic {
#if FORKS
        run forker();
#endif
#if THREADS > 1
        run thread(2);
#endif
#if THREADS > 2
        run thread(3);
#endif
        run thread(1)
    }
}
