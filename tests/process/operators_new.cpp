// SPDX-License-Identifier: MIT
/* operators_new.cpp: every form of operator new and delete on DAM.
 *
 * A C library cannot define them; they reach it through the C++ library's, which call malloc and its kin. What must
 * come out is C++: never null from a throwing form, the new-handler called, std::bad_alloc thrown, alignment kept. */
#include "support/on_dam.h"

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>

extern "C" {
#include <cmocka.h>
}

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <list>
#include <memory>
#include <memory_resource>
#include <new>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace {

constexpr std::size_t SIZES[] = {0, 1, 16, 100, 256, 257, 5000, 65536, 65537, 500000, 3000000};
constexpr std::size_t ALIGNMENTS[] = {1, 8, 16, 32, 64, 256, 4096, 65536, 1 << 20};
constexpr std::size_t ABSURD_SIZE = std::numeric_limits<std::size_t>::max() / 2;

/* The compiler may leave out a pair of new and delete whose block it can follow. */
void *seen(void *block) {
    __asm__ volatile("" : "+r"(block) : : "memory");
    return block;
}

std::size_t hidden(std::size_t size) {
    __asm__ volatile("" : "+r"(size));
    return size;
}

void expect_block(void *block, std::size_t alignment, std::size_t size) {
    assert_non_null(seen(block));
    assert_true((reinterpret_cast<std::uintptr_t>(block) & (alignment - 1)) == 0);
    if (size > 0) {
        assert_true(usable_size_by_dam(block) >= size);
        std::memset(block, 0x4D, size);
    }
}

/* ---- Every form -------------------------------------------------------------------------------------------------- */

void every_plain_form_allocates_and_releases(void **) {
    for (std::size_t size : SIZES) {
        void *block = ::operator new(hidden(size));
        expect_block(block, 16, size);
        ::operator delete(block);

        block = ::operator new[](hidden(size));
        expect_block(block, 16, size);
        ::operator delete[](block);

        block = ::operator new(hidden(size), std::nothrow);
        expect_block(block, 16, size);
        ::operator delete(block, std::nothrow);

        block = ::operator new[](hidden(size), std::nothrow);
        expect_block(block, 16, size);
        ::operator delete[](block, std::nothrow);

        block = ::operator new(hidden(size));
        expect_block(block, 16, size);
        ::operator delete(block, size);

        block = ::operator new[](hidden(size));
        expect_block(block, 16, size);
        ::operator delete[](block, size);
    }
}

void every_aligned_form_allocates_and_releases(void **) {
    for (std::size_t number : ALIGNMENTS) {
        const auto alignment = static_cast<std::align_val_t>(number);
        for (std::size_t size : SIZES) {
            void *block = ::operator new(hidden(size), alignment);
            expect_block(block, number, size);
            ::operator delete(block, alignment);

            block = ::operator new[](hidden(size), alignment);
            expect_block(block, number, size);
            ::operator delete[](block, alignment);

            block = ::operator new(hidden(size), alignment, std::nothrow);
            expect_block(block, number, size);
            ::operator delete(block, alignment, std::nothrow);

            block = ::operator new[](hidden(size), alignment, std::nothrow);
            expect_block(block, number, size);
            ::operator delete[](block, alignment, std::nothrow);

            block = ::operator new(hidden(size), alignment);
            expect_block(block, number, size);
            ::operator delete(block, size, alignment);

            block = ::operator new[](hidden(size), alignment);
            expect_block(block, number, size);
            ::operator delete[](block, size, alignment);
        }
    }
}

void deleting_null_does_nothing(void **) {
    ::operator delete(seen(nullptr));
    ::operator delete[](seen(nullptr));
    ::operator delete (seen(nullptr), std::size_t{8});
    ::operator delete[](seen(nullptr), std::size_t{8});
    ::operator delete(seen(nullptr), std::nothrow);
    ::operator delete (seen(nullptr), std::align_val_t{64});
    ::operator delete (seen(nullptr), std::size_t{8}, std::align_val_t{64});
}

struct alignas(64) cache_line {
    char bytes[64];
};
struct alignas(4096) whole_page {
    char bytes[4096];
};

void overaligned_types_are_aligned(void **) {
    for (int i = 0; i < 100; i++) {
        std::unique_ptr<cache_line> line(new cache_line);
        std::unique_ptr<cache_line[]> lines(new cache_line[7]);
        std::unique_ptr<whole_page> page(new whole_page);
        std::vector<whole_page> pages(3);
        expect_block(line.get(), 64, sizeof *line);
        expect_block(lines.get(), 64, 7 * sizeof *line);
        expect_block(page.get(), 4096, sizeof *page);
        expect_block(pages.data(), 4096, 3 * sizeof *page);
    }
}

/* ---- Failure ----------------------------------------------------------------------------------------------------- */

int handler_calls;

/* Gives up at the third call. */
void count_and_give_up() {
    if (++handler_calls == 3)
        std::set_new_handler(nullptr);
}

