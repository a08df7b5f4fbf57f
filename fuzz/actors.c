// SPDX-License-Identifier: MIT
/* actors.c: the baton is a pair of semaphores for each actor: its own, and the driver's. */
#include "fuzz/actors.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/os.h"

struct actor {
    pthread_t thread;
    sem_t go;
    bool exists;
    bool busy; /* has work that it has not finished */
    bool late; /* its thread's destructors run */
    bool gone; /* its last word */
    actor_work *work;
    struct step step;
    uint8_t pause; /* once it goes on */
};

static struct actor actors[ACTOR_COUNT];
static sem_t driver;
static pid_t driver_process;
static pthread_key_t end_key;
static actor_work *late_work;
static bool alone;

size_t actors_paused, actors_waited;

static _Thread_local struct actor *self;

/* How many more accesses until this thread stands still; 0: it does not. */
static _Thread_local uint32_t accesses_left;

/* ---- The baton --------------------------------------------------------------------------------------------------- */

static void require(bool done) {
    if (!done)
        abort();
}

static void wait_for(sem_t *baton) {
    while (sem_wait(baton) != 0)
        require(errno == EINTR);
}

static void hand_over(struct actor *actor) {
    require(sem_post(&actor->go) == 0);
    wait_for(&driver);
    if (!actor->gone)
        return;
    require(pthread_join(actor->thread, NULL) == 0);
    actor->exists = false;
    actor->busy = false;
}

static void hand_back(void) {
    require(sem_post(&driver) == 0);
}

/* The first 127 accesses each have a value of their own; the others are sixteen apart. */
void calls_begin(uint8_t pause) {
    if (!alone)
        accesses_left = pause < 128 ? pause : 128u + (pause - 128u) * 16u;
}

void calls_end(void) {
    accesses_left = 0;
}

/* In the child of a fork there is nobody to go on meanwhile. */
static void stand_still(void) {
    accesses_left = 0;
    if (getpid() != driver_process)
        return;
    hand_back();
    wait_for(&self->go);
    calls_begin(self->pause);
}

/* ---- Scheduling points ------------------------------------------------------------------------------------------- */

/* Also called before there are thread variables (heap/thread.c has such code); they read as zero then. */
static inline __attribute__((always_inline)) void scheduling_point(void) {
    if (__builtin_expect(accesses_left != 0, 0) && --accesses_left == 0) {
        actors_paused++;
        stand_still();
    }
}

/* The compiler's names have no other declaration. */
#define SCHEDULING_POINT(name, type)                                                                                   \
    void name(type *place);                                                                                            \
    void name(type *place) {                                                                                           \
        (void)place;                                                                                                   \
        scheduling_point();                                                                                            \
    }
SCHEDULING_POINT(__sanitizer_cov_load1, uint8_t)
SCHEDULING_POINT(__sanitizer_cov_load2, uint16_t)
SCHEDULING_POINT(__sanitizer_cov_load4, uint32_t)
SCHEDULING_POINT(__sanitizer_cov_load8, uint64_t)
SCHEDULING_POINT(__sanitizer_cov_load16, __uint128_t)
SCHEDULING_POINT(__sanitizer_cov_store1, uint8_t)
SCHEDULING_POINT(__sanitizer_cov_store2, uint16_t)
SCHEDULING_POINT(__sanitizer_cov_store4, uint32_t)
SCHEDULING_POINT(__sanitizer_cov_store8, uint64_t)
SCHEDULING_POINT(__sanitizer_cov_store16, __uint128_t)

/* The linker's names, too. Nobody runs while an actor holds the baton, so who would sleep waits for one that stands
 * still: it has to stand still itself. Its caller looks at the lock again whenever it goes on. */
void __real_dam_os_wait(_Atomic(uint32_t) *word, uint32_t expected);
void __wrap_dam_os_wait(_Atomic(uint32_t) *word, uint32_t expected);

void __wrap_dam_os_wait(_Atomic(uint32_t) *word, uint32_t expected) {
    if (getpid() != driver_process)
        finding("the child of a fork waits for a lock: nobody is left to release it");
    if (self == NULL) {
        __real_dam_os_wait(word, expected);
        return;
    }
    actors_waited++;
    stand_still();
}

/* ---- An actor's life --------------------------------------------------------------------------------------------- */

/* DAM's key is older than ours, so its destructor has run before: the thread's heap is gone. If it never had one, it
 * gets one now, and DAM's destructor runs once more; so ours does, too. */
static void end_actor(void *key_value) {
    struct actor *actor = key_value;
    calls_end();
    if (!actor->late) {
        actor->late = true;
        late_work(&actor->step);
        require(pthread_setspecific(end_key, actor) == 0);
        return;
    }
    actor->gone = true;
    hand_back();
}

static void *act(void *actor) {
    self = actor;
    require(pthread_setspecific(end_key, actor) == 0);
    for (;;) {
        wait_for(&self->go);
        if (self->work == NULL)
            break;
        self->work(&self->step);
        calls_end();
        self->busy = false;
        hand_back();
    }
    calls_begin(self->step.pause); /* for DAM's destructor */
    return NULL;
}

void actors_init(actor_work *late) {
    late_work = late;
    driver_process = getpid();
    require(sem_init(&driver, 0, 0) == 0);
    require(pthread_key_create(&end_key, end_actor) == 0);
    for (unsigned i = 0; i < ACTOR_COUNT; i++)
        require(sem_init(&actors[i].go, 0, 0) == 0);
}

unsigned actor_self(void) {
    return self == NULL ? ACTOR_COUNT : (unsigned)(self - actors);
}

static void make(struct actor *actor) {
    actor->gone = false;
    actor->late = false;
    require(pthread_create(&actor->thread, NULL, act, actor) == 0);
    actor->exists = true;
}

static bool begin(struct actor *actor, actor_work *work, const struct step *step) {
    if (actor->busy) {
        actor->pause = step->pause;
        hand_over(actor);
    }
    if (actor->busy)
        return false;
    if (!actor->exists)
        make(actor);
    actor->work = work;
    actor->step = *step;
    actor->busy = true;
    hand_over(actor);
    return true;
}

bool actor_do(unsigned actor, actor_work *work, const struct step *step) {
    if (!alone)
        return begin(&actors[actor], work, step);
    work(step);
    calls_end();
    return true;
}

bool actor_end(unsigned actor, const struct step *step) {
    return alone || !actors[actor].exists || begin(&actors[actor], NULL, step);
}

bool actor_exists(unsigned actor) {
    return alone ? actor == actor_self() : actors[actor].exists;
}

size_t actors_in_calls(void) {
    size_t count = 0;
    for (unsigned i = 0; i < ACTOR_COUNT; i++)
        count += actors[i].busy;
    return count;
}

#define ROUNDS_MAX 100

/* Whoever stands still before a lock may have to be asked several times: in each round somebody gets further. */
void actors_finish_calls(void) {
    if (alone)
        return;
    for (unsigned round = 0; actors_in_calls() > 0; round++) {
        if (round == ROUNDS_MAX)
            finding("a deadlock: each actor waits for another");
        for (unsigned i = 0; i < ACTOR_COUNT; i++) {
            actors[i].pause = 0;
            if (actors[i].busy)
                hand_over(&actors[i]);
        }
    }
}

/* ---- After fork -------------------------------------------------------------------------------------------------- */

void actors_alone(void) {
    alone = true;
    calls_end();
    for (unsigned i = 0; i < ACTOR_COUNT; i++)
        actors[i].busy = false;
}

bool actors_are_alone(void) {
    return alone;
}
