// SPDX-License-Identifier: MIT
/* scene.c: what setting a scene takes. */
#include "attack/attack.h"

#include "attack/ground.h"

#include <pthread.h>

void scene_failed(const char *file, int line, const char *condition) {
    char text[300];
    int length = snprintf(text, sizeof text, "%s:%d: the scene is not as it should be: %s\n", file, line, condition);
    ssize_t written = write(STDERR_FILENO, text, (size_t)length);
    (void)written;
    _exit(SCENE_FAILED_EXIT);
}

void *scene_malloc(struct scene *scene, size_t size) {
    return scene->heap != NULL ? ground_heap_malloc(scene->heap, size) : ground_malloc(size);
}

void elsewhere(void *(*body)(void *), void *argument) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, body, argument) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void *ground_free_body(void *block) {
    ground_free(block);
    return NULL;
}

void free_elsewhere(void *block) {
    elsewhere(ground_free_body, block);
}

void scene_note(struct scene *scene) {
    for (size_t i = 0; i < scene->old_count; i++) {
        if (memcmp(scene->old[i], scene->place, scene->bytes) == 0)
            return;
    }
    SCENE_CHECK(scene->old_count < OLD_VALUES_MAX);
    memcpy(scene->old[scene->old_count++], scene->place, scene->bytes);
}
