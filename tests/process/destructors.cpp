// SPDX-License-Identifier: MIT
/* destructors.cpp: everything that runs when a thread or the process ends may allocate and free.
 *
 *   of a thread    destructors of C++ thread_local objects, then those of pthread keys, several rounds of them: some
 * run after the allocator's own of a process   thread_local objects of main, atexit handlers, global objects,
 * destructor functions
 *
 * The program runs itself once more as a child. The child counts what ran; its very last function writes the counts,
 * which the parent compares. A destructor that crashed, hung or was left out shows. */
#include "support/on_dam.h"

#include <atomic>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <pthread.h>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                             \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

namespace {

constexpr int THREAD_COUNT = 20;

/* Plain counters: they must outlive every object with a destructor. */
std::atomic<int> thread_local_count, key_count, last_round_count, main_thread_local_count, atexit_count, global_count;

/* One block of each layer is kept until the next use, so each use also releases what an earlier stage of the process
 * allocated, maybe on a thread that is gone. */
constexpr std::size_t SIZES[] = {1, 16, 100, 256, 257, 5000, 65536, 65537, 500000, 3000000};
constexpr std::size_t SIZE_COUNT = sizeof SIZES / sizeof SIZES[0];
std::atomic<unsigned char *> kept[SIZE_COUNT];

void release_kept(unsigned char *block, std::size_t size) {
    if (block == nullptr)
        return;
    CHECK(block[0] == 0x5D && block[size - 1] == 0x5D);
    free(block);
}

void use_every_layer() {
    for (std::size_t i = 0; i < SIZE_COUNT; i++) {
        auto *block = static_cast<unsigned char *>(malloc(SIZES[i] / 2 + 1));
        CHECK(block != nullptr);
        block = static_cast<unsigned char *>(realloc(block, SIZES[i]));
        CHECK(block != nullptr);
        memset(block, 0x5D, SIZES[i]);
        release_kept(kept[i].exchange(block), SIZES[i]);
        free(calloc(1, SIZES[i]));
    }
    std::map<int, std::string> names;
    for (int i = 0; i < 50; i++)
        names[i] = std::string(static_cast<std::size_t>(i * 10), 'n');
    CHECK(names[49].size() == 490);
}

/* ---- Of a thread ------------------------------------------------------------------------------------------------- */

struct thread_object {
    std::vector<std::string> words;
    std::atomic<int> *count;

    explicit thread_object(std::atomic<int> *its_count) : words(100, std::string(300, 'w')), count(its_count) {
        use_every_layer();
    }
    thread_object(const thread_object &) = delete;
    thread_object &operator=(const thread_object &) = delete;
    ~thread_object() {
        CHECK(words.size() == 100 && words[99].size() == 300);
        words.resize(1000);
        use_every_layer();
        ++*count;
    }
};

pthread_key_t once_key, every_round_key;

/* The value is a malloc block; the destructor releases it and allocates more. */
void destroy_once(void *value) {
    CHECK(*static_cast<int *>(value) == 1);
    free(value);
    use_every_layer();
    key_count++;
}

/* Sets its key again, so that it runs in every round there is: the later ones come after every other destructor, of the
 * allocator too. */
void destroy_every_round(void *value) {
    int rounds = *static_cast<int *>(value) + 1;
    free(value);
    use_every_layer();
    if (rounds == PTHREAD_DESTRUCTOR_ITERATIONS)
        last_round_count++;
    auto *next = static_cast<int *>(malloc(sizeof(int)));
    CHECK(next != nullptr);
    *next = rounds;
    if (rounds < PTHREAD_DESTRUCTOR_ITERATIONS)
        CHECK(pthread_setspecific(every_round_key, next) == 0);
    else
        free(next);
}

void set_key(pthread_key_t key, int number) {
    auto *value = static_cast<int *>(malloc(sizeof(int)));
    CHECK(value != nullptr);
    *value = number;
    CHECK(pthread_setspecific(key, value) == 0);
}

void live_as_thread() {
    thread_local thread_object object(&thread_local_count);
    set_key(once_key, 1);
    set_key(every_round_key, 0);
    use_every_layer();
    object.words.emplace_back("last");
    object.words.pop_back();
}

/* Ends without having allocated before its destructors do. */
void *live_quietly(void *value) {
    CHECK(pthread_setspecific(once_key, value) == 0);
    return nullptr;
}

/* ---- Of the process ---------------------------------------------------------------------------------------------- */

bool is_child;

struct global_object {
    std::unique_ptr<std::string> text = std::make_unique<std::string>(100000, 'g');