template <typename Allocate> void expect_bad_alloc(Allocate allocate) {
    bool thrown = false;
    handler_calls = 0;
    std::set_new_handler(count_and_give_up);
    try {
        (void)seen(allocate(hidden(ABSURD_SIZE)));
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    std::set_new_handler(nullptr);
    assert_true(thrown);
    assert_int_equal(handler_calls, 3);
}

template <typename Allocate> void expect_null(Allocate allocate) {
    handler_calls = 0;
    std::set_new_handler(count_and_give_up);
    void *block = seen(allocate(hidden(ABSURD_SIZE)));
    std::set_new_handler(nullptr);
    assert_null(block);
    assert_int_equal(handler_calls, 3);
}

void a_failing_throwing_form_runs_the_handler_and_throws_bad_alloc(void **) {
    expect_bad_alloc([](std::size_t size) { return ::operator new(size); });
    expect_bad_alloc([](std::size_t size) { return ::operator new[](size); });
    expect_bad_alloc([](std::size_t size) { return ::operator new (size, std::align_val_t{64}); });
    expect_bad_alloc([](std::size_t size) { return ::operator new[](size, std::align_val_t{4096}); });
    expect_bad_alloc([](std::size_t size) { return static_cast<void *>(new char[size]); });
}

void a_failing_nothrow_form_runs_the_handler_and_gives_null(void **) {
    expect_null([](std::size_t size) { return ::operator new(size, std::nothrow); });
    expect_null([](std::size_t size) { return ::operator new[](size, std::nothrow); });
    expect_null([](std::size_t size) { return ::operator new (size, std::align_val_t{64}, std::nothrow); });
    expect_null([](std::size_t size) { return ::operator new[](size, std::align_val_t{64}, std::nothrow); });
}

void an_array_whose_size_overflows_throws(void **) {
    bool thrown = false;
    try {
        (void)seen(new long[hidden(std::numeric_limits<std::size_t>::max() / 4)]);
    } catch (const std::bad_alloc &) { /* std::bad_array_new_length is one */
        thrown = true;
    }
    assert_true(thrown);
}

void a_container_that_cannot_grow_throws_and_keeps_its_elements(void **) {
    std::string text(1000, 't');
    bool thrown = false;
    try {
        text.reserve(hidden(text.max_size() / 2));
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    assert_true(thrown);
    assert_true(text == std::string(1000, 't'));
}

/* ---- Running out for real ---------------------------------------------------------------------------------------- */

char *reserve;
int reserve_releases;

void release_reserve_or_give_up() {
    if (reserve == nullptr) {
        std::set_new_handler(nullptr);
        return;
    }
    delete[] reserve;
    reserve = nullptr;
    reserve_releases++;
}

std::size_t mapped_bytes() {
    FILE *file = std::fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    if (file == nullptr || std::fscanf(file, "%lu", &pages) != 1)
        std::abort();
    std::fclose(file);
    return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/* Exit status 0 when all went as it must; otherwise the number of the step that did not. */
int run_out(std::size_t size) {
    const rlim_t limit = mapped_bytes() + (std::size_t{64} << 20);
    const rlimit room = {limit, limit};
    if (setrlimit(RLIMIT_AS, &room) != 0)
        return 1;
    reserve = new char[std::size_t{16} << 20];
    std::set_new_handler(release_reserve_or_give_up);
    struct link {
        link *next;
    };
    link *list = nullptr;
    std::size_t count = 0, count_at_release = 0;
    bool thrown = false;
    try {
        for (;; count++) {
            auto *block = static_cast<link *>(::operator new(size));
            if (block == nullptr)
                return 2;
            block->next = list;
            list = block;
            if (reserve_releases == 1 && count_at_release == 0)
                count_at_release = count;
        }
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    if (!thrown || reserve_releases != 1 || count_at_release == 0 || count <= count_at_release)
        return 3;
    while (list != nullptr) {
        link *next = list->next;
        ::operator delete(list, size);
        list = next;
    }
    ::operator delete(::operator new(size));
    return 0;
}

void a_handler_that_releases_memory_lets_new_go_on(void **) {
    for (std::size_t size :
         {std::size_t{48}, std::size_t{1000}, std::size_t{60000}, std::size_t{100000}, std::size_t{2000000}}) {
        std::fflush(stdout);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(120);
            _exit(run_out(size));
        }
        int status = 0;
        assert_true(waitpid(child, &status, 0) == child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

/* ---- What the library builds on them ----------------------------------------------------------------------------- */

void memory_resources_work(void **) {
    std::pmr::unsynchronized_pool_resource pool(std::pmr::new_delete_resource());
    std::pmr::list<std::pmr::string> words(&pool);
    for (int i = 0; i < 10000; i++) {
        words.emplace_back(static_cast<std::size_t>(i % 300), 'p');
        if (i % 3 == 0)
            words.pop_front();
    }
    for (const auto &word : words)
        assert_true(word.find_first_not_of('p') == std::pmr::string::npos);
    void *aligned = std::pmr::new_delete_resource()->allocate(1000, 2048);
    expect_block(aligned, 2048, 1000);
    std::pmr::new_delete_resource()->deallocate(aligned, 1000, 2048);
}

void containers_grow_and_shrink(void **) {
    std::unordered_map<int, std::vector<int>> table;
    for (int i = 0; i < 20000; i++)
        table[i % 500].push_back(i);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(table[i].size(), 40);
        assert_int_equal(table[i][39], 39 * 500 + i);
    }
    table.clear();
}

} // namespace

int main() {
    require_malloc_to_be_dam();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_plain_form_allocates_and_releases),
        cmocka_unit_test(every_aligned_form_allocates_and_releases),
        cmocka_unit_test(deleting_null_does_nothing),
        cmocka_unit_test(overaligned_types_are_aligned),
        cmocka_unit_test(a_failing_throwing_form_runs_the_handler_and_throws_bad_alloc),
        cmocka_unit_test(a_failing_nothrow_form_runs_the_handler_and_gives_null),
        cmocka_unit_test(an_array_whose_size_overflows_throws),
        cmocka_unit_test(a_container_that_cannot_grow_throws_and_keeps_its_elements),
        cmocka_unit_test(a_handler_that_releases_memory_lets_new_go_on),
        cmocka_unit_test(memory_resources_work),
        cmocka_unit_test(containers_grow_and_shrink),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
