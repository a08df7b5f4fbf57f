// SPDX-License-Identifier: MIT
/* witness.c: plays a scene on the process's own malloc and tells by its exit status what became of the heap
 * (aftermath.h).
 *
 *   PROGRAM list               the names of the scenes
 *   PROGRAM SCENE misuse       plays it; whatever the allocator says or does about it is for others to see
 *   PROGRAM SCENE clean        plays its clean twin */
#include "faults/aftermath.h"

static const struct specimen *find(const char *scene_name) {
    const struct specimen *specimen = specimens;
    while (specimen->scene_name != NULL && strcmp(specimen->scene_name, scene_name) != 0)
        specimen++;
    return specimen->scene_name == NULL ? NULL : specimen;
}

/* A scene has a case for each profile, and all scenes have a size of their own here. */
static void list(void) {
    for (const struct specimen *specimen = specimens; specimen->scene_name != NULL; specimen++) {
        if (specimen->sizes == NULL && find(specimen->scene_name) == specimen)
            puts(specimen->scene_name);
    }
}

static int status_after(enum aftermath aftermath) {
    switch (aftermath) {
    case AFTERMATH_HARMLESS:
        return WITNESS_SAW_NO_HARM;
    case AFTERMATH_OVERLAP:
        return WITNESS_SAW_OVERLAP;
    case AFTERMATH_CHANGE:
        return WITNESS_SAW_CHANGE;
    }
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        list();
        return 0;
    }
    const struct specimen *specimen = argc == 3 ? find(argv[1]) : NULL;
    if (specimen == NULL) {
        fprintf(stderr, "usage: %s list\n       %s SCENE misuse|clean\n", argv[0], argv[0]);
        return 2;
    }
    struct act act = specimen->act;
    act.is_misuse = strcmp(argv[2], "misuse") == 0;
    specimen->play(&act);
    return status_after(aftermath_of(act.size));
}