    ~global_object() {
        if (!is_child)
            return;
        CHECK(text->size() == 100000);
        text->append(100000, 'h');
        use_every_layer();
        global_count++;
    }
} global_one, global_other;

void at_exit() {
    use_every_layer();
    atexit_count++;
}

void register_late() {
    use_every_layer();
    CHECK(atexit(at_exit) == 0);
    atexit_count++;
}

/* Destructor functions run after the destructors of objects; priority 101 is the last that a program may have. */
__attribute__((destructor(101))) void tell() {
    if (!is_child)
        return;
    use_every_layer();
    for (std::size_t i = 0; i < SIZE_COUNT; i++)
        release_kept(kept[i].exchange(nullptr), SIZES[i]);
    char text[200];
    int length = snprintf(text, sizeof text, "thread_local %d key %d last_round %d main %d atexit %d global %d\n",
                          thread_local_count.load(), key_count.load(), last_round_count.load(),
                          main_thread_local_count.load(), atexit_count.load(), global_count.load());
    CHECK(write(STDOUT_FILENO, text, static_cast<size_t>(length)) == length);
}

int run_child() {
    is_child = true;
    CHECK(atexit(at_exit) == 0);
    CHECK(atexit(register_late) == 0);
    CHECK(pthread_key_create(&once_key, destroy_once) == 0);
    CHECK(pthread_key_create(&every_round_key, destroy_every_round) == 0);
    thread_local thread_object of_main(&main_thread_local_count);
    for (int i = 0; i < THREAD_COUNT; i++) {
        std::thread thread(live_as_thread);
        auto *value = static_cast<int *>(malloc(sizeof(int)));
        CHECK(value != nullptr);
        *value = 1;
        pthread_t quiet;
        CHECK(pthread_create(&quiet, nullptr, live_quietly, value) == 0);
        CHECK(pthread_join(quiet, nullptr) == 0);
        thread.join();
    }
    use_every_layer();
    return 0;
}

/* ---- The parent -------------------------------------------------------------------------------------------------- */

std::string output_of_child() {
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        alarm(300);
        char self[] = "/proc/self/exe", argument[] = "child";
        char *arguments[] = {self, argument, nullptr};
        execv(self, arguments);
        _exit(97);
    }
    close(ends[1]);
    std::string output;
    char chunk[256];
    ssize_t bytes;
    while ((bytes = read(ends[0], chunk, sizeof chunk)) > 0)
        output.append(chunk, static_cast<std::size_t>(bytes));
    close(ends[0]);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fprintf(stderr, "child ended with wait status 0x%x\n", static_cast<unsigned>(status));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return output;
}

} // namespace

int main(int argc, char **argv) {
    require_malloc_to_be_dam();
    if (argc > 1 && strcmp(argv[1], "child") == 0)
        return run_child();
    char expected[200];
    snprintf(expected, sizeof expected, "thread_local %d key %d last_round %d main 1 atexit 3 global 2\n", THREAD_COUNT,
             2 * THREAD_COUNT, THREAD_COUNT);
    std::string output = output_of_child();
    if (output != expected) {
        fprintf(stderr, "expected: %sfound:    %s\n", expected, output.c_str());
        return 1;
    }
    puts("every destructor and handler ran, allocated and freed");
    return 0;
}
